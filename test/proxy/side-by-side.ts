import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { findProgram } from "../programs.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { caseLog, markLog, readCaseLog } from "./case-log.ts";
import { type DataPlane, freePorts, startEnvoy, startWeft } from "./data-plane.ts";
import { zstdDecompressSync } from "./filters/zstd.ts";
import { findOutcome, type Outcome } from "./outcome.ts";
import { type Script, ScriptedUpstream } from "./scripted-upstream.ts";
import { headerOf, type WireMessage } from "./wire-message.ts";

/** Bytes for a connection manager with these options, which both proxies must take alike. */
export interface OptionCase {
  readonly name: string;
  /** Merged into the connection manager's. */
  readonly options: object;
  readonly routes?: readonly object[];
  /** Merged into the route table. */
  readonly table?: object;
  /** Merged into the cluster's. */
  readonly cluster?: object;
  /** What the client writes, in Latin-1; several parts wait for one another. */
  readonly send: string | readonly string[];
  /** The status of every answer, interim ones included. */
  readonly status: readonly number[];
  readonly methods?: readonly string[];
  /** What the upstream answers, by path; 200 `hi` otherwise. */
  readonly scripts?: Readonly<Record<string, Script>>;
  /** At least so long it takes until the last answer: the time that was configured. */
  readonly waitsMs?: number;
  /** Whether the upstream may see its requests in any order. */
  readonly isUnordered?: boolean;
  /** What stands in lines of the log that may be missing, and why stands beside the case. */
  readonly ignoredLog?: string;
  /** Headers of the answer that may differ, and why stands beside the case. */
  readonly ignoredHeaders?: readonly string[];
  /** Part of the names of statistics, of its listener and its cluster, that must be alike. */
  readonly stats?: string;
  /** Those of them that may differ. */
  readonly ignoredStats?: RegExp;
  /** Bodies are looked at as they were before they were compressed. */
  readonly decodes?: true;
}

/** What a case did, without what may differ from run to run. */
export interface SideOutcome extends Outcome {
  /** Of the access log: status, flags, details, address of the client. */
  readonly logs: readonly string[];
  readonly waited: boolean;
  /** By name, after all cases with the same configuration; those that are 0 are left out. */
  readonly stats: readonly string[];
}

/** Runs all cases, one after the other, through weft or Envoy; `undefined` without Envoy. */
export async function runSide(
  which: "weft" | "envoy",
  cases: readonly OptionCase[],
): Promise<readonly SideOutcome[] | undefined> {
  const program = which === "envoy" ? findProgram("envoy") : undefined;
  if (which === "envoy" && program === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "weft-side-"));
  const log = join(folder, "access.log");
  const scripts = Object.assign(
    {},
    ...cases.map((one) => one.scripts ?? {}),
  ) as OptionCase["scripts"];
  const upstream = await ScriptedUpstream.start(scripts ?? {});
  const target = { program, log, upstreamPort: upstream.port };
  let side: Side | undefined;
  try {
    side = await startSide(cases, target);
    const { portOf, adminPort } = side;
    const outcomes: Omit<SideOutcome, "logs" | "stats">[] = [];
    // The first request finds a cold proxy.
    await markLog([...portOf.values()][0] ?? 0);
    for (const one of cases) {
      const port = portOf.get(keyOf(one)) ?? 0;
      outcomes.push(await runCase(one, port, upstream));
      await markLog(port);
    }
    const logs = await readCaseLog(log, cases.length + 1);
    const stats = await readStats(adminPort);
    const keys = [...portOf.keys()];
    return outcomes.map((outcome, index) => {
      const ignored = cases[index]?.ignoredLog;
      const lines = logs[index + 1] ?? [];
      const kept = lines.filter((line) => ignored === undefined || !line.includes(ignored));
      const one = cases[index];
      const told =
        one?.stats === undefined
          ? []
          : statsOf(stats, keys.indexOf(keyOf(one)), one.stats).filter(
              (line) => one.ignoredStats?.test(line) !== true,
            );
      return { ...outcome, logs: kept, stats: told };
    });
  } finally {
    await side?.plane.stop();
    await upstream.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Cases with the same configuration share a listener. */
function keyOf({ options, routes, table, cluster }: OptionCase): string {
  return JSON.stringify([options, routes, table, cluster]);
}

/** All counters and gauges that are not 0, but those of listeners, which have their ports in them. */
async function readStats(adminPort: number): Promise<readonly string[]> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/stats`);
  return (await answer.text())
    .split("\n")
    .filter((line) => /^(?!listener).*: [1-9]\d*$/.test(line));
}

function statsOf(lines: readonly string[], listener: number, part: string): readonly string[] {
  const names = [`.l${listener}.`, `.up${listener}.`];
  return lines
    .filter((line) => line.includes(part) && names.some((name) => line.includes(name)))
    .sort();
}

/** A running proxy, and the port of each configuration. */
interface Side {
  readonly plane: DataPlane;
  readonly adminPort: number;
  readonly portOf: ReadonlyMap<string, number>;
}

const STARTS_MAX = 3;

/** Starts it; a port that somebody else took in the meantime costs another attempt. */
async function startSide(
  cases: readonly OptionCase[],
  target: {
    readonly program: string | undefined;
    readonly log: string;
    readonly upstreamPort: number;
  },
): Promise<Side> {
  const listeners = [...new Map(cases.map((one) => [keyOf(one), one])).values()];
  for (let start = 1; ; start++) {
    const [adminPort = 0, ...ports] = await freePorts(listeners.length + 1);
    const bootstrap = createBootstrap(listeners, { ...target, adminPort, ports });
    try {
      const plane =
        target.program === undefined
          ? await startWeft(bootstrap)
          : await startEnvoy(target.program, bootstrap, adminPort);
      return {
        plane,
        adminPort,
        portOf: new Map(listeners.map((one, at) => [keyOf(one), ports[at] ?? 0])),
      };
    } catch (error) {
      if (start === STARTS_MAX) throw error;
    }
  }
}

async function runCase(
  one: OptionCase,
  port: number,
  upstream: ScriptedUpstream,
): Promise<Omit<SideOutcome, "logs" | "stats">> {
  const startMs = performance.now();
  const outcome = await findOutcome({
    port,
    upstream,
    parts: typeof one.send === "string" ? [one.send] : one.send,
    // Where none comes the end of the connection is waited for.
    answers: Math.max(1, one.status.length),
    methods: one.methods,
    ignoredHeaders: one.ignoredHeaders,
  });
  const rest = outcome.rest
    .replace(/^date: .*/m, "date: now")
    .replace(/^(x-envoy-upstream-service-time): .*/m, "$1: some")
    .split("\r\n")
    .sort()
    .join("\r\n");
  const upstreamSaw =
    one.isUnordered === true
      ? outcome.upstream.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
      : outcome.upstream;
  const read = one.decodes === true ? decodeBody : (message: WireMessage) => message;
  return {
    ...outcome,
    answers: outcome.answers.map(read),
    upstream: upstreamSaw.map(read),
    rest,
    waited: performance.now() - startMs >= (one.waitsMs ?? 0) * 0.95,
  };
}

const DECODERS: ReadonlyMap<string | undefined, (bytes: Buffer) => Buffer> = new Map([
  ["gzip", (bytes: Buffer) => gunzipSync(bytes)],
  ["br", (bytes: Buffer) => brotliDecompressSync(bytes)],
  ...(zstdDecompressSync === undefined ? [] : ([["zstd", zstdDecompressSync]] as const)),
]);

/** The message with its body as it was before it was compressed. */
function decodeBody(message: WireMessage): WireMessage {
  const decode = DECODERS.get(headerOf(message, "content-encoding"));
  if (decode === undefined) return message;
  try {
    return { ...message, body: decode(Buffer.from(message.body, "latin1")).toString("latin1") };
  } catch {
    // Not what its head says: then both must have the same.
    return message;
  }
}

/** A case calls its cluster `up`. */
function toOwnCluster<T extends object>(config: T, name: string): T {
  return JSON.parse(JSON.stringify(config).replaceAll('"up"', `"${name}"`)) as T;
}

function createBootstrap(
  cases: readonly OptionCase[],
  at: { adminPort: number; ports: readonly number[]; log: string; upstreamPort: number },
): object {
  const marked = { match: { path: "/mark" }, direct_response: { status: 200 } };
  return {
    node: { id: "node-id", cluster: "node-cluster" },
    admin: { address: socketAddress(at.adminPort) },
    static_resources: {
      listeners: cases.map(({ options, routes, table }, index) =>
        httpListener(`l${index}`, at.ports[index] ?? 0, {
          route_config: {
            ...routeTable([
              marked,
              ...toOwnCluster(routes ?? [], `up${index}`),
              { match: { prefix: "/" }, route: { cluster: `up${index}` } },
            ]),
            ...table,
          },
          access_log: caseLog(at.log),
          delayed_close_timeout: "0.02s",
          ...toOwnCluster(options, `up${index}`),
        }),
      ),
      clusters: cases.map(({ cluster }, index) =>
        staticCluster(`up${index}`, [at.upstreamPort], cluster),
      ),
    },
  };
}
