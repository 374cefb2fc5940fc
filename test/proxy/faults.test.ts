import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { freePorts, startWeft } from "./data-plane.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";

const MEGABYTE = 1024 * 1024;
const WEFT = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), "bin", "weft");

const closers: (() => Promise<unknown> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function bootstrapTo(upstreamPort: number, port: number, adminPort: number): object {
  return {
    admin: { address: socketAddress(adminPort) },
    static_resources: {
      listeners: [
        httpListener("in", port, {
          route_config: routeTable([
            { match: { prefix: "/" }, route: { cluster: "up", timeout: "0s" } },
          ]),
        }),
      ],
      clusters: [staticCluster("up", [upstreamPort])],
    },
  };
}

async function startProxy(upstreamPort: number): Promise<{ port: number; adminPort: number }> {
  const [port = 0, adminPort = 0] = await freePorts(2);
  const weft = await startWeft(bootstrapTo(upstreamPort, port, adminPort));
  closers.push(() => weft.stop());
  return { port, adminPort };
}

async function startUpstream(
  scripts: Parameters<typeof ScriptedUpstream.start>[0] = {},
): Promise<ScriptedUpstream> {
  const upstream = await ScriptedUpstream.start(scripts);
  closers.push(() => upstream.stop());
  return upstream;
}

/** A server that takes whatever comes and lets the test write. */
async function startRawServer(onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Sends a text and breaks off, with FIN or RST. */
async function breakOff(port: number, text: string, how: "fin" | "reset"): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.resume();
  await once(socket, "connect");
  const closed = once(socket, "close");
  await new Promise<void>((resolve) => socket.write(text, "latin1", () => resolve()));
  if (how === "fin") socket.end();
  else socket.resetAndDestroy();
  await closed;
}

async function statOf(adminPort: number, name: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/stats?filter=${name}`);
  return Number(/: (\d+)/.exec(await answer.text())?.[1] ?? Number.NaN);
}

const REQUESTS = [
  ["of known length", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"],
  [
    "in chunks",
    "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: 1\r\n\r\n",
  ],
] as const;

describe("a client that breaks off", () => {
  const cases = REQUESTS.flatMap(([name, text]) =>
    (["fin", "reset"] as const).map((how) => ({ name, text, how })),
  );

  test.each(cases)("at every byte of a request $name, by $how", async ({ text, how }) => {
    const upstream = await startUpstream();
    const { port, adminPort } = await startProxy(upstream.port);
    for (let at = 0; at <= text.length; at += 10) {
      const lengths = Array.from({ length: Math.min(10, text.length - at + 1) }, (_, i) => at + i);
      await Promise.all(lengths.map((length) => breakOff(port, text.substring(0, length), how)));
    }
    // Nothing of them is left, and what comes next is served as if they had not been.
    for (const name of ["downstream_cx_active", "downstream_rq_active"]) {
      await until(
        async () => (await statOf(adminPort, `http.in.${name}`)) === 0,
        `${name} to be 0`,
      );
    }
    const whole = await exchangeRaw({ port, parts: [text], answers: 1 });
    expect(whole.messages.map(({ line, body }) => [line, body])).toEqual([
      ["HTTP/1.1 200 OK", "hi"],
    ]);
    const partial = upstream.requests.filter(({ body }) => body !== "hello");
    expect(partial).toEqual([]);
  });

  test("in the middle of an answer costs the upstream its connection", async () => {
    let closed = 0;
    const chunk = Buffer.alloc(64 * 1024, "x");
    const upstreamPort = await startRawServer((socket) => {
      socket.once("data", () => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${1000 * MEGABYTE}\r\n\r\n`);
        const write = (): void => {
          while (!socket.destroyed && socket.write(chunk));
        };
        socket.on("drain", write);
        write();
      });
      socket.on("close", () => closed++);
    });
    const { port } = await startProxy(upstreamPort);
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await once(socket, "data");
    socket.resetAndDestroy();
    await until(() => Promise.resolve(closed > 0), "the upstream's connection to close");
    expect(closed).toBe(1);
  });

  test("before an answer costs the upstream its connection", async () => {
    const upstream = await startUpstream({ "/silent": {} });
    const { port } = await startProxy(upstream.port);
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => Promise.resolve(upstream.requests.length === 1), "the request");
    socket.resetAndDestroy();
    await until(() => Promise.resolve(upstream.openConnections === 0), "its connection to close");
    expect(upstream.requests).toHaveLength(1);
  });
});

const ANSWER =
  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n" +
  "5;a=b\r\nhello\r\n0\r\nT: 1\r\n\r\n";
/** Where the head ends: before it a client can still be told. */
const HEAD_END = ANSWER.indexOf("\r\n\r\n") + 4;

describe("an upstream that breaks off", () => {
  test.each(["fin", "reset"] as const)("at every byte of an answer, by %s", async (how) => {
    const scripts = Object.fromEntries(
      Array.from({ length: ANSWER.length }, (_, at) => [
        `/${at}`,
        { send: ANSWER.substring(0, at), end: how },
      ]),
    );
    const upstream = await startUpstream(scripts);
    const { port } = await startProxy(upstream.port);
    for (let at = 0; at < ANSWER.length; at++) {
      const parts = [`GET /${at} HTTP/1.1\r\nHost: a\r\n\r\n`];
      const { messages, rest } = await exchangeRaw({ port, parts, answers: 1 });
      const statuses = messages.map(({ line }) => Number(line.split(" ")[1]));
      // A head that is cut off is a bad gateway, a body that is cut off is seen to be.
      const isHead = at < HEAD_END;
      expect({
        at,
        statuses: statuses.filter((status) => status !== 502 && status !== 503),
      }).toEqual({ at, statuses: [] });
      expect({ at, isAnswered: statuses.length === 1 }).toEqual({
        at,
        isAnswered: isHead || rest === "",
      });
    }
  });
});

describe("large bodies", () => {
  test("100 MB through a slow reader hold little memory", async () => {
    const chunk = Buffer.alloc(64 * 1024, "x");
    const upstreamPort = await startRawServer((socket) => {
      socket.once("data", () => {
        let left = 100 * MEGABYTE;
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${left}\r\n\r\n`);
        const write = (): void => {
          while (left > 0 && !socket.destroyed) {
            left -= chunk.length;
            if (!socket.write(chunk)) return;
          }
        };
        socket.on("drain", write);
        write();
      });
    });
    const [port = 0, adminPort = 0] = await freePorts(2);
    const proxy = await spawnWeft(bootstrapTo(upstreamPort, port, adminPort), adminPort);
    const before = residentBytes(proxy);
    const socket = connect(port, "127.0.0.1");
    closers.push(() => void socket.destroy());
    socket.on("error", () => undefined);
    let got = 0;
    let most = before;
    socket.on("data", (bytes: Buffer) => {
      got += bytes.length;
      most = Math.max(most, residentBytes(proxy));
      // Slower than the upstream writes by far, yet done within seconds.
      socket.pause();
      setTimeout(() => socket.resume(), 1);
    });
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => Promise.resolve(got > 100 * MEGABYTE), "all of it to come", 60_000);
    expect((most - before) / MEGABYTE).toBeLessThan(48);
  }, 90_000);
});

async function spawnWeft(bootstrap: object, adminPort: number): Promise<ChildProcess> {
  const folder = mkdtempSync(join(tmpdir(), "weft-faults-"));
  const file = join(folder, "bootstrap.json");
  writeFileSync(file, JSON.stringify(bootstrap));
  const child = spawn(process.execPath, [WEFT, "proxy", "-c", file], { stdio: "ignore" });
  closers.push(async () => {
    if (child.exitCode === null) {
      const exit = once(child, "exit");
      child.kill("SIGKILL");
      await exit;
    }
    rmSync(folder, { recursive: true, force: true });
  });
  await until(async () => {
    const answer = await fetch(`http://127.0.0.1:${adminPort}/ready`).catch(() => undefined);
    await answer?.arrayBuffer();
    return answer?.status === 200;
  }, "weft to be ready");
  return child;
}

function residentBytes({ pid }: ChildProcess): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}
