import { execFile } from "node:child_process";
import { createConnection } from "node:net";
import { promisify } from "node:util";
import { findProgram } from "../test/programs.ts";

/** What to ask of whom. */
export interface LoadOptions {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
}

/** What came of it. */
export interface LoadResult {
  readonly requests: number;
  readonly errors: number;
  readonly seconds: number;
}

const wrk = findProgram("wrk");

/** Closed-loop load over keep-alive connections: `wrk` where it is found, else our own. */
export function runLoad(options: LoadOptions): Promise<LoadResult> {
  return wrk === undefined ? runOwn(options) : runWrk(wrk, options);
}

async function runWrk(path: string, options: LoadOptions): Promise<LoadResult> {
  const { url, connections, seconds } = options;
  const { stdout } = await promisify(execFile)(
    path,
    ["-t", "1", "-c", String(connections), "-d", `${seconds}s`, url],
    { timeout: (seconds + 10) * 1000 },
  );
  const total = /(\d+) requests in ([\d.]+)(m?s|m)/.exec(stdout);
  if (total === null) throw new Error(`wrk said what cannot be read:\n${stdout}`);
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1] ?? 0);
  const socket = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(
    stdout,
  );
  const broken = socket === null ? 0 : socket.slice(1).reduce((sum, text) => sum + Number(text), 0);
  const unit = { ms: 0.001, s: 1, m: 60 }[total[3] ?? "s"] ?? 1;
  return {
    requests: Number(total[1]),
    errors: refused + broken,
    seconds: Number(total[2]) * unit,
  };
}

/** Counts answers by their status line and the length that they announce. */
async function runOwn({ url, connections, seconds }: LoadOptions): Promise<LoadResult> {
  const { hostname, port, pathname, host } = new URL(url);
  const request = `GET ${pathname} HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
  const startMs = performance.now();
  let requests = 0;
  let errors = 0;
  const one = (): Promise<void> =>
    new Promise((resolve) => {
      const socket = createConnection({ host: hostname, port: Number(port) });
      let pending = "";
      socket.on("connect", () => socket.write(request));
      socket.on("data", (chunk) => {
        pending += chunk.toString("latin1");
        const headEnd = pending.indexOf("\r\n\r\n");
        if (headEnd === -1) return;
        const length = Number(/\r\ncontent-length: (\d+)/i.exec(pending)?.[1] ?? 0);
        if (pending.length < headEnd + 4 + length) return;
        requests += 1;
        if (!pending.startsWith("HTTP/1.1 200")) errors += 1;
        pending = pending.slice(headEnd + 4 + length);
        if (performance.now() - startMs < seconds * 1000) socket.write(request);
        else socket.end();
      });
      socket.on("error", () => (errors += 1));
      socket.on("close", () => resolve());
    });
  await Promise.all(Array.from({ length: connections }, one));
  return { requests, errors, seconds: (performance.now() - startMs) / 1000 };
}
