import type { Issue } from "../base/issue.ts";
import { isJsonObject, isSameJson, type JsonObject } from "../config/json.ts";
import { matchLabelSelector } from "../config/label-selector.ts";
import { parseLabelSelector } from "../config/label-selector-text.ts";
import { formatKey, type KubeObject, keyOf } from "../config/object.ts";
import { type ApiAnswer, type ApiClient, ApiError } from "./api-client.ts";
import { CliError, type Command, type CommandIo, EXIT } from "./command.ts";
import { connect } from "./connect.ts";
import { CONNECTION_FLAGS, formatUsage, NAMESPACE_FLAG, parseFlags } from "./flags.ts";
import { apiPath, objectName } from "./kind-names.ts";
import { type Manifest, problemsAt, readManifests } from "./manifest.ts";
import { FILE_FLAGS } from "./manifest-files.ts";
import { MONITORING_FLAG, type Monitoring } from "./monitoring-client.ts";
import { ProblemPrinter } from "./problem.ts";
import { sortNames } from "./sort-names.ts";
import { mergeApplied } from "./three-way-merge.ts";
import {
  findWaitMonitoring,
  readWaitTimeout,
  WAIT_TIMEOUT_DEFAULT,
  waitUntilDistributed,
} from "./wait.ts";
import { waitObject } from "./wait-objects.ts";

const FLAGS = {
  ...FILE_FLAGS,
  ...NAMESPACE_FLAG,
  selector: { short: "l", value: "SELECTOR", help: "only objects with these labels" },
  "dry-run": { value: "MODE", help: "client: ask nobody to change; server: let the API check all" },
  wait: { help: "end when all proxies that need them have the objects, as weft wait does" },
  timeout: {
    value: "TIME",
    help: `how long --wait may take at most (default ${WAIT_TIMEOUT_DEFAULT})`,
  },
  ...MONITORING_FLAG,
  ...CONNECTION_FLAGS,
} as const;

// kubectl's own, so that both may be used on the same object in turn.
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** How often an object may change between being read and being written. */
const CONFLICTS_MAX = 5;

type DryRun = "none" | "client" | "server";

/** What became of an object. */
interface Applied {
  readonly verb: "created" | "configured" | "unchanged";
  readonly warnings: readonly string[];
}

/** `weft apply` */
export const applyCommand: Command = {
  summary: "create objects from files, or change them to what the files say",
  usage: formatUsage({
    forms: ["apply -f FILE [-f FILE...] [FLAGS]"],
    text: `
Creates the objects of YAML or JSON files, or changes them to what the files say. What is wrong with
an object is said with its line; the other objects are applied all the same, and the exit code is 2.
With --wait it ends as weft wait --for=distribution does, with its exit codes.`,
    flags: FLAGS,
    examples: [
      "apply -f samples/bookinfo/bookinfo.yaml",
      "apply -f samples/bookinfo/networking -l app=reviews",
      "apply -f - < reviews.yaml",
      "apply -f routes.yaml --wait --timeout 1m",
    ],
  }),
  async run(args, io) {
    const { flags, positionals } = parseFlags("apply", args, FLAGS);
    if (positionals.length > 0) {
      throw new CliError(`apply takes files by flag: weft apply -f ${positionals.join(" -f ")}`);
    }
    const isSelected = parseSelector(flags.selector);
    const dryRun = parseDryRun(flags["dry-run"]);
    const wait = readWait(flags, dryRun, io);
    return connect(flags, io, async (client) => {
      const namespace = flags.namespace ?? client.access.namespace;
      const isPinned = flags.namespace !== undefined;
      const printer = new ProblemPrinter(io);
      const { manifests, problems } = await readManifests(flags, io, { namespace, isPinned });
      printer.print(problems);
      const selected = manifests.filter(isSelected);
      if (selected.length === 0 && !printer.hasErrors)
        throw new CliError(`no objects to apply in ${flags.filename.join(", ")}`);
      for (const manifest of selected) {
        const subject = formatKey(keyOf(manifest.object));
        try {
          const { verb, warnings } = await apply(client, manifest, dryRun);
          const issues = warnings.map((text) => parseWarning(text, subject));
          printer.print(problemsAt(manifest.source, subject, issues));
          const name = objectName(manifest.kind, manifest.object.metadata.name);
          io.stdout(`${name} ${verb}${DRY_RUN_TEXT[dryRun]}\n`);
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          printer.print(problemsAt(manifest.source, subject, issuesOf(error)));
        }
      }
      if (printer.hasErrors) return EXIT.failure;
      if (wait === undefined) return EXIT.done;
      const objects = selected.map(({ kind, object: { metadata } }) =>
        waitObject(kind, metadata.namespace ?? "", metadata.name),
      );
      return waitUntilDistributed(objects, client, { ...wait, io });
    });
  },
};

type ApplyFlags = ReturnType<typeof parseFlags<typeof FLAGS>>["flags"];

/** Whom `--wait` asks, and for how long; before anything is applied. */
function readWait(
  flags: ApplyFlags,
  dryRun: DryRun,
  io: CommandIo,
): { readonly monitoring: Monitoring; readonly timeoutMs: number } | undefined {
  if (!flags.wait) {
    for (const name of ["timeout", "monitoring-addr"] as const) {
      if (flags[name] !== undefined) throw new CliError(`--${name} goes with --wait alone`);
    }
    return undefined;
  }
  if (dryRun !== "none") throw new CliError("--wait waits for nothing with --dry-run");
  return { monitoring: findWaitMonitoring(flags, io), timeoutMs: readWaitTimeout(flags.timeout) };
}

const DRY_RUN_TEXT: Readonly<Record<DryRun, string>> = {
  none: "",
  client: " (dry run)",
  server: " (server dry run)",
};

function parseDryRun(text: string | undefined): DryRun {
  if (text === undefined || text === "none" || text === "client" || text === "server") {
    return text ?? "none";
  }
  throw new CliError(`--dry-run is none, client or server, not "${text}"`);
}

function parseSelector(text: string | undefined): (manifest: Manifest) => boolean {
  if (text === undefined) return () => true;
  const selector = parseLabelSelector(text);
  if (!selector.ok) throw new CliError(`-l ${text}: ${selector.issues[0]?.message ?? ""}`);
  return ({ object }) => matchLabelSelector(selector.value, object.metadata.labels);
}

async function apply(client: ApiClient, manifest: Manifest, dryRun: DryRun): Promise<Applied> {
  const { kind, written, object } = manifest;
  const { namespace, name } = object.metadata;
  const { apiVersion } = object;
  const path = apiPath(kind, namespace, name, apiVersion);
  const wanted = withLastApplied(written);
  const query = {
    fieldValidation: "Strict",
    ...(dryRun === "server" ? { dryRun: "All" } : {}),
  };
  for (let conflicts = 0; ; conflicts++) {
    try {
      const live = await read(client, path);
      if (live === undefined) {
        if (dryRun === "client") return { verb: "created", warnings: [] };
        const collection = apiPath(kind, namespace, undefined, apiVersion);
        const answer = await client.call({ method: "POST", path: collection, query, body: wanted });
        return { verb: "created", warnings: answer.warnings };
      }
      const merged = mergeApplied(kind.schema, { applied: lastApplied(live), wanted, live });
      if (isSameJson(merged, live)) return { verb: "unchanged", warnings: [] };
      if (dryRun === "client") return { verb: "configured", warnings: [] };
      const answer = await client.call({ method: "PUT", path, query, body: merged });
      return {
        verb: isSameObject(answer, live) ? "unchanged" : "configured",
        warnings: answer.warnings,
      };
    } catch (error) {
      // Somebody else wrote it, or made it, in between: what we do is decided anew.
      const isConflict = error instanceof ApiError && error.status === 409;
      if (!isConflict || conflicts >= CONFLICTS_MAX) throw error;
    }
  }
}

async function read(client: ApiClient, path: string): Promise<JsonObject | undefined> {
  try {
    return (await client.call({ method: "GET", path })).body as JsonObject;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** Whether a write left the object as it was: a server that changes nothing keeps the version. */
function isSameObject({ body }: ApiAnswer, live: JsonObject): boolean {
  const version = (object: unknown): string | undefined =>
    (object as Partial<KubeObject>).metadata?.resourceVersion;
  return version(body) === version(live);
}

function withLastApplied(written: JsonObject): JsonObject {
  const metadata = written["metadata"] as JsonObject;
  const annotations = isJsonObject(metadata["annotations"]) ? metadata["annotations"] : {};
  const { [LAST_APPLIED]: _before, ...own } = annotations;
  const bare = { ...written, metadata: { ...metadata, annotations: own } };
  return {
    ...bare,
    metadata: { ...bare.metadata, annotations: { ...own, [LAST_APPLIED]: encodeAsGo(bare) } },
  };
}

/** To the byte what kubectl notes, or the other's `apply` would find a change where there is none. */
function encodeAsGo(object: JsonObject): string {
  const text = JSON.stringify(sortNames(object)).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `${text}\n`;
}

function lastApplied(live: JsonObject): unknown {
  const text = (live as Partial<KubeObject>).metadata?.annotations?.[LAST_APPLIED];
  if (text === undefined) return undefined;
  try {
    const applied: unknown = JSON.parse(text);
    return applied;
  } catch {
    // Somebody edited it: then nothing is known to be ours, and nothing is removed.
    return undefined;
  }
}

/** What the API refused, field by field where it says so. */
function issuesOf(error: ApiError): readonly Issue[] {
  if (error.causes.length === 0) return [{ path: "", message: error.message }];
  return error.causes.map(({ field, message }) => ({ path: field, message }));
}

/** The API's `Kind/namespace/name: path: message`, of which the first two may be missing. */
function parseWarning(text: string, subject: string): Issue {
  const bare = text.startsWith(`${subject}: `) ? text.slice(subject.length + 2) : text;
  const match = /^((?:apiVersion|kind|metadata|spec|data)[\w.[\]/-]*): (.*)$/s.exec(bare);
  const [, path = "", message = bare] = match ?? [];
  return { path, message, severity: "warning" };
}
