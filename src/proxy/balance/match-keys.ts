/**
 * For each of the old keys, where it stands among the new ones; -1 for those that are gone. Few of
 * many change, and the others keep their order: they are found from both ends.
 */
export function matchKeys(before: readonly string[], after: readonly string[]): Int32Array {
  const moves = new Int32Array(before.length).fill(-1);
  const common = Math.min(before.length, after.length);
  let start = 0;
  for (; start < common && before[start] === after[start]; start++) moves[start] = start;
  const shift = after.length - before.length;
  let end = before.length;
  while (end > start && end + shift > start && before[end - 1] === after[end - 1 + shift]) {
    end--;
    moves[end] = end + shift;
  }
  const between = new Map<string, number>();
  for (let at = start; at < end + shift; at++) between.set(after[at] ?? "", at);
  for (let at = start; at < end; at++) {
    const key = before[at] ?? "";
    const to = between.get(key);
    if (to === undefined) continue;
    moves[at] = to;
    // Another of the same key is another host.
    between.delete(key);
  }
  return moves;
}
