import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { isError } from "../base/issue.ts";
import { nodeClock } from "../base/node-clock.ts";
import { nodePrng } from "../base/node-prng.ts";
import { CliError, type Command, type CommandIo, EXIT } from "../cli/command.ts";
import { formatUsage, parseFlags } from "../cli/flags.ts";
import { ControlPlane } from "../controlplane/control-plane.ts";
import { type FindingsChange, formatFinding } from "../controlplane/findings.ts";
import { ListenError } from "../controlplane/listen-error.ts";
import { FolderSource } from "../source/folder-source.ts";
import { createLogger, LOG_LEVELS, type LogLevel } from "../telemetry/log.ts";

const GRPC_ADDR_DEFAULT = "127.0.0.1:15010";
const HTTP_ADDR_DEFAULT = "127.0.0.1:15014";

const FLAGS = {
  "config-dir": { value: "DIR", help: "folder of YAML and JSON files, watched" },
  "grpc-addr": { value: "ADDR", help: `xDS, plain text (default ${GRPC_ADDR_DEFAULT})` },
  "http-addr": {
    value: "ADDR",
    help: `readiness, metrics and debug pages (default ${HTTP_ADDR_DEFAULT})`,
  },
  home: {
    value: "DIR",
    help: "where the last good objects are kept (default $WEFT_HOME, or ~/.weft)",
  },
  "log-level": { value: "LEVEL", help: `one of ${LOG_LEVELS.join(", ")} (default warn)` },
  kubeconfig: { value: "FILE", help: "not supported yet" },
} as const;

/** `weft pilot`: the control plane alone. */
export const pilotCommand: Command = {
  summary: "run the control plane alone, on a folder of YAML",
  usage: formatUsage({
    forms: ["pilot --config-dir DIR [FLAGS]"],
    text: `
Serves Envoy's discovery (ADS) from the Services, EndpointSlices, Endpoints, Pods and Istio objects
in a folder, and follows its changes. What is broken is said with file and line, and the last good
version of it stays in use. Port 0 takes one that is free. Ctrl-C stops it.`,
    flags: FLAGS,
    examples: ["pilot --config-dir mesh", "pilot --config-dir mesh --grpc-addr 127.0.0.1:0"],
  }),
  run,
};

async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const { flags, positionals } = parseFlags("pilot", args, FLAGS);
  if (flags.kubeconfig !== undefined) {
    throw new CliError(
      "--kubeconfig is not supported yet: give the objects as files with --config-dir",
    );
  }
  if (positionals.length > 0) throw new CliError(`unexpected argument "${positionals[0]}"`);
  const folder = checkFolder(flags["config-dir"]);
  const grpcAddr = checkAddr("--grpc-addr", flags["grpc-addr"] ?? GRPC_ADDR_DEFAULT);
  const httpAddr = checkAddr("--http-addr", flags["http-addr"] ?? HTTP_ADDR_DEFAULT);
  const level = checkLevel(flags["log-level"] ?? "warn");
  const home = flags.home ?? io.env["WEFT_HOME"] ?? join(homedir(), ".weft");
  const say = (text: string): void => io.stderr(`${text}\n`);
  const log = createLogger({ clock: nodeClock, write: say, level: () => level });
  const controlPlane = new ControlPlane({
    source: new FolderSource({
      folder,
      clock: nodeClock,
      lastGoodFile: lastGoodFile(home, folder),
    }),
    grpcAddr,
    httpAddr,
    clock: nodeClock,
    prng: nodePrng,
    log,
    onFindings: (change) => print(change, say),
  });
  await start(controlPlane);
  const { grpc, http } = controlPlane.ports;
  say(`serving xDS on ${withPort(grpcAddr, grpc)}`);
  say(`serving status on http://${withPort(httpAddr, http)}`);
  say(`following ${folder}`);
  if (!io.signal.aborted) {
    await new Promise((done) => io.signal.addEventListener("abort", done, { once: true }));
  }
  await controlPlane.stop();
  say("stopped");
  return EXIT.done;
}

async function start(controlPlane: ControlPlane): Promise<void> {
  try {
    await controlPlane.start();
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    throw new CliError(`${error.message}; choose another with --${error.listener}-addr`);
  }
}

function print({ appeared, resolved }: FindingsChange, say: (text: string) => void): void {
  for (const finding of appeared) {
    say(`${isError(finding.issue) ? "" : "Warning: "}${formatFinding(finding)}`);
  }
  for (const finding of resolved) say(`Resolved: ${formatFinding(finding)}`);
}

function checkFolder(folder: string | undefined): string {
  if (folder === undefined) throw new CliError("--config-dir is needed: a folder of YAML files");
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found === undefined) throw new CliError(`--config-dir: there is no folder "${folder}"`);
  if (!found.isDirectory()) throw new CliError(`--config-dir: "${folder}" is no folder`);
  return folder;
}

function checkAddr(flag: string, addr: string): string {
  const port = /^(?:[^:\s]+|\[[\da-f:]+\]):(\d{1,5})$/i.exec(addr)?.[1];
  if (port === undefined || Number(port) > 65_535) {
    throw new CliError(`${flag}: "${addr}" is no address of the form 127.0.0.1:15010`);
  }
  return addr;
}

function checkLevel(level: string): LogLevel {
  const found = LOG_LEVELS.find((one) => one === level);
  if (found === undefined) {
    throw new CliError(`--log-level is one of ${LOG_LEVELS.join(", ")}, not "${level}"`);
  }
  return found;
}

/** One per folder: what one folder held must not come up in another. */
function lastGoodFile(home: string, folder: string): string {
  const id = createHash("sha256").update(resolve(folder)).digest("hex").slice(0, 16);
  return join(home, "pilot", `${id}.json`);
}

function withPort(addr: string, port: number): string {
  return `${addr.slice(0, addr.lastIndexOf(":"))}:${port}`;
}
