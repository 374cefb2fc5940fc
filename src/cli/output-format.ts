import { stringify } from "yaml";
import { suggest } from "../base/suggest.ts";
import { CliError } from "./command.ts";
import { compileJsonPath } from "./jsonpath.ts";
import { sortNames } from "./sort-names.ts";

/** What `-o` asks for. A printer makes all of the text, its last line end included. */
export type OutputFormat =
  | { readonly type: "table"; readonly isWide: boolean }
  | { readonly type: "name" }
  | { readonly type: "value"; readonly print: (value: unknown) => string };

const NAMES = ["wide", "json", "yaml", "name", "jsonpath="] as const;

/** Reads the value of `-o`; throws a `CliError` that lists what there is. */
export function parseOutputFormat(text: string | undefined): OutputFormat {
  if (text === undefined) return { type: "table", isWide: false };
  if (text === "wide") return { type: "table", isWide: true };
  if (text === "name") return { type: "name" };
  if (text === "json") return { type: "value", print: formatJson };
  if (text === "yaml") return { type: "value", print: formatYaml };
  if (text.startsWith("jsonpath=")) {
    const compiled = compileJsonPath(text.slice("jsonpath=".length));
    if (!compiled.ok) throw new CliError(compiled.issues[0]?.message ?? "bad jsonpath");
    return { type: "value", print: compiled.value };
  }
  const meant = suggest(text, NAMES);
  const hint = meant === undefined ? "" : `, did you mean "${meant}"?`;
  throw new CliError(`-o is wide, json, yaml, name or jsonpath=TEMPLATE, not "${text}"${hint}`);
}

/** JSON as kubectl writes it: names sorted, four spaces. */
export function formatJson(value: unknown): string {
  return `${JSON.stringify(sortNames(value), undefined, 4)}\n`;
}

/** YAML as kubectl writes it: names sorted, lists not indented, no line folded. */
export function formatYaml(value: unknown): string {
  // The older schema has more words that need quotes to stay text: times, `yes`, `on`.
  const form = { indentSeq: false, lineWidth: 0, schema: "yaml-1.1" } as const;
  return stringify(sortNames(value), { ...form, aliasDuplicateObjects: false });
}
