import type { Outcome } from "./lanes.ts";
import type { SmugglingCase } from "./smuggling-case.ts";

/** One case and what became of it. */
export interface Row {
  readonly one: SmugglingCase;
  readonly weft: Outcome;
  readonly envoy: Outcome;
}

const INTRODUCTION = `# Request smuggling

Bytes that two readers of HTTP/1.1 could take apart at different places, with what weft and Envoy
make of them. Behind every request stands a good one for \`/after\` on the same connection; in the
table of responses it is sent once the first is answered. "Saw" is what reached the upstream, and
\`=\` means that weft did the same as Envoy. weft may be stricter, never laxer.

\`test/proxy/smuggling.test.ts\` runs them and keeps this page:
\`UPDATE_GOLDEN=1 npx vitest run test/proxy/smuggling.test.ts\`.
`;

/** The page with all rows, a table for each group. */
export function formatTable(rows: readonly Row[]): string {
  const stricter = rows.filter(({ weft, envoy }) => describe(weft) !== describe(envoy)).length;
  let text = `${INTRODUCTION}\n${rows.length} cases; in ${stricter} of them weft is stricter.\n`;
  let group = "";
  for (const { one, weft, envoy } of rows) {
    if (one.group !== group) {
      group = one.group;
      text += `\n## ${group}\n\n| case | bytes | Envoy | weft |\n| --- | --- | --- | --- |\n`;
    }
    const theirs = describe(envoy);
    const ours = describe(weft) === theirs ? "=" : describe(weft);
    text += `| ${one.name} | ${formatBytes(one.answer ?? one.send)} | ${theirs} | ${ours} |\n`;
  }
  return text;
}

function describe({ answers, rest, isClosed, upstream }: Outcome): string {
  const told = [...answers, ...(rest === "" ? [] : [`"${escape(rest)}"…`])].join(", ") || "nothing";
  const end = isClosed ? "closed" : "open";
  const saw = upstream.map((line) => escape(line)).join("; ");
  return `${told}; ${end}; ${saw === "" ? "saw nothing" : `saw ${saw}`}`;
}

const LONG = 160;

function formatBytes(text: string): string {
  const short = text.length > LONG ? `${text.substring(0, LONG)}…` : text;
  return `\`${escape(short)}\``;
}

/** Text that stands in a cell: what cannot be seen as JavaScript would write it. */
function escape(text: string): string {
  return (
    JSON.stringify(text)
      .slice(1, -1)
      .replaceAll('\\"', '"')
      .replaceAll("|", "\\|")
      .replaceAll("`", "'")
      // oxlint-disable-next-line no-control-regex
      .replace(/[\x7f-\xff]/g, (char) => `\\x${char.charCodeAt(0).toString(16)}`)
  );
}
