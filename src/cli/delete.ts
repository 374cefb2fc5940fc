import { nodeClock } from "../base/node-clock.ts";
import type { Kind } from "../config/kind.ts";
import type { KubeObject } from "../config/object.ts";
import { type ApiClient, ApiError } from "./api-client.ts";
import { CliError, type Command, type CommandIo, EXIT } from "./command.ts";
import { connect } from "./connect.ts";
import { CONNECTION_FLAGS, formatUsage, NAMESPACE_FLAG, parseCount, parseFlags } from "./flags.ts";
import { apiPath, kindName, parseTargets } from "./kind-names.ts";
import { readManifests } from "./manifest.ts";
import { FILE_FLAGS } from "./manifest-files.ts";
import { ProblemPrinter } from "./problem.ts";

const FLAGS = {
  ...FILE_FLAGS,
  ...NAMESPACE_FLAG,
  selector: { short: "l", value: "SELECTOR", help: "the objects with these labels" },
  all: { help: "every object of the kind in the namespace" },
  "ignore-not-found": { help: "an object that is not there is no failure" },
  wait: { help: "wait until the objects are gone (default true; --wait=false)" },
  "no-wait": { help: "the same as --wait=false" },
  timeout: { value: "SECONDS", help: "how long to wait at most (default 60)" },
  "grace-period": { value: "SECONDS", help: "how long a pod gets to stop (default its own)" },
  ...CONNECTION_FLAGS,
} as const;

const WAIT_SECONDS = 60;
const POLL_MS = 100;

/** One object to delete, and where it was named. */
interface Doomed {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
}

interface Deletion {
  readonly client: ApiClient;
  readonly io: CommandIo;
  readonly graceSeconds: number | undefined;
  readonly ignoresMissing: boolean;
}

/** `weft delete` */
export const deleteCommand: Command = {
  summary: "delete objects",
  usage: formatUsage({
    forms: [
      "delete KIND NAME... [FLAGS]",
      "delete KIND/NAME... [FLAGS]",
      "delete KIND (-l SELECTOR | --all) [FLAGS]",
      "delete -f FILE [FLAGS]",
    ],
    text: "Deletes objects by name, by label, or all that stand in files, and waits until they are gone.",
    flags: FLAGS,
    examples: [
      "delete vs reviews",
      "delete pods -l app=reviews",
      "delete -f samples/bookinfo/bookinfo.yaml",
    ],
  }),
  async run(args, io) {
    // A flag that is true unless it is said to be false.
    const waits = !args.includes("--wait=false") && !args.includes("--no-wait");
    const { flags, positionals } = parseFlags("delete", args, FLAGS);
    const timeoutMs =
      1000 * (flags.timeout === undefined ? WAIT_SECONDS : parseCount("--timeout", flags.timeout));
    return connect(flags, io, async (client) => {
      const deletion: Deletion = {
        client,
        io,
        graceSeconds:
          flags["grace-period"] === undefined
            ? undefined
            : parseCount("--grace-period", flags["grace-period"]),
        ignoresMissing: flags["ignore-not-found"],
      };
      const namespace = flags.namespace ?? client.access.namespace;
      let exitCode: number = EXIT.done;
      let doomed: readonly Doomed[];
      if (flags.filename.length > 0) {
        if (positionals.length > 0)
          throw new CliError("delete takes files (-f) or names, not both");
        const manifests = await readManifests(flags, io, {
          namespace,
          isPinned: flags.namespace !== undefined,
        });
        const printer = new ProblemPrinter(io);
        printer.print(manifests.problems);
        if (printer.hasErrors) exitCode = EXIT.failure;
        doomed = manifests.manifests.map(({ kind, object }) => ({
          kind,
          namespace: object.metadata.namespace ?? "",
          name: object.metadata.name,
        }));
      } else {
        doomed = await find(deletion, positionals, namespace, flags);
      }
      const marked = new Map<Doomed, string | undefined>();
      for (const one of doomed) {
        const uid = await remove(deletion, one);
        if (uid === "missing") exitCode = EXIT.failure;
        else if (uid !== undefined) marked.set(one, uid);
      }
      if (waits) await waitUntilGone(deletion, marked, timeoutMs);
      return exitCode;
    });
  },
};

async function find(
  { client, io }: Deletion,
  positionals: readonly string[],
  namespace: string,
  flags: { readonly selector: string | undefined; readonly all: boolean },
): Promise<readonly Doomed[]> {
  const doomed: Doomed[] = [];
  for (const { kind, name } of parseTargets(positionals)) {
    const room = kind.isNamespaced ? namespace : "";
    if (name !== undefined) {
      doomed.push({ kind, namespace: room, name });
      continue;
    }
    if (flags.selector === undefined && !flags.all) {
      throw new CliError(`delete which ${kind.plural}? give names, -l SELECTOR or --all`);
    }
    const { body } = await client.call({
      method: "GET",
      path: apiPath(kind, namespace),
      ...(flags.selector === undefined ? {} : { query: { labelSelector: flags.selector } }),
    });
    for (const { metadata } of (body as { readonly items: readonly KubeObject[] }).items) {
      doomed.push({ kind, namespace: room, name: metadata.name });
    }
  }
  if (doomed.length === 0) io.stderr("No resources found.\n");
  return doomed;
}

/** The uid of what is going; undefined or "missing" when there was nothing. */
async function remove(
  { client, io, graceSeconds, ignoresMissing }: Deletion,
  { kind, namespace, name }: Doomed,
): Promise<string | undefined> {
  try {
    const { body } = await client.call({
      method: "DELETE",
      path: apiPath(kind, namespace, name),
      body: {
        apiVersion: "v1",
        kind: "DeleteOptions",
        propagationPolicy: "Background",
        ...(graceSeconds === undefined ? {} : { gracePeriodSeconds: graceSeconds }),
      },
    });
    io.stdout(`${kindName(kind)} "${name}" deleted\n`);
    return uidOf(body) ?? "";
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 404 && ignoresMissing) return undefined;
    io.stderr(`weft: ${error.message}\n`);
    return "missing";
  }
}

/** The uid in a `Status` about an object, or of the object itself. */
function uidOf(body: unknown): string | undefined {
  const { metadata, details } = body as {
    readonly metadata?: { readonly uid?: string };
    readonly details?: { readonly uid?: string };
  };
  return details?.uid ?? metadata?.uid;
}

/** Returns when every object is gone, or another one of that name has come. */
async function waitUntilGone(
  { client, io }: Deletion,
  marked: ReadonlyMap<Doomed, string | undefined>,
  timeoutMs: number,
): Promise<void> {
  const untilMs = nodeClock.monotonicMs() + timeoutMs;
  for (const [{ kind, namespace, name }, uid] of marked) {
    while (await isThere(client, apiPath(kind, namespace, name), uid)) {
      if (nodeClock.monotonicMs() >= untilMs) {
        throw new CliError(
          `${kindName(kind)} "${name}" is still stopping after ${timeoutMs / 1000} s`,
          EXIT.timeout,
        );
      }
      await nodeClock.sleep(POLL_MS, io.signal);
    }
  }
}

async function isThere(client: ApiClient, path: string, uid: string | undefined): Promise<boolean> {
  try {
    const { body } = await client.call({ method: "GET", path });
    return uid === "" || uidOf(body) === uid;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return false;
    throw error;
  }
}
