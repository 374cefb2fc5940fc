import { once } from "node:events";
import { createServer, request, type Server, type ServerResponse } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { type AddressInfo, connect, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Proxy } from "../../src/proxy/proxy.ts";
import { until } from "../controlplane/until.ts";
import { filter, httpListener, routeTable, staticCluster } from "./bootstrap-json.ts";
import { freePorts, startWeft } from "./data-plane.ts";

const TYPE = "type.googleapis.com/envoy.extensions";
const gzip = (direction: "compressor" | "decompressor", name: string): object => ({
  [`${direction}_library`]: {
    name: "gzip",
    typed_config: { "@type": `${TYPE}.compression.gzip.${direction}.v3.${name}` },
  },
});
const ROUTER = filter("http.router.v3.Router", {});
/** One filter at a time, each on a listener of its own. */
const FILTERS: Readonly<Record<string, object>> = {
  compressor: filter("http.compressor.v3.Compressor", gzip("compressor", "Gzip")),
  decompressor: filter("http.decompressor.v3.Decompressor", gzip("decompressor", "Gzip")),
  buffer: filter("http.buffer.v3.Buffer", { max_request_bytes: 10_000_000 }),
  fault: filter("http.fault.v3.HTTPFault", {
    delay: { fixed_delay: "60s", percentage: { numerator: 100 } },
  }),
};
const NAMES = Object.keys(FILTERS);
/** Text that a compressor cannot make smaller. */
const NOISE = Buffer.from(Array.from({ length: 65_536 }, (_, at) => (at * at * 7919) >> 5));
/** What the kernel keeps for two connections, and the proxy for one stream, by far. */
const HELD_BYTES_MAX = 24 << 20;
const ZEROS = gzipSync(Buffer.alloc(32 << 20));

let upstream: Server;
const sockets = new Set<Socket>();
let endless: { response: ServerResponse; sent: number } | undefined;
let ports: Readonly<Record<string, number>>;
let proxy: Proxy;
let stop: () => Promise<void>;
const sessions: ClientHttp2Session[] = [];

/** Sends as fast as it is read, for ever. */
function sendEndlessly(response: ServerResponse): void {
  const own = { response, sent: 0 };
  endless = own;
  const write = (): void => {
    while (!response.destroyed) {
      own.sent += NOISE.length;
      if (!response.write(NOISE)) return void response.once("drain", write);
    }
  };
  write();
}

beforeAll(async () => {
  upstream = createServer((asked, response) => {
    response.on("error", () => undefined);
    if (asked.method === "POST") return void asked.pipe(response);
    asked.resume();
    if (asked.url === "/endless") return sendEndlessly(response);
    if (asked.url === "/bomb") {
      response.writeHead(200, { "content-encoding": "gzip" });
      return void response.end(ZEROS);
    }
    if (asked.url !== "/silent") response.end("hi");
  });
  upstream.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  upstream.on("upgrade", (_asked, socket: Socket) => {
    socket.on("error", () => undefined);
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n",
    );
    socket.pipe(socket);
  });
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  const free = await freePorts(NAMES.length);
  ports = Object.fromEntries(NAMES.map((name, at) => [name, free[at] ?? 0]));
  const route = { cluster: "up", timeout: "0s" };
  const listeners = NAMES.map((name) =>
    httpListener(name, ports[name] ?? 0, {
      route_config: routeTable([{ match: { prefix: "/" }, route }]),
      upgrade_configs: [{ upgrade_type: "websocket" }],
      http_filters: [FILTERS[name], ROUTER],
    }),
  );
  const clusters = [staticCluster("up", [(upstream.address() as AddressInfo).port])];
  const plane = await startWeft({ static_resources: { listeners, clusters } });
  ({ proxy } = plane);
  stop = () => plane.stop();
});

afterEach(() => {
  for (const session of sessions.splice(0)) session.destroy();
  endless?.response.destroy();
  endless = undefined;
});

afterAll(async () => {
  await stop();
  for (const socket of sockets) socket.destroy();
  upstream.close();
});

function stat(name: string): number {
  return proxy.stats().find((one) => one.name === name)?.value ?? 0;
}

function openSession(name: string): ClientHttp2Session {
  const session = connectHttp2(`http://127.0.0.1:${ports[name]}`);
  session.on("error", () => undefined);
  sessions.push(session);
  return session;
}

/** What is left when all requests had time to end; nothing, and nothing that has thrown. */
async function left(name: string): Promise<object> {
  await until(() => stat(`http.${name}.downstream_rq_active`) === 0, "requests to end");
  await until(() => stat("cluster.up.upstream_rq_active") === 0, "exchanges to end");
  return { faults: stat("server.envoy_bug_failures") };
}

const NOTHING = { faults: 0 };

describe.each(["http1", "http2"])("a client of %s that does not read", (version) => {
  test.each(["compressor", "decompressor"])("stops the upstream behind a %s", async (name) => {
    let leave: () => void;
    if (version === "http1") {
      const socket = connect(ports[name] ?? 0, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.pause();
      socket.write("GET /endless HTTP/1.1\r\nhost: a\r\naccept-encoding: gzip\r\n\r\n");
      leave = () => socket.destroy();
    } else {
      const session = openSession(name);
      const stream = session.request({ ":path": "/endless", "accept-encoding": "gzip" });
      stream.on("error", () => undefined);
      leave = () => session.destroy();
    }
    let before = -1;
    let same = 0;
    await until(
      () => {
        const sent = endless?.sent ?? 0;
        same = sent > 0 && sent === before ? same + 1 : 0;
        before = sent;
        expect(sent).toBeLessThan(HELD_BYTES_MAX);
        return same > 50;
      },
      "the upstream to be stopped",
      60_000,
    );
    leave();
    expect(await left(name)).toEqual(NOTHING);
  });
});

describe("a body that is far larger than it looks", () => {
  test("ends where its ratio is too high, and little of it comes", async () => {
    const errors = "http.decompressor.decompressor.gzip.gzip.decompressor_library.zlib_data_error";
    let bytes = 0;
    await new Promise<void>((resolve, reject) => {
      const sent = request(
        { host: "127.0.0.1", port: ports["decompressor"], path: "/bomb", agent: false },
        (response) => {
          response.on("data", (chunk: Buffer) => (bytes += chunk.length));
          response.on("error", () => resolve());
          response.on("end", resolve);
        },
      );
      sent.on("error", reject);
      sent.end();
    });
    // A hundred times what has come in of it, at most.
    expect(bytes).toBeLessThanOrEqual(100 * ZEROS.length);
    expect(bytes).toBeLessThan(32 << 20);
    expect(stat(errors)).toBe(1);
    expect(await left("decompressor")).toEqual(NOTHING);
  });
});

describe.each(NAMES)("a client that goes, with the filter %s", (name) => {
  const requests: Readonly<Record<string, string>> = {
    "in the middle of its body":
      "POST / HTTP/1.1\r\nhost: a\r\naccept-encoding: gzip\r\ncontent-length: 100\r\n\r\nbegun",
    "while it waits": "GET /silent HTTP/1.1\r\nhost: a\r\n\r\n",
    "in the middle of the answer":
      "GET /endless HTTP/1.1\r\nhost: a\r\naccept-encoding: gzip\r\n\r\n",
  };

  test.each(Object.keys(requests))("%s leaves nothing", async (when) => {
    const started = stat(`http.${name}.downstream_rq_total`) + 1;
    const socket = connect(ports[name] ?? 0, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(requests[when] ?? "");
    await until(() => stat(`http.${name}.downstream_rq_total`) === started, "the request");
    if (when.endsWith("answer") && name !== "fault") await once(socket, "data");
    socket.resetAndDestroy();
    expect(await left(name)).toEqual(NOTHING);
  });

  test.each(["stream", "session"])("by resetting its %s leaves nothing", async (what) => {
    const session = openSession(name);
    const headers = { "accept-encoding": "gzip" };
    const streams = [
      session.request({ ":path": "/endless", ...headers }),
      session.request({ ":path": "/silent", ...headers }),
      session.request({ ":method": "POST", ":path": "/", ...headers }),
    ];
    const started = stat(`http.${name}.downstream_rq_total`) + streams.length;
    for (const stream of streams) stream.on("error", () => undefined).resume();
    streams[2]?.write("begun");
    await until(() => stat(`http.${name}.downstream_rq_total`) === started, "the requests");
    if (what === "session") session.destroy();
    else for (const stream of streams) stream.close(8);
    expect(await left(name)).toEqual(NOTHING);
  });
});

describe("a connection to an upstream", () => {
  test("is read on after a compressor was full as a body ended", async () => {
    const session = openSession("compressor");
    const body = Buffer.alloc(20_000, "text ");
    for (let times = 0; times < 4; times++) {
      const stream = session.request({
        ":method": "POST",
        ":path": "/",
        "accept-encoding": "gzip",
      });
      stream.end(body);
      stream.resume();
      const [answer] = await once(stream, "response");
      expect((answer as Record<string, unknown>)["content-encoding"]).toBe("gzip");
      await once(stream, "close");
    }
    expect(stat("cluster.up.upstream_rq_active")).toBe(0);
  });
});

describe("a WebSocket whose client ends first", () => {
  test("is ended by the proxy when its upstream has ended", async () => {
    const socket = connect(ports["compressor"] ?? 0, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n");
    await once(socket, "data");
    socket.write("said");
    await once(socket, "data");
    socket.end();
    await once(socket, "close");
    expect(await left("compressor")).toEqual(NOTHING);
    await until(() => stat("http.compressor.downstream_cx_active") === 0, "connections to end");
  });
});
