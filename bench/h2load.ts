import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { findProgram } from "../test/programs.ts";
import type { LoadResult } from "./load.ts";
import { pinned } from "./measured.ts";

const execFileAsync = promisify(execFile);

/** gRPC's head of each message: whether it is compressed, and its size. */
const MESSAGE_HEAD_BYTES = 5;

/** What is asked for over HTTP/2, over and over. */
export interface Http2Traffic {
  readonly path: string;
  readonly connections: number;
  /** Requests in flight on each connection. */
  readonly streams: number;
  /** A request has one of so many paths, one after the other. */
  readonly paths?: number;
  readonly headers?: readonly string[];
  /** A POST of gRPC with so many messages of so many bytes. */
  readonly messages?: { readonly count: number; readonly bytes: number };
  /** Bytes of DATA in each response; one with fewer comes from the proxy itself. */
  readonly answerBytes: number;
  readonly isHttps?: boolean;
}

/** Closed-loop load with `h2load`: each stream that ends is followed by a new one. */
export async function runHttp2Load(
  port: number,
  traffic: Http2Traffic,
  { seconds, folder }: { readonly seconds: number; readonly folder: string },
): Promise<LoadResult> {
  const h2load = findProgram("h2load");
  if (h2load === undefined) {
    throw new Error("the bench needs h2load (Debian package nghttp2-client)");
  }
  const { connections, streams, path, paths, messages, headers = [] } = traffic;
  const args = ["-t", "1", "-c", String(connections), "-m", String(streams)];
  args.push("-D", String(seconds), ...headers.flatMap((header) => ["-H", header]));
  if (messages !== undefined) {
    const file = join(folder, `messages-${messages.count}-${messages.bytes}`);
    writeFileSync(file, grpcMessages(messages));
    args.push("-d", file, "-H", "content-type: application/grpc", "-H", "te: trailers");
  }
  const base = `${traffic.isHttps === true ? "https" : "http"}://127.0.0.1:${port}${path}`;
  if (paths === undefined) args.push(base);
  else args.push("-i", pathsFile(folder, base, paths));
  const [command, words] = pinned(1, h2load, args);
  const { stdout } = await execFileAsync(command, words, { timeout: (seconds + 30) * 1000 });
  return parseH2load(stdout, traffic.answerBytes);
}

function grpcMessages({
  count,
  bytes,
}: {
  readonly count: number;
  readonly bytes: number;
}): Buffer {
  const message = Buffer.alloc(MESSAGE_HEAD_BYTES + bytes, "x");
  message.writeUInt8(0, 0);
  message.writeUInt32BE(bytes, 1);
  return Buffer.concat(Array.from({ length: count }, () => message));
}

function pathsFile(folder: string, base: string, count: number): string {
  const file = join(folder, "paths");
  const lines = Array.from(
    { length: count },
    (_, at) => `${base}item-${at}-${at * 7919}?page=${at}\n`,
  );
  writeFileSync(file, lines.join(""));
  return file;
}

function parseH2load(text: string, answerBytes: number): LoadResult {
  const count = (pattern: RegExp): number => {
    const found = pattern.exec(text)?.[1];
    if (found === undefined) throw new Error(`h2load said what cannot be read:\n${text}`);
    return Number(found);
  };
  const requests = count(/, (\d+) done,/);
  const failed = count(/, (\d+) failed,/) + count(/, (\d+) timeout/);
  const refused = count(/, (\d+) 3xx/) + count(/, (\d+) 4xx/) + count(/, (\d+) 5xx/);
  const isShort = count(/\((\d+)\) data/) < requests * answerBytes;
  const [, duration = "", unit = "s"] = /finished in ([\d.]+)(ms|us|s)/.exec(text) ?? [];
  return {
    requests,
    errors: failed + refused + (isShort ? 1 : 0),
    seconds: Number(duration) * ({ us: 1e-6, ms: 1e-3, s: 1 }[unit] ?? 1),
  };
}
