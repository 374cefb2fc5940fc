const GAP = "   ";

/** Rows under their headings, columns as wide as their widest cell, as kubectl prints them. */
export function formatTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const all = headings.length === 0 ? rows : [headings, ...rows];
  const widths: number[] = [];
  for (const row of all) {
    for (const [at, cell] of row.entries()) {
      widths[at] = Math.max(widths[at] ?? 0, cell.length);
    }
  }
  return all
    .map((row) => {
      const cells = row.map((cell, at) =>
        at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0),
      );
      return `${cells.join(GAP)}\n`;
    })
    .join("");
}
