import { decodeAs, kindOf } from "../config/decode.ts";
import { isJsonObject, type JsonObject } from "../config/json.ts";
import type { Kind } from "../config/kind.ts";
import { formatKey, type KubeObject } from "../config/object.ts";
import { type FileProblem, parseYaml, type YamlObject } from "../config/yaml.ts";
import type { CommandIo } from "./command.ts";
import { readManifestFiles } from "./manifest-files.ts";

/** An object of a file: as it was written, and as it was understood. */
export interface Manifest {
  readonly kind: Kind;
  /** As it was written, with its namespace and without defaults. */
  readonly written: JsonObject;
  readonly object: KubeObject;
  readonly source: YamlObject;
}

/** What the files of a command hold. */
export interface Manifests {
  /** In the order of the files. */
  readonly manifests: readonly Manifest[];
  /** Errors, each of which cost its object, and warnings. */
  readonly problems: readonly FileProblem[];
}

/** How objects of files are taken. */
export interface ManifestOptions {
  readonly namespace: string;
  /** Whether it was asked for by name: then an object of another one is an error. */
  readonly isPinned: boolean;
  /** Whether `status` counts: for an API it is somebody else's to write. */
  readonly keepsStatus?: boolean;
}

/** Reads and validates every object of the files that `-f` names. */
export async function readManifests(
  flags: { readonly filename: readonly string[]; readonly recursive: boolean },
  io: CommandIo,
  options: ManifestOptions,
): Promise<Manifests> {
  const manifests: Manifest[] = [];
  const problems: FileProblem[] = [];
  for (const { file, text, problem } of await readManifestFiles(flags, io)) {
    if (problem !== undefined) {
      problems.push({ file, line: 1, column: 1, issue: { path: "", message: problem } });
    }
    const parsed = parseYaml(text, file);
    const found = [...parsed.problems];
    for (const source of parsed.objects) {
      const read = readManifest(source, options);
      found.push(...read.problems);
      if (read.manifest !== undefined) manifests.push(read.manifest);
    }
    problems.push(...found.toSorted((left, right) => left.line - right.line));
  }
  return { manifests, problems };
}

function readManifest(
  source: YamlObject,
  options: ManifestOptions,
): { readonly manifest?: Manifest; readonly problems: readonly FileProblem[] } {
  const kind = kindOf(source.raw);
  if (!kind.ok) return { problems: problemsAt(source, nameOf(source.raw), kind.issues) };
  const written = completed(kind.value, source.raw as JsonObject, options);
  const result = decodeAs(kind.value, written);
  const subject = nameOf(written);
  if (!result.ok) return { problems: problemsAt(source, subject, result.issues) };
  const { namespace = "" } = result.value.metadata;
  if (options.isPinned && kind.value.isNamespaced && namespace !== options.namespace) {
    const message = `is "${namespace}", and --namespace says "${options.namespace}"`;
    const issue = { path: "metadata.namespace", message };
    return { problems: problemsAt(source, subject, [issue]) };
  }
  return {
    manifest: { kind: kind.value, written, object: result.value, source },
    problems: problemsAt(source, subject, result.warnings ?? []),
  };
}

/** How messages name an object that may be anything: `Kind/namespace/name`, as far as it says so. */
function nameOf(raw: unknown): string | undefined {
  if (!isJsonObject(raw) || !isJsonObject(raw["metadata"])) return undefined;
  const { kind } = raw;
  const { name, namespace } = raw["metadata"];
  if (typeof kind !== "string" || typeof name !== "string") return undefined;
  const room = typeof namespace === "string" ? namespace : "";
  return formatKey({ group: "", kind, namespace: room, name });
}

/** With its namespace; `status` comes along when a file was made from what the API answered. */
function completed(
  kind: Kind,
  raw: JsonObject,
  { namespace, keepsStatus }: ManifestOptions,
): JsonObject {
  const { status: _status, ...rest } = raw;
  const written = keepsStatus === true ? raw : rest;
  const { metadata } = written;
  if (!kind.isNamespaced || !isJsonObject(metadata) || (metadata["namespace"] ?? "") !== "") {
    return written;
  }
  return { ...written, metadata: { ...metadata, namespace } };
}

/** Issues of an object at their lines. */
export function problemsAt(
  source: YamlObject,
  subject: string | undefined,
  issues: readonly FileProblem["issue"][],
): readonly FileProblem[] {
  return issues.map((issue) => ({
    file: source.file,
    ...source.positionOf(issue.path),
    ...(subject === undefined ? {} : { object: subject }),
    issue,
  }));
}
