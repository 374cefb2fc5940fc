/**
 * Writes docs/fields.md: every field of the kinds of traffic configuration, from their schemas,
 * with what it does on either proxy and the test that shows it. Fails for a field that nothing is
 * said about, for what is said about no field, and for a test that does not exist.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SupportTable } from "./field-support/entry.ts";
import { fieldsOf, findSupport } from "./field-support/find-support.ts";
import { FIELD_SUPPORT } from "./field-support/table.ts";

const repository = dirname(dirname(fileURLToPath(import.meta.url)));

/** The page, and why it is not to be had. */
export interface FieldPage {
  readonly text: string;
  readonly problems: readonly string[];
}

/** The page as it must be. */
export function buildFieldPage(
  tables: Readonly<Record<string, SupportTable>> = FIELD_SUPPORT,
): FieldPage {
  const problems: string[] = [];
  const sections = Object.entries(tables).map(([kind, table]) => {
    const rows = describeFields(kind, table, problems);
    return `## ${kind}\n\n| field | type | weft | Envoy | shown by |\n|---|---|---|---|---|\n${rows.join("\n")}\n`;
  });
  return { text: `${HEAD}\n${sections.join("\n")}`, problems };
}

const HEAD = `# Fields

Every field of the kinds that say how traffic goes: what it does where weft's own proxy is the data
plane and where Envoy is, and the test that shows it. "yes" is Istio's behaviour; anything else is
what the author of the object is told. \`[]\` stands for each entry of a list, \`{}\` for each value of
a map.

This page is written by \`npm run fields\` from the definitions in \`src/config\` and from
\`scripts/field-support\`; a test fails when it is not what that writes.
`;

function describeFields(kind: string, table: SupportTable, problems: string[]): readonly string[] {
  const used = new Set<string>();
  const rows = fieldsOf(kind).map((field) => {
    const support = findSupport(kind, field, table, used);
    if (support === undefined) {
      problems.push(`${kind}: nothing is said about ${field.path}`);
      return "";
    }
    const tests = support.tests.map((test) => `\`${test}\``).join(", ");
    const same = field.same === undefined ? "" : `, with the fields of \`${field.same}\``;
    return `| \`${field.path}\` | ${field.type}${same} | ${support.weft} | ${support.envoy} | ${tests} |`;
  });
  for (const [path, { tests }] of Object.entries(table)) {
    if (!used.has(path)) problems.push(`${kind}: ${path} is no field, or others say all of it`);
    if (tests.length === 0) problems.push(`${kind}: no test shows ${path}`);
    for (const test of tests) {
      if (!isTest(test)) problems.push(`${kind}: ${path} is shown by ${test}, which is not there`);
    }
  }
  return rows;
}

function isTest(test: string): boolean {
  const [path = "", name] = test.split(": ", 2);
  if (!existsSync(join(repository, path))) return false;
  return name === undefined || readFileSync(join(repository, path), "utf8").includes(name);
}

/** Where the page stands. */
export const FIELD_PAGE = join(repository, "docs/fields.md");

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { text, problems } = buildFieldPage();
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  if (problems.length > 0) process.exitCode = 1;
  else writeFileSync(FIELD_PAGE, text);
}
