import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readServerFile, type ServerFile } from "../../src/local/server-file.ts";
import {
  isAlive,
  listListeningSockets,
  listProcesses,
  readEnvironment,
} from "../../src/runtime/proc.ts";
import { PROCESS_MARK } from "../../src/runtime/process-registry.ts";
import { until } from "../controlplane/until.ts";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const WEFT = join(ROOT, "bin", "weft");

/** Ports of a test never collide with those of another. */
export const FREE_PORTS = ["http", "api", "xds", "monitoring"].flatMap((name) => [
  `--${name}-port`,
  "0",
]);

/** What a command said and how it ended. */
export interface CommandResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How `weft up` is started: by itself, or as `npm start` in a process group of its own; with which Envoy. */
export interface UpStart {
  readonly npm?: boolean;
  readonly envoyPath?: string;
}

/** `weft up` as its users run it, on a home of its own. */
export class WeftUp {
  readonly home: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #stderr = "";

  constructor(home: string, args: readonly string[], start: UpStart = {}) {
    this.home = home;
    const flags = ["--home", home, ...args];
    const [command, ...rest] = start.npm
      ? ["npm", "start", "--", ...flags]
      : [process.execPath, WEFT, "up", ...flags];
    this.#child = spawn(command ?? "", rest, {
      cwd: ROOT,
      stdio: ["ignore", "ignore", "pipe"],
      env: {
        ...process.env,
        HOME: home,
        ...(start.envoyPath === undefined ? {} : { ENVOY_PATH: start.envoyPath }),
      },
      detached: start.npm ?? false,
    });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#stderr += chunk.toString("utf8");
    });
    this.#ended = new Promise((resolve) => this.#child.once("exit", resolve));
  }

  get stderr(): string {
    return this.#stderr;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Where all is, once it says that the mesh is up. */
  async untilUp(): Promise<ServerFile> {
    await until(
      () => {
        if (this.#child.exitCode !== null) throw new Error(`weft up ended: ${this.#stderr}`);
        return this.#stderr.includes("The mesh is up");
      },
      "the mesh to be up",
      60_000,
    );
    const file = readServerFile(this.home);
    if (file === undefined) throw new Error("there is no server.json");
    return file;
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.#child.kill(signal);
    return this.#ended;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Closes the reading end of its standard error. */
  stopReading(): void {
    this.#child.stderr?.destroy();
  }

  /** As a terminal does it: npm and the server get the signal both. Only after `npm start`. */
  signalGroup(signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal);
  }

  get ended(): Promise<number | null> {
    return this.#ended;
  }
}

/** A home in the temporary folder. */
export function createHome(): string {
  return mkdtempSync(join(tmpdir(), "weft-home-"));
}

/** Removes it. */
export function removeHome(home: string): void {
  rmSync(home, { recursive: true, force: true });
}

/** Runs a command of weft to its end. */
export function runWeft(args: readonly string[]): Promise<CommandResult> {
  const child = spawn(process.execPath, [WEFT, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString("utf8");
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString("utf8");
  });
  return new Promise((resolve) => {
    child.once("close", (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}

/**
 * The processes of a mesh's pods that run. The mesh must have been started with `HOME` set to its
 * home: pods inherit it.
 */
export function processesOf(home: string): readonly string[] {
  return listProcesses().flatMap((stat) => {
    const what = isAlive(stat) ? readEnvironment(stat.pid, PROCESS_MARK) : undefined;
    if (what === undefined || readEnvironment(stat.pid, "HOME") !== home) return [];
    return [`${stat.pid} ${what}`];
  });
}

/** Sockets that listen on addresses of a pod network. */
export function listenersOf(podCidr: string): readonly string[] {
  const prefix = podCidr.replace(/0\.0\/16$/, "");
  return listListeningSockets()
    .filter(({ address }) => address.startsWith(prefix))
    .map(({ address, port }) => `${address}:${port}`);
}

/** The status of a page, or 0. */
export function statusOf(url: string): Promise<number> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: 10_000 }, (response) => {
      response.resume();
      response.once("end", () => resolve(response.statusCode ?? 0));
    });
    request.once("timeout", () => request.destroy());
    request.once("error", () => resolve(0));
  });
}

/** A page's text, or what went wrong. */
export async function bodyOf(url: string): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
    return await response.text();
  } catch (error) {
    return String(error);
  }
}

/** The end of every container's output of that file name, for messages. */
export function readLogs(home: string, name: string): readonly string[] {
  const folder = join(home, "pods");
  return readdirSync(folder).map((pod) => {
    const file = join(folder, pod, name);
    return `${pod}: ${existsSync(file) ? readFileSync(file, "utf8").slice(-LOG_LENGTH) : ""}`;
  });
}

const LOG_LENGTH = 1000;
