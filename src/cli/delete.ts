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
  wait: { isOn: true, help: "wait until the objects are gone (default true)" },
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
    const { flags, positionals } = parseFlags("delete", args, FLAGS);
    const timeoutMs = 1000 * (readCount("timeout", flags.timeout) ?? WAIT_SECONDS);
    return connect(flags, io, async (client) => {
      const deletion: Deletion = {
        client,
        io,
        graceSeconds: readCount("grace-period", flags["grace-period"]),
        ignoresMissing: flags["ignore-not-found"],
      };
      const isFromFiles = flags.filename.length > 0;
      if (isFromFiles && positionals.length > 0) {
        throw new CliError("delete takes files (-f) or names, not both");
      }
      const { doomed, hasErrors } = isFromFiles
        ? await findInFiles(deletion, flags)
        : await findByWords(deletion, positionals, flags);
      const going = new Map<Doomed, string>();
      let exitCode: number = hasErrors ? EXIT.failure : EXIT.done;
      for (const one of doomed) {
        const uid = await remove(deletion, one);
        if (uid === "missing") exitCode = EXIT.failure;
        else if (uid !== undefined) going.set(one, uid);
      }
      if (flags.wait) await waitUntilGone(deletion, going, timeoutMs);
      return exitCode;
    });
  },
};

function readCount(name: string, text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseCount(`--${name}`, text);
}

interface Found {
  readonly doomed: readonly Doomed[];
  /** Whether something that was named could not be read; it has been said. */
  readonly hasErrors: boolean;
}

async function findInFiles(
  { client, io }: Deletion,
  flags: {
    readonly filename: readonly string[];
    readonly recursive: boolean;
    readonly namespace: string | undefined;
  },
): Promise<Found> {
  const { manifests, problems } = await readManifests(flags, io, {
    namespace: flags.namespace ?? client.access.namespace,
    isPinned: flags.namespace !== undefined,
  });
  const printer = new ProblemPrinter(io);
  printer.print(problems);
  const doomed = manifests.map(({ kind, object: { metadata } }) => ({
    kind,
    namespace: metadata.namespace ?? "",
    name: metadata.name,
  }));
  return { doomed, hasErrors: printer.hasErrors };
}

async function findByWords(
  { client, io }: Deletion,
  positionals: readonly string[],
  flags: {
    readonly selector: string | undefined;
    readonly all: boolean;
    readonly namespace: string | undefined;
  },
): Promise<Found> {
  const namespace = flags.namespace ?? client.access.namespace;
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
  return { doomed, hasErrors: false };
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
  going: ReadonlyMap<Doomed, string>,
  timeoutMs: number,
): Promise<void> {
  const untilMs = nodeClock.monotonicMs() + timeoutMs;
  for (const [{ kind, namespace, name }, uid] of going) {
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

async function isThere(client: ApiClient, path: string, uid: string): Promise<boolean> {
  try {
    const { body } = await client.call({ method: "GET", path });
    return uid === "" || uidOf(body) === uid;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return false;
    throw error;
  }
}
