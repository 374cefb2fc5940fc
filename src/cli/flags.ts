import { parseArgs } from "node:util";
import { suggest } from "../base/suggest.ts";
import { CliError } from "./command.ts";

/** One flag of a command. */
export interface Flag {
  /** One letter. */
  readonly short?: string;
  /** What its value is called in usage texts; a flag without one is true or false. */
  readonly value?: string;
  /** True unless `--name=false` is said. */
  readonly isOn?: true;
  /** May be given more than once. */
  readonly multiple?: true;
  /** One line, with the default where there is one. */
  readonly help: string;
}

type Flags = Readonly<Record<string, Flag>>;

type ValueOf<F extends Flag> = F extends { readonly multiple: true }
  ? readonly string[]
  : F extends { readonly value: string }
    ? string | undefined
    : boolean;

/** What a command was called with. */
export interface Arguments<F extends Flags> {
  readonly flags: { readonly [K in keyof F]: ValueOf<F[K]> };
  readonly positionals: readonly string[];
}

/** Where the mesh is; every command that talks to it has these. */
export const CONNECTION_FLAGS = {
  home: { value: "DIR", help: "folder of the mesh (default $WEFT_HOME, or ~/.weft)" },
  kubeconfig: { value: "FILE", help: "talk to this API instead (default DIR/kubeconfig)" },
} as const satisfies Flags;

/** Which namespace a command looks at. */
export const NAMESPACE_FLAG = {
  namespace: {
    short: "n",
    value: "NS",
    help: 'namespace (default the kubeconfig\'s, or "default")',
  },
} as const satisfies Flags;

/**
 * Reads what a command was called with, in kubectl's forms: `-n x`, `-nx`, `--namespace x`,
 * `--namespace=x`, `--wait=false`. Throws a `CliError` on an unknown flag, with what was meant.
 */
export function parseFlags<const F extends Flags>(
  verb: string,
  args: readonly string[],
  flags: F,
): Arguments<F> {
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(flags).map(([name, { short, value }]) => [
        name,
        {
          type: value === undefined ? ("boolean" as const) : ("string" as const),
          ...(short === undefined ? {} : { short }),
        },
      ]),
    ),
  });
  const values: Record<string, boolean | string | string[] | undefined> = {};
  for (const [name, flag] of Object.entries(flags)) {
    if (flag.multiple === true) values[name] = [];
    else values[name] = flag.value === undefined ? flag.isOn === true : undefined;
  }
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const flag = Object.hasOwn(flags, token.name) ? flags[token.name] : undefined;
    if (flag === undefined) throw unknownFlag(verb, token.rawName, flags);
    const value = readValue(token.rawName, flag, token.value);
    const before = values[token.name];
    if (Array.isArray(before)) before.push(String(value));
    else values[token.name] = value;
  }
  return { flags: values as Arguments<F>["flags"], positionals };
}

function readValue(rawName: string, flag: Flag, given: string | undefined): boolean | string {
  if (flag.value === undefined) {
    if (given === undefined || given === "true") return true;
    if (given === "false") return false;
    throw new CliError(`${rawName} is true or false, not "${given}"`);
  }
  // `-o=json` is how some write a short flag; no value of ours begins with "=".
  const value = rawName.startsWith("--") ? given : given?.replace(/^=/, "");
  if (value === undefined) throw new CliError(`${rawName} needs a value: ${flag.value}`);
  return value;
}

function unknownFlag(verb: string, rawName: string, flags: Flags): CliError {
  const known = Object.keys(flags).map((name) => `--${name}`);
  const meant = rawName.startsWith("--") ? suggest(rawName, known) : undefined;
  const hint = meant === undefined ? "" : `, did you mean "${meant}"?`;
  return new CliError(`unknown flag "${rawName}"${hint} ("weft help ${verb}" lists them)`);
}

/** A whole number from 0; throws a `CliError` that names the flag otherwise. */
export function parseCount(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new CliError(`${name} is a number from 0, not "${text}"`);
  return Number(text);
}

/** What `weft help VERB` prints. */
export function formatUsage(usage: {
  /** Without `weft`, one per form. */
  readonly forms: readonly string[];
  readonly text: string;
  readonly flags: Flags;
  readonly examples: readonly string[];
}): string {
  const flags = Object.entries(usage.flags).map(([name, { short, value, help }]) => ({
    long: `--${name}${value === undefined ? "" : ` ${value}`}`,
    short: short === undefined ? "    " : `-${short}, `,
    help,
  }));
  const width = Math.max(24, ...flags.map(({ long }) => long.length + 2));
  const rows = flags.map(({ long, short, help }) => `  ${short}${long.padEnd(width)}${help}\n`);
  return [
    `Usage: ${usage.forms.map((form) => `weft ${form}`).join("\n       ")}\n`,
    `\n${usage.text.trim()}\n`,
    rows.length === 0 ? "" : `\nFlags:\n${rows.join("")}`,
    `\nExamples:\n${usage.examples.map((example) => `  weft ${example}\n`).join("")}`,
  ].join("");
}
