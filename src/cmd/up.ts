import { existsSync } from "node:fs";
import { get } from "node:http";
import { join, resolve } from "node:path";
import { isError } from "../base/issue.ts";
import { nodeClock } from "../base/node-clock.ts";
import { nodePrng } from "../base/node-prng.ts";
import { CliError, type Command, type CommandIo, EXIT } from "../cli/command.ts";
import { CONNECTION_FLAGS, formatUsage, parseCount, parseFlags } from "../cli/flags.ts";
import { shellQuote } from "../cli/shell-quote.ts";
import { type FindingsChange, formatFinding } from "../controlplane/findings.ts";
import { createHome } from "../local/create-home.ts";
import { LogFile } from "../local/log-file.ts";
import {
  describeOptions,
  killMesh,
  Mesh,
  type MeshOptions,
  type MeshPorts,
  MeshRunningError,
  PORT_FLAGS,
} from "../local/mesh.ts";
import { MeshError } from "../local/mesh-error.ts";
import { homeOf, readServerFile, type ServerFile } from "../local/server-file.ts";
import { createLogger } from "../telemetry/log.ts";

const PORTS_DEFAULT: MeshPorts = { http: 8080, api: 6443, xds: 15_010, monitoring: 15_014 };
const READY_TIMEOUT_MS = 60_000;
const PAGE_TIMEOUT_MS = 15_000;
const PAGE_POLL_MS = 50;
const PORT_MAX = 65_535;
/** npm passes on a Ctrl-C that the terminal has sent to the server as well. */
const RELAYED_SIGNAL_MS = 500;

const FLAGS = {
  demo: { help: "put the Bookinfo sample in, at the first start" },
  home: CONNECTION_FLAGS.home,
  proxy: { value: "NAME", help: "weft (default) or envoy: what runs as every sidecar" },
  "http-port": { value: "PORT", help: "the ingress gateway on 127.0.0.1 (default 8080)" },
  "api-port": { value: "PORT", help: "the API (default 6443)" },
  "xds-port": { value: "PORT", help: "discovery (default 15010)" },
  "monitoring-port": { value: "PORT", help: "metrics and debug pages (default 15014)" },
  "pod-cidr": { value: "CIDR", help: "network of the pods (default a free 127.64-127.0.0/16)" },
  catalogue: { value: "FILE", help: "more images, and what they run (see samples/catalogue.yaml)" },
} as const;

/** `weft up` */
export const upCommand: Command = {
  summary: "bring the mesh up on this machine",
  usage: formatUsage({
    forms: ["up [FLAGS]"],
    text: `
Starts the API, the control plane, and every pod with its sidecar, as processes of this machine.
Stays in the foreground: Ctrl-C stops everything, and the objects are there again at the next start.
Port 0 takes one that is free.`,
    flags: FLAGS,
    examples: ["up --demo", "up --demo --proxy envoy --http-port 8081"],
  }),
  run,
};

async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const startMs = nodeClock.monotonicMs();
  // While pods come up, much is missing that is about to be there.
  let isSettled = false;
  const options = readOptions(args, io, (change) => {
    if (isSettled) printFindings(change, io);
  });
  const mesh = new Mesh(options);
  const say = (text: string): void => io.stderr(`${text}\n`);
  let file: ServerFile;
  try {
    file = await mesh.up();
  } catch (error) {
    if (error instanceof MeshRunningError) return alreadyRunning(error, options, say);
    if (error instanceof MeshError) throw new CliError(error.message);
    throw error;
  }
  const stopForcing = forceOnSecondSignal(options.home, io, say);
  try {
    await becomeReady(mesh, options, io, say);
    isSettled = true;
    const appeared = mesh.controlPlaneStatus?.findings ?? [];
    printFindings({ appeared, resolved: [] }, io);
    if (!io.signal.aborted) {
      const seconds = ((nodeClock.monotonicMs() - startMs) / 1000).toFixed(1);
      say(nextSteps(file, hasProductPage(mesh), seconds));
      await new Promise<void>((done) => {
        if (io.signal.aborted) done();
        io.signal.addEventListener("abort", () => done(), { once: true });
      });
    }
    say("stopping: pods first, apps before their sidecars");
    await mesh.down();
    say("stopped");
    return EXIT.done;
  } finally {
    stopForcing();
  }
}

function readOptions(
  args: readonly string[],
  io: CommandIo,
  onFindings: (change: FindingsChange) => void,
): MeshOptions {
  const { flags, positionals } = parseFlags("up", args, FLAGS);
  if (positionals.length > 0) throw new CliError(`unexpected argument "${positionals[0]}"`);
  const { proxy = "weft" } = flags;
  if (proxy !== "weft" && proxy !== "envoy") {
    throw new CliError(`--proxy is weft or envoy, not "${proxy}"`);
  }
  if (flags.catalogue !== undefined && !existsSync(flags.catalogue)) {
    throw new CliError(`no such file: ${flags.catalogue} (--catalogue)`);
  }
  const home = homeOf(flags.home, io.env);
  // Before its log, which is the first thing in it.
  createHomeFolder(home);
  const log = new LogFile(join(home, "server.log"));
  const say = (message: string): void => io.stderr(`${io.isTerminal ? "✔ " : ""}${message}\n`);
  return {
    home,
    proxy,
    demo: flags.demo,
    ports: {
      http: portOf(flags["http-port"], "http"),
      api: portOf(flags["api-port"], "api"),
      xds: portOf(flags["xds-port"], "xds"),
      monitoring: portOf(flags["monitoring-port"], "monitoring"),
    },
    ...(flags["pod-cidr"] === undefined ? {} : { podCidr: flags["pod-cidr"] }),
    ...(flags.catalogue === undefined ? {} : { catalogueFile: resolve(flags.catalogue) }),
    clock: nodeClock,
    prng: nodePrng,
    logger: createLogger({
      clock: nodeClock,
      level: () => "info",
      write: (line) => {
        const isWritten = log.write(line);
        // What is wrong with the server itself must not hide in a file.
        if (!isWritten || line.includes("\terror\t")) io.stderr(`${line}\n`);
      },
    }),
    env: io.env,
    onProgress: say,
    onFindings,
  };
}

function createHomeFolder(home: string): void {
  try {
    createHome(home);
  } catch (error) {
    throw error instanceof MeshError ? new CliError(error.message) : error;
  }
}

function portOf(text: string | undefined, name: keyof MeshPorts): number {
  if (text === undefined) return PORTS_DEFAULT[name];
  const port = parseCount(PORT_FLAGS[name], text);
  if (port > PORT_MAX) throw new CliError(`${PORT_FLAGS[name]} is at most ${PORT_MAX}`);
  return port;
}

function printFindings(
  { appeared, resolved }: Pick<FindingsChange, "appeared" | "resolved">,
  io: CommandIo,
): void {
  for (const finding of appeared) {
    io.stderr(`${isError(finding.issue) ? "" : "Warning: "}${formatFinding(finding)}\n`);
  }
  for (const finding of resolved) io.stderr(`Resolved: ${formatFinding(finding)}\n`);
}

function alreadyRunning(
  { lock }: MeshRunningError,
  options: MeshOptions,
  say: (text: string) => void,
): number {
  const { home } = options;
  const file = readServerFile(home);
  say(`the mesh at ${home} is already running (pid ${lock.pid})`);
  if (file === undefined) say("it is still starting");
  else {
    say(`  gateway     ${file.gatewayUrl}`);
    say(`  API         ${file.apiUrl}, export KUBECONFIG=${shellQuote(file.kubeconfig)}`);
    say(`  monitoring  http://${file.monitoringAddr}`);
  }
  if (lock.asked !== describeOptions(options)) {
    say('it was started with other flags; "weft down" first, for these to count');
  }
  return EXIT.done;
}

/** Waits for the pods, and with Bookinfo for its page; says what is late. */
async function becomeReady(
  mesh: Mesh,
  options: MeshOptions,
  io: CommandIo,
  say: (text: string) => void,
): Promise<void> {
  const readiness = await mesh.whenReady(READY_TIMEOUT_MS, io.signal);
  if (io.signal.aborted) return;
  for (const pod of readiness.waiting) say(`not ready: ${pod}`);
  const url = mesh.serverFile?.gatewayUrl;
  if (readiness.waiting.length > 0 || url === undefined || !hasProductPage(mesh)) return;
  const endMs = nodeClock.monotonicMs() + PAGE_TIMEOUT_MS;
  while (!io.signal.aborted && nodeClock.monotonicMs() < endMs) {
    if (await answersOk(`${url}/productpage`)) {
      options.onProgress?.(`${url}/productpage answers`);
      return;
    }
    await nodeClock.sleep(PAGE_POLL_MS, io.signal);
  }
  if (!io.signal.aborted) say(`${url}/productpage does not answer yet`);
}

function hasProductPage(mesh: Mesh): boolean {
  const key = { group: "apps", kind: "Deployment", namespace: "default", name: "productpage-v1" };
  return mesh.storage?.get(key) !== undefined;
}

function answersOk(url: string): Promise<boolean> {
  return new Promise((done) => {
    const request = get(url, { agent: false, timeout: PAGE_TIMEOUT_MS }, (response) => {
      response.resume();
      done(response.statusCode === 200);
    });
    request.once("timeout", () => request.destroy());
    request.once("error", () => done(false));
  });
}

function nextSteps(file: ServerFile, hasPage: boolean, seconds: string): string {
  return `
The mesh is up after ${seconds} s.

  ${hasPage ? `open        ${file.gatewayUrl}/productpage` : `gateway     ${file.gatewayUrl}`}
  kubectl     export KUBECONFIG=${shellQuote(file.kubeconfig)}
  stop        Ctrl-C here, or "weft down"

Traffic between pods is plain text for now; "weft status" says more.`;
}

/** The first Ctrl-C stops in order; who presses it again does not want to wait. */
function forceOnSecondSignal(home: string, io: CommandIo, say: (text: string) => void): () => void {
  let firstMs = nodeClock.monotonicMs();
  const force = (name: NodeJS.Signals): void => {
    const sinceMs = nodeClock.monotonicMs() - firstMs;
    if (name === io.signal.reason && sinceMs < RELAYED_SIGNAL_MS) return;
    say("stopping at once");
    killMesh(home);
    process.exit(EXIT.failure);
  };
  const arm = (): void => {
    firstMs = nodeClock.monotonicMs();
    process.on("SIGINT", force);
    process.on("SIGTERM", force);
  };
  // Not within the first signal itself: its own listeners are still being called.
  const armLater = (): void => void setImmediate(arm);
  if (io.signal.aborted) arm();
  else io.signal.addEventListener("abort", armLater, { once: true });
  return () => {
    io.signal.removeEventListener("abort", armLater);
    process.off("SIGINT", force);
    process.off("SIGTERM", force);
  };
}
