/** Most lines of either text: finding the shortest difference costs one times the other. */
const LINES_MAX = 3000;

/** Lines shown around each difference. */
const CONTEXT = 2;

/**
 * The lines that differ between two texts, `-` of the first and `+` of the second, with some around
 * them. Texts that are too long to compare are shown by their lengths.
 */
export function diffLines(first: string, second: string): readonly string[] {
  const [left, right] = [first.split("\n"), second.split("\n")];
  if (left.length > LINES_MAX || right.length > LINES_MAX) {
    return [`- ${left.length} lines`, `+ ${right.length} lines`];
  }
  const lines = merge(left, right, commonLengths(left, right));
  const isNear = (at: number): boolean =>
    lines.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).some((line) => !line.startsWith(" "));
  return lines.filter((_, at) => isNear(at));
}

/** How many lines the rests of both texts have in common, by where they begin. */
function commonLengths(left: readonly string[], right: readonly string[]): readonly Uint16Array[] {
  const lengths = Array.from({ length: left.length + 1 }, () => new Uint16Array(right.length + 1));
  for (let row = left.length - 1; row >= 0; row--) {
    const [current, below] = [lengths[row], lengths[row + 1]];
    if (current === undefined || below === undefined) continue;
    for (let column = right.length - 1; column >= 0; column--) {
      current[column] =
        left[row] === right[column]
          ? (below[column + 1] ?? 0) + 1
          : Math.max(below[column] ?? 0, current[column + 1] ?? 0);
    }
  }
  return lengths;
}

function merge(
  left: readonly string[],
  right: readonly string[],
  lengths: readonly Uint16Array[],
): readonly string[] {
  const lines: string[] = [];
  let [row, column] = [0, 0];
  while (row < left.length || column < right.length) {
    const isSame = row < left.length && column < right.length && left[row] === right[column];
    const down = lengths[row + 1]?.[column] ?? -1;
    const across = lengths[row]?.[column + 1] ?? -1;
    if (isSame) {
      lines.push(`  ${left[row]}`);
      row += 1;
      column += 1;
    } else if (column >= right.length || (row < left.length && down >= across)) {
      lines.push(`- ${left[row]}`);
      row += 1;
    } else {
      lines.push(`+ ${right[column]}`);
      column += 1;
    }
  }
  return lines;
}
