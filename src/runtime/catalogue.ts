import { parse, YAMLParseError } from "yaml";
import type { Issue, Result } from "../base/issue.ts";
import { suggest } from "../base/suggest.ts";

/** Which local program runs for images whose name matches. */
export interface CatalogueEntry {
  /** `*` stands for any characters. */
  readonly match: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The folder to run in; the pod's own when absent. */
  readonly workingDir?: string;
}

const FIELDS = ["match", "command", "args", "env", "workingDir"];

/**
 * Reads a catalogue: YAML with a list `images`. `${name}` in commands, arguments, values and folders
 * is replaced by the variable of that name.
 */
export function parseCatalogue(
  text: string,
  variables: Readonly<Record<string, string>>,
): Result<readonly CatalogueEntry[]> {
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    return { ok: false, issues: [{ path: "", message: error.message.split("\n", 1)[0] ?? "" }] };
  }
  const issues: Issue[] = [];
  const images = isRecord(document) ? document["images"] : document;
  if (images === undefined || images === null) {
    if (document === null) return { ok: true, value: [] };
    return { ok: false, issues: [{ path: "images", message: "required: a list of entries" }] };
  }
  if (!Array.isArray(images)) {
    return { ok: false, issues: [{ path: "images", message: "must be a list" }] };
  }
  const value = images.flatMap((entry: unknown, index) => {
    const parsed = parseEntry(entry, `images[${index}]`, variables, issues);
    return parsed === undefined ? [] : [parsed];
  });
  return issues.length === 0 ? { ok: true, value } : { ok: false, issues };
}

function parseEntry(
  entry: unknown,
  path: string,
  variables: Readonly<Record<string, string>>,
  issues: Issue[],
): CatalogueEntry | undefined {
  const before = issues.length;
  if (!isRecord(entry)) {
    issues.push({ path, message: "must be an object with match and command" });
    return undefined;
  }
  for (const field of Object.keys(entry)) {
    if (FIELDS.includes(field)) continue;
    const meant = suggest(field, FIELDS);
    const hint = meant === undefined ? "" : `, did you mean "${meant}"?`;
    issues.push({ path: `${path}.${field}`, message: `unknown field${hint}` });
  }
  const expand = (text: string, at: string): string =>
    text.replaceAll(/\$\{(\w+)\}/g, (whole, name: string) => {
      const replacement = variables[name];
      if (replacement === undefined) {
        issues.push({ path: at, message: `unknown variable ${whole}` });
      }
      return replacement ?? whole;
    });
  const texts = (field: string): readonly string[] => {
    const list = entry[field] ?? [];
    if (Array.isArray(list) && list.every((item) => typeof item === "string")) {
      return list.map((item, index) => expand(item, `${path}.${field}[${index}]`));
    }
    issues.push({ path: `${path}.${field}`, message: "must be a list of strings" });
    return [];
  };
  const { match, workingDir, env = {} } = entry;
  if (typeof match !== "string" || match === "") {
    issues.push({ path: `${path}.match`, message: "required: an image name, may contain *" });
  }
  const command = texts("command");
  if (command.length === 0 && issues.length === before) {
    issues.push({ path: `${path}.command`, message: "required: what to run" });
  }
  if (workingDir !== undefined && typeof workingDir !== "string") {
    issues.push({ path: `${path}.workingDir`, message: "must be a string" });
  }
  if (!isRecord(env)) issues.push({ path: `${path}.env`, message: "must be an object" });
  const args = texts("args");
  const variablesOfEntry = isRecord(env)
    ? Object.entries(env).map(([name, item]) => [name, expand(String(item), `${path}.env.${name}`)])
    : [];
  if (issues.length > before || typeof match !== "string") return undefined;
  return {
    match,
    command,
    args,
    env: Object.fromEntries(variablesOfEntry) as Record<string, string>,
    ...(typeof workingDir === "string"
      ? { workingDir: expand(workingDir, `${path}.workingDir`) }
      : {}),
  };
}

/**
 * The first entry for an image. A pattern is held against the whole name, against the name without
 * its tag and digest, and both without their leading folders: `nginx`, `library/nginx` and
 * `docker.io/library/nginx:1.27` all name the last one.
 */
export function findCatalogueEntry(
  entries: readonly CatalogueEntry[],
  image: string,
): CatalogueEntry | undefined {
  const names = imageNames(image);
  return entries.find(({ match }) => {
    const pattern = new RegExp(`^${match.split("*").map(escapeRegExp).join(".*")}$`);
    return names.some((name) => pattern.test(name));
  });
}

function imageNames(image: string): readonly string[] {
  const withoutDigest = image.replace(/@.*$/, "");
  const withoutTag = withoutDigest.replace(/:[^:/]*$/, "");
  const names = new Set<string>();
  for (const name of [image, withoutDigest, withoutTag]) {
    for (let rest = name; ; rest = rest.slice(rest.indexOf("/") + 1)) {
      names.add(rest);
      if (!rest.includes("/")) break;
    }
  }
  return [...names];
}

function escapeRegExp(text: string): string {
  return text.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
