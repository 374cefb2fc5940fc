import { parseDurationMs } from "../base/duration.ts";
import { nodeClock } from "../base/node-clock.ts";
import { suggest } from "../base/suggest.ts";
import type { KubeObject } from "../config/object.ts";
import { MESH_KINDS } from "../model/mesh.ts";
import type { ApiClient } from "./api-client.ts";
import { CliError, type Command, type CommandIo } from "./command.ts";
import { connect } from "./connect.ts";
import { CONNECTION_FLAGS, formatUsage, NAMESPACE_FLAG, parseCount, parseFlags } from "./flags.ts";
import { FILE_FLAGS } from "./manifest-files.ts";
import {
  findMonitoring,
  MONITORING_FLAG,
  type Monitoring,
  type MonitoringFlags,
  readPage,
} from "./monitoring-client.ts";
import { conditionTest, jsonPathTest, lookAtObjects, type ObjectTest } from "./wait-condition.ts";
import { lookAtDistribution, NOT_READ, type WaitVersion } from "./wait-distribution.ts";
import { getObject, missingObject, readWaitObjects, type WaitObject } from "./wait-objects.ts";
import { pollUntilDone, type WaitLook } from "./wait-poll.ts";

/** How long at most, when nobody says. */
export const WAIT_TIMEOUT_DEFAULT = "30s";

/** How long a control plane may take to read a folder, until what it lacks is not there. */
const READ_MS_MAX = 3000;

const FLAGS = {
  for: {
    value: "WHAT",
    help: "distribution (default), delete, condition=TYPE[=STATUS], jsonpath={.PATH}[=VALUE]",
  },
  timeout: {
    value: "TIME",
    help: `how long at most, 0 looks once (default ${WAIT_TIMEOUT_DEFAULT})`,
  },
  proxy: { value: "POD[.NS]", help: "only this proxy has to have it (default all)" },
  generation: { value: "N", help: "the version to wait for (default the present one)" },
  ...FILE_FLAGS,
  ...NAMESPACE_FLAG,
  ...MONITORING_FLAG,
  ...CONNECTION_FLAGS,
} as const;

type WaitFlags = ReturnType<typeof parseFlags<typeof FLAGS>>["flags"];

/** `weft wait` */
export const waitCommand: Command = {
  summary: "wait until proxies have objects, or objects are as they are to be",
  usage: formatUsage({
    forms: ["wait KIND/NAME... [FLAGS]", "wait KIND NAME... [FLAGS]", "wait -f FILE [FLAGS]"],
    text: `
With --for=distribution it ends when every proxy that needs the objects has acknowledged them as they
are now, with --for=delete when no proxy has anything left of them. A proxy that refuses an object
ends it at once, with the proxy's words. Conditions and JSONPath are tested as kubectl does.

Exit code: 0 when it is so; 1 when a proxy refused; 124 when the time is over, with who is behind and
why; 2 when it was called wrongly or there is no such object.`,
    flags: FLAGS,
    examples: [
      "wait vs/reviews",
      "wait --for=distribution -f routes.yaml --proxy productpage-v1-7d8c --timeout 1m",
      "wait --for=delete dr/reviews",
      "wait --for=condition=Distributed vs/reviews",
      "wait vs/reviews --monitoring-addr 127.0.0.1:15014",
    ],
  }),
  async run(args, io) {
    const { flags, positionals } = parseFlags("wait", args, FLAGS);
    const timeoutMs = readWaitTimeout(flags.timeout);
    const what = flags.for ?? "distribution";
    const test = readTest(what);
    if (test !== undefined) return waitForTest(flags, positionals, io, { test, timeoutMs });
    if (what !== "distribution" && what !== "delete") {
      throw new CliError(
        `--for is distribution, delete, condition=TYPE or jsonpath={.PATH}, not "${what}"`,
      );
    }
    return waitForProxies(flags, positionals, io, { isForDelete: what === "delete", timeoutMs });
  },
};

function readTest(what: string): ObjectTest | undefined {
  if (what.startsWith("condition=")) return conditionTest(what.slice("condition=".length));
  if (what.startsWith("jsonpath=")) return jsonPathTest(what.slice("jsonpath=".length));
  return undefined;
}

/** A `--timeout` in milliseconds; throws a `CliError` when it is no time. */
export function readWaitTimeout(text = WAIT_TIMEOUT_DEFAULT): number {
  const timeoutMs = parseDurationMs(/^\d+$/.test(text) ? `${text}s` : text);
  if (timeoutMs === undefined || timeoutMs < 0) {
    throw new CliError(`--timeout is a time such as 30s or 2m, not "${text}"`);
  }
  return timeoutMs;
}

function waitForTest(
  flags: WaitFlags,
  words: readonly string[],
  io: CommandIo,
  { test, timeoutMs }: { readonly test: ObjectTest; readonly timeoutMs: number },
): Promise<number> {
  for (const name of ["proxy", "generation", "monitoring-addr"] as const) {
    if (flags[name] === undefined) continue;
    throw new CliError(`--${name} goes with --for=distribution and --for=delete alone`);
  }
  return connect(flags, io, async (client) => {
    const objects = await readWaitObjects(words, flags, io, namespaceOf(flags, client));
    let isFirst = true;
    const look = async (
      waiting: readonly WaitObject[],
    ): Promise<ReadonlyMap<WaitObject, WaitLook>> => {
      const found = await lookAtObjects(waiting, client, test, isFirst);
      isFirst = false;
      return found;
    };
    return pollUntilDone(objects, look, { clock: nodeClock, io, timeoutMs });
  });
}

async function waitForProxies(
  flags: WaitFlags,
  words: readonly string[],
  io: CommandIo,
  { isForDelete, timeoutMs }: { readonly isForDelete: boolean; readonly timeoutMs: number },
): Promise<number> {
  const monitoring = findWaitMonitoring(flags, io);
  const wait = (
    objects: readonly WaitVersion[],
    namespace: string,
    refine: (one: WaitVersion, found: WaitLook) => Promise<WaitLook>,
  ): Promise<number> => {
    const question = { monitoring, proxy: readProxy(flags.proxy, namespace), io };
    const look = async (
      waiting: readonly WaitVersion[],
    ): Promise<ReadonlyMap<WaitVersion, WaitLook>> => {
      const found = new Map(await lookAtDistribution(waiting, question, isForDelete));
      for (const [one, seen] of found) found.set(one, await refine(one, seen));
      return found;
    };
    return pollUntilDone(objects, look, { clock: nodeClock, io, timeoutMs });
  };
  // A control plane on a folder has no API beside it: what it has read is what there is.
  if (flags["monitoring-addr"] !== undefined && flags.kubeconfig === undefined) {
    const namespace = { name: flags.namespace ?? "default", isPinned: isPinned(flags) };
    const objects = await readWaitObjects(words, flags, io, namespace);
    checkKinds(objects);
    const isNamed = flags.filename.length === 0;
    const untilMs = nodeClock.monotonicMs() + READ_MS_MAX;
    return wait(withGeneration(objects, flags), namespace.name, async (one, found) => {
      const isUnread = found.state === "waiting" && found.text === NOT_READ;
      if (!isUnread || !isNamed || nodeClock.monotonicMs() < untilMs) return found;
      return { state: "missing", text: await unknownObject(monitoring, one, io.signal) };
    });
  }
  return connect(flags, io, async (client) => {
    const namespace = namespaceOf(flags, client);
    const objects = await readWaitObjects(words, flags, io, namespace);
    checkKinds(objects);
    if (!isForDelete) {
      const versions = await presentVersions(client, objects, flags);
      return wait(versions, namespace.name, async (_, found) => found);
    }
    return wait(objects, namespace.name, async (one, found) => {
      const isThere = (await getObject(client, one)) !== undefined;
      return isThere ? { state: "waiting", text: "it is still there" } : found;
    });
  });
}

/**
 * Waits until every proxy that needs them has acknowledged objects as the API has them now; the exit
 * code. What goes to no proxy is left out.
 */
export async function waitUntilDistributed(
  objects: readonly WaitObject[],
  client: ApiClient,
  {
    monitoring,
    io,
    timeoutMs,
  }: { readonly monitoring: Monitoring; readonly io: CommandIo; readonly timeoutMs: number },
): Promise<number> {
  const versions = await presentVersions(client, objects.filter(isOfMesh), {
    generation: undefined,
  });
  const question = { monitoring, proxy: undefined, io };
  return pollUntilDone(versions, (waiting) => lookAtDistribution(waiting, question, false), {
    clock: nodeClock,
    io,
    timeoutMs,
  });
}

/** Whom to ask what proxies have; throws a `CliError` where only the API is known. */
export function findWaitMonitoring(
  flags: MonitoringFlags & { readonly kubeconfig: string | undefined },
  io: CommandIo,
): Monitoring {
  if (flags.kubeconfig !== undefined && flags["monitoring-addr"] === undefined) {
    throw new CliError(
      "with --kubeconfig say --monitoring-addr too, the control plane's; or wait for what it writes: weft wait --for=condition=Distributed",
    );
  }
  return findMonitoring(flags, io);
}

/** What to say of an object that a control plane on a folder does not have. */
async function unknownObject(
  monitoring: Monitoring,
  { kind, key, label }: WaitObject,
  signal: AbortSignal,
): Promise<string> {
  const objects = JSON.parse(
    await readPage(monitoring, "/debug/configz", signal),
  ) as readonly KubeObject[];
  const names = objects
    .filter((one) => one.kind === kind.kind && (one.metadata.namespace ?? "") === key.namespace)
    .map(({ metadata }) => metadata.name);
  const meant = suggest(key.name, names);
  const hint = meant === undefined ? "" : `, did you mean "${meant}"?`;
  const where = key.namespace === "" ? "" : ` in namespace ${key.namespace}`;
  return `the control plane has no ${label}${where}${hint}`;
}

/** The objects at the versions that stand now; throws where one is not there. */
async function presentVersions(
  client: ApiClient,
  objects: readonly WaitObject[],
  flags: Pick<WaitFlags, "generation">,
): Promise<readonly WaitVersion[]> {
  const asked = withGeneration(objects, flags);
  const versions: WaitVersion[] = [];
  for (const one of asked) {
    const object = await getObject(client, one);
    if (object === undefined) throw await missingObject(client, one);
    const generation = one.generation ?? object.metadata.generation;
    versions.push(generation === undefined ? one : { ...one, generation });
  }
  return versions;
}

function withGeneration(
  objects: readonly WaitObject[],
  { generation }: Pick<WaitFlags, "generation">,
): readonly WaitVersion[] {
  if (generation === undefined) return objects;
  if (objects.length > 1) throw new CliError("--generation is for one object at a time");
  const count = parseCount("--generation", generation);
  return objects.map((one) => ({ ...one, generation: count }));
}

function checkKinds(objects: readonly WaitObject[]): void {
  for (const one of objects) {
    if (isOfMesh(one)) continue;
    const { kind, label } = one;
    throw new CliError(
      `${label}: a ${kind.kind} goes to no proxy; wait for what it says: --for=condition=TYPE`,
    );
  }
}

function isOfMesh({ kind }: WaitObject): boolean {
  return MESH_KINDS.some((one) => one.group === kind.group && one.kind === kind.kind);
}

function readProxy(proxy: string | undefined, namespace: string): string | undefined {
  if (proxy === undefined) return undefined;
  if (proxy === "") throw new CliError("--proxy is POD or POD.NAMESPACE");
  return proxy.includes(".") ? proxy : `${proxy}.${namespace}`;
}

function namespaceOf(
  flags: WaitFlags,
  client: ApiClient,
): { readonly name: string; readonly isPinned: boolean } {
  return { name: flags.namespace ?? client.access.namespace, isPinned: isPinned(flags) };
}

function isPinned({ namespace }: WaitFlags): boolean {
  return namespace !== undefined;
}
