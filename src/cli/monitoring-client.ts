import { get } from "node:http";
import { nodeClock } from "../base/node-clock.ts";
import { homeOf, readServerFile } from "../local/server-file.ts";
import { CliError, type CommandIo } from "./command.ts";
import { noMesh } from "./kubeconfig.ts";

const ANSWER_TIMEOUT_MS = 10_000;
const ANSWER_CHARACTERS_MAX = 64 * 1024 * 1024;

/** Where the control plane's pages are; commands that ask it have this beside `--home`. */
export const MONITORING_FLAG = {
  "monitoring-addr": {
    value: "ADDR",
    help: "ask the control plane at this HOST:PORT (default the mesh's)",
  },
} as const;

/** The flags that say which control plane is asked. */
export interface MonitoringFlags {
  readonly home: string | undefined;
  readonly "monitoring-addr"?: string | undefined;
}

/** One connected proxy, as the control plane's `/debug/syncz` has it: istiod's fields and ours. */
export interface ProxySync {
  readonly cluster_id: string;
  /** `pod.namespace` */
  readonly proxy: string;
  readonly proxy_type: string;
  readonly istio_version: string;
  readonly node_id: string;
  readonly connected_at: string;
  /** By `cds`, `lds`, `eds`, `rds`. */
  readonly status: Readonly<Record<string, string>>;
  /** Since when each is so. */
  readonly since: Readonly<Record<string, string>>;
  /** Virtual hosts that are not the newest, because the proxy lacks a cluster that those name. */
  readonly held_routes: readonly string[];
  readonly rejections: readonly {
    readonly type: string;
    readonly version: string;
    readonly at: string;
    readonly message: string;
    readonly resources: readonly string[];
    /** `Kind/namespace/name`. */
    readonly objects: readonly string[];
  }[];
}

/** The proxies that are connected to the mesh's control plane. */
export async function readProxies(
  flags: MonitoringFlags,
  io: CommandIo,
): Promise<readonly ProxySync[]> {
  const text = await readPage(findMonitoring(flags, io), "/debug/syncz", io.signal);
  return JSON.parse(text) as readonly ProxySync[];
}

/** How far one object has come, as `/debug/status` has it. */
export interface ObjectSync {
  /** `Kind/namespace/name`. */
  readonly object: string;
  readonly state: "Distributed" | "Pending" | "Rejected" | "NotUsed" | "NoProxies";
  readonly proxies: number;
  readonly acked: number;
  readonly rejections: readonly { readonly proxy: string; readonly message: string }[];
}

/** The objects that made something for a connected proxy. */
export async function readObjects(
  flags: MonitoringFlags,
  io: CommandIo,
): Promise<readonly ObjectSync[]> {
  const text = await readPage(findMonitoring(flags, io), "/debug/status", io.signal);
  return (JSON.parse(text) as { readonly objects: readonly ObjectSync[] }).objects;
}

/** A control plane that can be asked. */
export interface Monitoring {
  readonly addr: string;
  /** What to say when nobody answers there. */
  readonly absent: () => CliError;
}

/** The control plane that the flags lead to; throws a `CliError` where there is none. */
export function findMonitoring(flags: MonitoringFlags, io: CommandIo): Monitoring {
  const asked = flags["monitoring-addr"];
  if (asked !== undefined) {
    if (!/^(?:[^:\s/]+|\[[\da-f:]+\]):\d{1,5}$/i.test(asked)) {
      throw new CliError(`--monitoring-addr: "${asked}" is no address of the form 127.0.0.1:15014`);
    }
    return {
      addr: asked,
      absent: () => new CliError(`no control plane answers at ${asked} (--monitoring-addr)`),
    };
  }
  const home = homeOf(flags.home, io.env);
  const server = readServerFile(home);
  if (server === undefined) throw noMesh(home);
  return { addr: server.monitoringAddr, absent: () => noMesh(home) };
}

/** A page that was answered with something else than 200. */
export class PageError extends CliError {
  readonly status: number;

  constructor(url: string, status: number, text: string) {
    super(`${url.slice(0, 200)} answered ${status}: ${text.trim().slice(0, 200)}`);
    this.name = "PageError";
    this.status = status;
  }
}

/** The text of a page; throws a `CliError` when nobody answers, or with what is said instead of 200. */
export async function readPage(
  { addr, absent }: Monitoring,
  path: string,
  signal: AbortSignal,
): Promise<string> {
  const text = await getText(`http://${addr}${path}`, signal);
  if (text === undefined) throw absent();
  return text;
}

/** What the control plane's `/debug/scopez` says of one workload. */
export interface SeenWorkload {
  readonly namespace: string;
  readonly name: string;
  readonly selector: Readonly<Record<string, string>>;
  readonly hosts: readonly { readonly asked: string; readonly import?: string }[];
}

/** What workloads in automatic scope were seen to call. */
export async function readSeenWorkloads(
  flags: { readonly home: string | undefined },
  io: CommandIo,
): Promise<readonly SeenWorkload[]> {
  const home = homeOf(flags.home, io.env);
  const server = readServerFile(home);
  if (server === undefined) throw noMesh(home);
  const text = await getText(`http://${server.monitoringAddr}/debug/scopez`, io.signal);
  if (text === undefined) throw noMesh(home);
  return (JSON.parse(text) as { readonly workloads: readonly SeenWorkload[] }).workloads;
}

/** What the control plane's `/debug/scopez` says of one proxy that is asked to be in automatic scope. */
export interface ScopeOfProxy {
  /** `pod.namespace` */
  readonly proxy: string;
  readonly isAutomatic: boolean;
  /** Why not, although it is asked for. */
  readonly obstacle?: string;
  /** Clusters of services that it might see and does not have. */
  readonly omittedClusters: number;
}

/** The proxies that are, or were asked to be, in automatic scope; none of a control plane that has no such thing. */
export async function readScopes(
  flags: MonitoringFlags,
  io: CommandIo,
): Promise<readonly ScopeOfProxy[]> {
  try {
    const text = await readPage(findMonitoring(flags, io), "/debug/scopez", io.signal);
    return (JSON.parse(text) as { readonly proxies: readonly ScopeOfProxy[] }).proxies;
  } catch (error) {
    if (error instanceof PageError && error.status === 404) return [];
    throw error;
  }
}

/** The page's text, or `undefined` when nobody listens there any more. */
function getText(url: string, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const request = get(url, { signal, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
        if (text.length > ANSWER_CHARACTERS_MAX) request.destroy(new Error("too long an answer"));
      });
      response.on("end", () => {
        timer.cancel();
        if (response.statusCode === 200) resolve(text);
        else reject(new PageError(url, response.statusCode ?? 0, text));
      });
    });
    const timer = nodeClock.setTimer(ANSWER_TIMEOUT_MS, () => {
      request.destroy(new Error(`no answer in ${ANSWER_TIMEOUT_MS} ms`));
    });
    request.on("error", (error: NodeJS.ErrnoException) => {
      timer.cancel();
      if (error.code === "ECONNREFUSED") resolve(undefined);
      else reject(new CliError(`cannot ask the control plane at ${url}: ${error.message}`));
    });
  });
}
