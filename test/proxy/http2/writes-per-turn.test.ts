import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readlinkSync } from "node:fs";
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type Http2Server,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../../controlplane/until.ts";
import { findProgram } from "../../programs.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "../bootstrap-json.ts";
import { freePorts } from "../data-plane.ts";
import { http2Options } from "../http2-cluster.ts";
import { askAdmin, LONG_MS, type ProxyProcess, ProxyProcesses } from "../weft-process.ts";

const strace = findProgram("strace");

const CONNECTIONS = 4;
const STREAMS = 8;
const ROUNDS = 40;

let processes: ProxyProcesses;
let upstream: Http2Server;
let port: number;
let adminPort: number;

/** Answers like a gRPC server: a head, a message for each that came, trailers. */
function answer(stream: ServerHttp2Stream): void {
  stream.on("error", () => undefined);
  stream.respond({ ":status": 200 }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.on("data", (bytes: Buffer) => stream.write(bytes));
  stream.on("end", () => stream.end());
}

beforeEach(async () => {
  processes = new ProxyProcesses();
  upstream = createServer();
  upstream.on("stream", answer);
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  [port = 0, adminPort = 0] = await freePorts(2);
});

afterEach(async () => {
  await processes.stop();
  upstream.close();
  await once(upstream, "close");
});

async function startProxy(): Promise<ProxyProcess> {
  const route_config = routeTable([{ match: { prefix: "/" }, route: { cluster: "up" } }]);
  const upstreamPort = (upstream.address() as AddressInfo).port;
  const file = processes.write("b.json", {
    admin: { address: socketAddress(adminPort) },
    static_resources: {
      listeners: [httpListener("in", port, { route_config })],
      clusters: [staticCluster("up", [upstreamPort], http2Options())],
    },
  });
  const proxy = processes.run(["-c", file]);
  const isReady = async (): Promise<boolean> => {
    if (proxy.child.exitCode !== null) throw new Error(`the proxy ended:\n${proxy.output()}`);
    return (await askAdmin(adminPort, "/ready")) === "LIVE\n";
  };
  await until(isReady, "the proxy to serve", 3 * LONG_MS);
  return proxy;
}

/** Follows the thread of the event loop; `undefined` where this machine does not allow that. */
async function follow(
  program: string,
  pid: number,
  file: string,
): Promise<ChildProcess | undefined> {
  const calls = "trace=epoll_pwait,epoll_wait,write,writev,sendto,sendmsg";
  const tracer = spawn(program, ["-qq", "-s", "0", "-e", calls, "-o", file, "-p", String(pid)], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let words = "";
  tracer.stderr.on("data", (bytes: Buffer) => {
    words += bytes.toString();
  });
  const isAttached = async (): Promise<boolean> => {
    await askAdmin(adminPort, "/ready");
    return tracer.exitCode !== null || linesOf(file).length > 0;
  };
  await until(isAttached, "strace to attach", LONG_MS);
  if (tracer.exitCode === null) return tracer;
  expect(words).toMatch(/not permitted/);
  return undefined;
}

function linesOf(file: string): readonly string[] {
  try {
    return readFileSync(file, "utf8").split("\n");
  } catch {
    return [];
  }
}

/** One call after the other on one stream's place: a small message, and all of its answer. */
async function call(session: ClientHttp2Session): Promise<string> {
  const stream = session.request({ ":method": "POST", ":path": "/echo", te: "trailers" });
  stream.end("a small message");
  let text = "";
  for await (const bytes of stream) text += bytes;
  return text;
}

async function load(): Promise<void> {
  const sessions = Array.from({ length: CONNECTIONS }, () => connect(`http://127.0.0.1:${port}`));
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const answers = await Promise.all(
        sessions.flatMap((session) => Array.from({ length: STREAMS }, () => call(session))),
      );
      expect(new Set(answers)).toEqual(new Set(["a small message"]));
    }
  } finally {
    for (const session of sessions) session.destroy();
  }
}

/** How often each descriptor was written to in each turn: every call of epoll begins one. */
function writesOf(lines: readonly string[]): readonly ReadonlyMap<number, number>[] {
  const turns: Map<number, number>[] = [new Map()];
  for (const line of lines) {
    if (line.startsWith("epoll")) turns.push(new Map());
    const fd = /^(?:write|writev|sendto|sendmsg)\((\d+)/.exec(line)?.[1];
    const turn = turns.at(-1);
    if (fd !== undefined) turn?.set(Number(fd), (turn.get(Number(fd)) ?? 0) + 1);
  }
  return turns;
}

test.skipIf(strace === undefined)(
  "a connection of HTTP/2 is written to once in a turn of the event loop, whatever it has to say",
  { timeout: 240_000 },
  async ({ skip }) => {
    const proxy = await startProxy();
    const pid = proxy.child.pid ?? 0;
    const file = join(processes.folder, "calls");
    const tracer = await follow(strace ?? "", pid, file);
    if (tracer === undefined) return skip("strace may not follow processes here");
    await load();
    const isSocket = (fd: number): boolean => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith("socket:");
      } catch {
        // A client's connection that has ended by now, as no pipe or file does.
        return true;
      }
    };
    const turns = writesOf(linesOf(file)).map(
      (turn) => new Map([...turn].filter(([fd]) => isSocket(fd))),
    );
    tracer.kill("SIGINT");
    await once(tracer, "exit");
    const writes = turns.flatMap((turn) => [...turn.values()]);
    // All connections were seen, and there was more than one thing to say at a time.
    expect(new Set(turns.flatMap((turn) => [...turn.keys()])).size).toBeGreaterThan(CONNECTIONS);
    expect(writes.length).toBeGreaterThan(ROUNDS);
    expect(writes.length).toBeLessThan(2 * CONNECTIONS * STREAMS * ROUNDS);
    expect(Math.max(...writes)).toBe(1);
  },
);
