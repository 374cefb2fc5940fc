import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { findProgram } from "../test/programs.ts";
import { pinned } from "./measured.ts";

const execFileAsync = promisify(execFile);

/** What is asked for, over and over. */
export interface Traffic {
  readonly path: string;
  readonly connections: number;
  /** A POST with a body of this size; a GET without. */
  readonly postBytes?: number;
  readonly isHttps?: boolean;
  /** A new connection for every request. */
  readonly closes?: boolean;
}

/** What came of it. */
export interface LoadResult {
  readonly requests: number;
  readonly errors: number;
  readonly seconds: number;
}

/** Closed-loop load with `wrk`: each connection asks again as soon as it is answered. */
export async function runLoad(
  port: number,
  traffic: Traffic,
  { seconds, folder }: { readonly seconds: number; readonly folder: string },
): Promise<LoadResult> {
  const wrk = findProgram("wrk");
  if (wrk === undefined) throw new Error("the bench needs wrk (Debian package wrk)");
  const { connections, path, postBytes, isHttps, closes } = traffic;
  const args = ["-t", "1", "-c", String(connections), "-d", `${seconds}s`, "--timeout", "10s"];
  if (closes === true) args.push("-H", "Connection: close");
  if (postBytes !== undefined) {
    const script = join(folder, `post-${postBytes}.lua`);
    writeFileSync(script, `wrk.method = "POST"\nwrk.body = string.rep("x", ${postBytes})\n`);
    args.push("-s", script);
  }
  args.push(`${isHttps === true ? "https" : "http"}://127.0.0.1:${port}${path}`);
  const [command, words] = pinned(1, wrk, args);
  const { stdout } = await execFileAsync(command, words, { timeout: (seconds + 30) * 1000 });
  return parseWrk(stdout);
}

function parseWrk(text: string): LoadResult {
  const total = /(\d+) requests in ([\d.]+)(ms|s|m)/.exec(text);
  if (total === null) throw new Error(`wrk said what cannot be read:\n${text}`);
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  const socket = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
  const broken = socket === null ? 0 : socket.slice(1).reduce((sum, each) => sum + Number(each), 0);
  const unit = { ms: 0.001, s: 1, m: 60 }[total[3] ?? "s"] ?? 1;
  return {
    requests: Number(total[1]),
    errors: refused + broken,
    seconds: Number(total[2]) * unit,
  };
}

/** Latencies in microseconds, each from the time at which its request was due. */
export interface Latency {
  readonly requests: number;
  readonly errors: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** Builds the open-loop client; `undefined` where there is no C compiler. */
export async function buildOpenLoop(source: string, folder: string): Promise<string | undefined> {
  const compiler = findProgram("cc");
  if (compiler === undefined) return undefined;
  const program = join(folder, "open-loop");
  await execFileAsync(compiler, ["-O2", "-o", program, source], { timeout: 60_000 });
  return program;
}

/** GETs at a fixed rate, whatever becomes of the ones before (`open-loop.c`). */
export async function runOpenLoop(
  program: string,
  port: number,
  options: { readonly rate: number; readonly connections: number; readonly seconds: number },
): Promise<Latency> {
  const { rate, connections, seconds } = options;
  const numbers = [port, "/", rate, seconds, connections].map(String);
  const [command, words] = pinned(1, program, numbers);
  const { stdout } = await execFileAsync(command, words, { timeout: (seconds + 30) * 1000 });
  return JSON.parse(stdout) as Latency;
}
