import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { findProgram } from "../test/programs.ts";
import { type Http2Traffic, runHttp2Load } from "./h2load.ts";
import { pinned } from "./measured.ts";

const execFileAsync = promisify(execFile);

/** What is asked for, over and over, of `wrk` or of `h2load`. */
export type Traffic = Http1Traffic | Http2Traffic;

/** What is asked for over HTTP/1.1. */
export interface Http1Traffic {
  readonly path: string;
  readonly connections: number;
  /** A POST with a body of this size; a GET without. */
  readonly postBytes?: number;
  readonly headers?: readonly string[];
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

/** How long, and where files may be put. */
interface LoadOptions {
  readonly seconds: number;
  readonly folder: string;
}

/** Closed-loop load: a request that is answered is followed by the next one at once. */
export function runLoad(port: number, traffic: Traffic, options: LoadOptions): Promise<LoadResult> {
  return "streams" in traffic
    ? runHttp2Load(port, traffic, options)
    : runHttp1Load(port, traffic, options);
}

async function runHttp1Load(
  port: number,
  traffic: Http1Traffic,
  { seconds, folder }: LoadOptions,
): Promise<LoadResult> {
  const wrk = findProgram("wrk");
  if (wrk === undefined) throw new Error("the bench needs wrk (Debian package wrk)");
  const { connections, path, postBytes, isHttps, closes, headers = [] } = traffic;
  const args = ["-t", "1", "-c", String(connections), "-d", `${seconds}s`, "--timeout", "10s"];
  args.push(...headers.flatMap((header) => ["-H", header]));
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
