import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { homedir, hostname } from "node:os";
import { join, resolve } from "node:path";
import { parseDurationMs } from "../base/duration.ts";
import { isError } from "../base/issue.ts";
import { KEEPALIVE_DEFAULT, type Keepalive } from "../base/keepalive.ts";
import { nodeClock } from "../base/node-clock.ts";
import { nodePrng } from "../base/node-prng.ts";
import { CliError, type Command, type CommandIo, EXIT } from "../cli/command.ts";
import { formatUsage, parseFlags } from "../cli/flags.ts";
import { ControlPlane } from "../controlplane/control-plane.ts";
import { type FindingsChange, formatFinding } from "../controlplane/findings.ts";
import { KUBERNETES_KINDS, LEASE_NAMESPACE } from "../controlplane/kubernetes-kinds.ts";
import { ListenError } from "../controlplane/listen-error.ts";
import { FolderSource } from "../source/folder-source.ts";
import type { KubernetesAccess } from "../source/kubernetes-access.ts";
import { KubernetesSource } from "../source/kubernetes-source.ts";
import type { ConfigSource } from "../source/source.ts";
import { createLogger, LOG_LEVELS, type Logger, type LogLevel } from "../telemetry/log.ts";
import { MetricRegistry } from "../telemetry/metrics.ts";
import { collectGarbage } from "./collect-garbage.ts";

const GRPC_ADDR_DEFAULT = "127.0.0.1:15010";
const HTTP_ADDR_DEFAULT = "127.0.0.1:8080";
const MONITORING_ADDR_DEFAULT = "127.0.0.1:15014";

/** More often there is nothing but pings. */
const KEEPALIVE_MS_MIN = 1000;

const FLAGS = {
  "config-dir": { value: "DIR", help: "folder of YAML and JSON files, watched" },
  kubeconfig: { value: "FILE", help: "how to reach the Kubernetes API to follow instead" },
  context: { value: "NAME", help: "of the kubeconfig (default its current one)" },
  "grpc-addr": { value: "ADDR", help: `xDS, plain text (default ${GRPC_ADDR_DEFAULT})` },
  "http-addr": {
    value: "ADDR",
    help: `readiness, metrics and debug pages (default ${HTTP_ADDR_DEFAULT}, if it is free)`,
  },
  "monitoring-addr": {
    value: "ADDR",
    help: `the same pages (default ${MONITORING_ADDR_DEFAULT}; none when only --http-addr is given)`,
  },
  keepaliveInterval: {
    value: "TIME",
    help: `how often to ask whether a proxy is still there (default ${KEEPALIVE_DEFAULT.intervalMs / 1000}s)`,
  },
  keepaliveTimeout: {
    value: "TIME",
    help: `how long one may take to answer that (default ${KEEPALIVE_DEFAULT.timeoutMs / 1000}s)`,
  },
  keepaliveMaxServerConnectionAge: {
    value: "TIME",
    help: "how old a connection gets, a tenth more or less, before its proxy is told to connect anew (default: no bound)",
  },
  home: {
    value: "DIR",
    help: "where the last good objects are kept (default $WEFT_HOME, or ~/.weft)",
  },
  "log-level": { value: "LEVEL", help: `one of ${LOG_LEVELS.join(", ")} (default warn)` },
} as const;

/** `weft pilot`: the control plane alone. */
export const pilotCommand: Command = {
  summary: "run the control plane alone, on a folder of YAML or a Kubernetes API",
  usage: formatUsage({
    forms: ["pilot --config-dir DIR [FLAGS]", "pilot --kubeconfig FILE [FLAGS]"],
    text: `
Serves Envoy's discovery (ADS) from the Services, EndpointSlices, Endpoints, Pods and Istio objects
in a folder or in a Kubernetes API, and follows their changes. What is broken is said with file and
line, or with the object, and the last good version of it stays in use. In a Pod, the API of its own
cluster is followed when neither is named. Port 0 takes one that is free. Ctrl-C stops it.`,
    flags: FLAGS,
    examples: [
      "pilot --config-dir mesh",
      "pilot --config-dir mesh --grpc-addr 127.0.0.1:0",
      "pilot --kubeconfig ~/.kube/config --context staging",
    ],
  }),
  run,
};

/** What every source is made with. */
interface SourceParts {
  readonly home: string;
  readonly log: Logger;
  readonly metrics: MetricRegistry;
}

async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const { flags, positionals } = parseFlags("pilot", args, FLAGS);
  if (positionals.length > 0) throw new CliError(`unexpected argument "${positionals[0]}"`);
  const chosen = await chooseSource(flags, io.env);
  const grpcAddr = checkAddr("--grpc-addr", flags["grpc-addr"] ?? GRPC_ADDR_DEFAULT);
  const pages = pageAddresses(flags["http-addr"], flags["monitoring-addr"]);
  const level = checkLevel(flags["log-level"] ?? "warn");
  const home = flags.home ?? io.env["WEFT_HOME"] ?? join(homedir(), ".weft");
  const say = (text: string): void => io.stderr(`${text}\n`);
  const log = createLogger({ clock: nodeClock, write: say, level: () => level });
  const metrics = new MetricRegistry();
  const source = chosen({ home, log: log.scope("source"), metrics });
  const controlPlane = new ControlPlane({
    source,
    grpcAddr,
    ...pages,
    clock: nodeClock,
    prng: nodePrng,
    log,
    metrics,
    buildsAhead: true,
    keepalive: keepaliveOf(flags),
    calledHostsFile: fileOf(home, `calls of ${placeOf(flags["config-dir"], source)}`),
    onFindings: (change) => print(change, say),
  });
  if (await start(controlPlane, io.signal)) {
    // What proxies have in common is built now, and most of what will live: V8 goes on from there.
    collectGarbage();
    const { grpc } = controlPlane.ports;
    say(`serving xDS on ${withPort(grpcAddr, grpc)}`);
    say(`serving status on ${pagesServed(pages, controlPlane)}`);
    say(`following ${source.name}`);
    if (!io.signal.aborted) {
      await new Promise((done) => io.signal.addEventListener("abort", done, { once: true }));
    }
    await controlPlane.stop();
  }
  say("stopped");
  return EXIT.done;
}

/** Where the pages are: one address is enough for all of them, and nobody has to name any. */
function pageAddresses(
  http: string | undefined,
  monitoring: string | undefined,
): {
  readonly httpAddr: string;
  readonly isHttpOptional: boolean;
  readonly monitoringAddr?: string;
} {
  const isDefault = http === undefined;
  const other = monitoring ?? (isDefault ? MONITORING_ADDR_DEFAULT : undefined);
  return {
    httpAddr: checkAddr("--http-addr", http ?? HTTP_ADDR_DEFAULT),
    isHttpOptional: isDefault,
    ...(other !== undefined && { monitoringAddr: checkAddr("--monitoring-addr", other) }),
  };
}

/** `http://` of all that are bound. */
function pagesServed(pages: ReturnType<typeof pageAddresses>, { ports }: ControlPlane): string {
  const { httpAddr, monitoringAddr = "" } = pages;
  return [
    ...(ports.monitoring === 0 ? [] : [withPort(monitoringAddr, ports.monitoring)]),
    ...(ports.http === 0 ? [] : [withPort(httpAddr, ports.http)]),
  ]
    .map((addr) => `http://${addr}`)
    .join(" and ");
}

type SourceFlags = Readonly<Record<"config-dir" | "kubeconfig" | "context", string | undefined>>;

async function chooseSource(
  flags: SourceFlags,
  env: CommandIo["env"],
): Promise<(parts: SourceParts) => ConfigSource> {
  const { "config-dir": folder, kubeconfig, context } = flags;
  if (folder !== undefined && kubeconfig !== undefined) {
    throw new CliError(
      "--config-dir and --kubeconfig exclude each other: configuration comes from one place",
    );
  }
  if (context !== undefined && kubeconfig === undefined) {
    throw new CliError("--context names a context of a kubeconfig: --kubeconfig FILE is missing");
  }
  if (folder !== undefined) {
    checkFolder(folder);
    return ({ home }) =>
      new FolderSource({
        folder,
        clock: nodeClock,
        lastGoodFile: fileOf(home, resolve(folder)),
      });
  }
  const access = await loadAccess(kubeconfig, context, env);
  return ({ home, log, metrics }) =>
    new KubernetesSource({
      access,
      kinds: KUBERNETES_KINDS,
      identity: `${hostname()}_${process.pid}`,
      leaseNamespace: LEASE_NAMESPACE,
      clock: nodeClock,
      prng: nodePrng,
      log,
      metrics,
      lastGoodFile: fileOf(home, access.server.href),
    });
}

async function loadAccess(
  kubeconfig: string | undefined,
  context: string | undefined,
  env: CommandIo["env"],
): Promise<KubernetesAccess> {
  // The client's library is large: those who need no Kubernetes do not wait for it.
  const access = await import("../source/kubernetes-access.ts");
  if (kubeconfig === undefined) {
    if (access.isInCluster(env)) return access.loadInCluster(nodeClock);
    throw new CliError(
      "--config-dir or --kubeconfig is needed: a folder of YAML files, or a Kubernetes API (this is no Pod whose own API could be followed)",
    );
  }
  try {
    return access.loadKubeconfig(
      { file: kubeconfig, ...(context !== undefined && { context }) },
      nodeClock,
    );
  } catch (error) {
    throw new CliError(error instanceof Error ? error.message : String(error));
  }
}

/** Whether it serves now: it may be told to stop while its source is silent. */
async function start(controlPlane: ControlPlane, signal: AbortSignal): Promise<boolean> {
  const stop = (): void => void controlPlane.stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    await controlPlane.start();
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    if (!(error instanceof ListenError)) throw error;
    throw new CliError(`${error.message}; choose another with --${error.listener}-addr`);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function print({ appeared, resolved }: FindingsChange, say: (text: string) => void): void {
  for (const finding of appeared) {
    say(`${isError(finding.issue) ? "" : "Warning: "}${formatFinding(finding)}`);
  }
  for (const finding of resolved) say(`Resolved: ${formatFinding(finding)}`);
}

function checkFolder(folder: string): void {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found === undefined) throw new CliError(`--config-dir: there is no folder "${folder}"`);
  if (!found.isDirectory()) throw new CliError(`--config-dir: "${folder}" is no folder`);
}

function checkAddr(flag: string, addr: string): string {
  const port = /^(?:[^:\s]+|\[[\da-f:]+\]):(\d{1,5})$/i.exec(addr)?.[1];
  if (port === undefined || Number(port) > 65_535) {
    throw new CliError(`${flag}: "${addr}" is no address of the form 127.0.0.1:15010`);
  }
  return addr;
}

function keepaliveOf(flags: KeepaliveTexts): Keepalive {
  const ageMsMax = readTime("keepaliveMaxServerConnectionAge", flags);
  return {
    intervalMs: readTime("keepaliveInterval", flags) ?? KEEPALIVE_DEFAULT.intervalMs,
    timeoutMs: readTime("keepaliveTimeout", flags) ?? KEEPALIVE_DEFAULT.timeoutMs,
    ...(ageMsMax !== undefined && { ageMsMax }),
  };
}

type KeepaliveTexts = Readonly<Record<KeepaliveFlag, string | undefined>>;
type KeepaliveFlag = "keepaliveInterval" | "keepaliveTimeout" | "keepaliveMaxServerConnectionAge";

function readTime(flag: KeepaliveFlag, { [flag]: text }: KeepaliveTexts): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDurationMs(text);
  if (ms === undefined || ms < KEEPALIVE_MS_MIN) {
    throw new CliError(`--${flag} is a time from 1s such as 10s or 1m, not "${text}"`);
  }
  return ms;
}

function checkLevel(level: string): LogLevel {
  const found = LOG_LEVELS.find((one) => one === level);
  if (found === undefined) {
    throw new CliError(`--log-level is one of ${LOG_LEVELS.join(", ")}, not "${level}"`);
  }
  return found;
}

function placeOf(folder: string | undefined, { name }: ConfigSource): string {
  return folder === undefined ? name : resolve(folder);
}

/** One per place: what one held must not come up in another. */
function fileOf(home: string, place: string): string {
  const id = createHash("sha256").update(place).digest("hex").slice(0, 16);
  return join(home, "pilot", `${id}.json`);
}

function withPort(addr: string, port: number): string {
  return `${addr.slice(0, addr.lastIndexOf(":"))}:${port}`;
}
