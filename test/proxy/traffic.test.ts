import { once } from "node:events";
import { createServer, request } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import {
  httpListener,
  routeTable,
  socketAddress,
  staticCluster,
  tcpListener,
} from "./bootstrap-json.ts";
import { freePorts, startWeft } from "./data-plane.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";
import { headerOf } from "./wire-message.ts";

const MEGABYTE = 1024 * 1024;
const BODY_BYTES = 50 * MEGABYTE;
/** What one stalled connection may hold: socket buffers of two sides, a read, a margin. */
const HELD_BYTES_MAX = 16 * MEGABYTE;

const closers: (() => Promise<unknown> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function startUpstream(
  scripts: Parameters<typeof ScriptedUpstream.start>[0] = {},
  port = 0,
): Promise<ScriptedUpstream> {
  const upstream = await ScriptedUpstream.start(scripts, port);
  closers.push(() => upstream.stop());
  return upstream;
}

/** Starts a proxy with one HTTP listener; returns its port. */
async function startProxy(routes: readonly object[], clusters: readonly object[]): Promise<number> {
  const [port = 0] = await freePorts(1);
  const weft = await startWeft({
    static_resources: {
      listeners: [httpListener("in", port, { route_config: routeTable(routes) })],
      clusters,
    },
  });
  closers.push(() => weft.stop());
  return port;
}

function toCluster(retryPolicy?: object): object {
  const policy = retryPolicy === undefined ? {} : { retry_policy: retryPolicy };
  return { match: { prefix: "/" }, route: { cluster: "up", ...policy } };
}

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

async function get(port: number, text = GET): Promise<{ status: number; body: string }> {
  const { messages } = await exchangeRaw({ port, parts: [text], answers: 1 });
  const [answer] = messages;
  return { status: Number(answer?.line.split(" ")[1]), body: answer?.body ?? "" };
}

/** A server that counts what it is sent and answers so many bytes. */
async function startBulkServer(answerBytes: number): Promise<{ port: number; received: number }> {
  const state = { port: 0, received: 0 };
  const chunk = Buffer.alloc(MEGABYTE, "x");
  const server = createServer((incoming, response) => {
    incoming.on("data", (bytes: Buffer) => {
      state.received += bytes.length;
    });
    incoming.on("end", () => {
      response.writeHead(200, incoming.url === "/length" ? { "content-length": answerBytes } : {});
      let left = answerBytes;
      const write = (): void => {
        while (left > 0) {
          left -= chunk.length;
          if (!response.write(chunk)) {
            response.once("drain", write);
            return;
          }
        }
        response.end();
      };
      write();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  state.port = (server.address() as AddressInfo).port;
  closers.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return state;
}

describe("bodies", () => {
  test.each(["/length", "/chunked"])("50 MB go both ways, %s", async (path) => {
    const bulk = await startBulkServer(BODY_BYTES);
    const port = await startProxy([toCluster()], [staticCluster("up", [bulk.port])]);
    const sent = request({ host: "127.0.0.1", port, path, method: "POST" });
    const answered = once(sent, "response");
    const chunk = Buffer.alloc(MEGABYTE, "y");
    for (let at = 0; at < BODY_BYTES; at += chunk.length) {
      if (!sent.write(chunk)) await once(sent, "drain");
    }
    sent.end();
    const [response] = (await answered) as [AsyncIterable<Buffer>];
    let got = 0;
    for await (const bytes of response) got += bytes.length;
    expect({ got, sent: bulk.received }).toEqual({ got: BODY_BYTES, sent: BODY_BYTES });
  });

  test("a client that does not read makes the upstream wait", async () => {
    let written = 0;
    const chunk = Buffer.alloc(MEGABYTE, "x");
    const server = createTcpServer((socket) => {
      socket.on("error", () => undefined);
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BODY_BYTES * 4}\r\n\r\n`);
      const write = (): void => {
        while (written < BODY_BYTES * 4) {
          written += chunk.length;
          if (!socket.write(chunk)) return;
        }
      };
      socket.on("drain", write);
      write();
    });
    const upPort = await listen(server);
    const port = await startProxy([toCluster()], [staticCluster("up", [upPort])]);
    const client = connect(port, "127.0.0.1");
    closers.push(() => void client.destroy());
    client.write(GET);
    await once(client, "readable");
    await whenSteady(() => written);
    expect(written).toBeLessThan(HELD_BYTES_MAX);
    const before = written;
    client.resume();
    await until(() => written > before + 4 * MEGABYTE, "the upstream to go on");
  });

  test("an upstream that does not read makes the client wait", async () => {
    const sockets: Socket[] = [];
    const server = createTcpServer({ pauseOnConnect: true }, (socket) => sockets.push(socket));
    const upPort = await listen(server);
    const port = await startProxy([toCluster()], [staticCluster("up", [upPort])]);
    const client = connect(port, "127.0.0.1");
    closers.push(() => void client.destroy());
    client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${BODY_BYTES * 4}\r\n\r\n`);
    const chunk = Buffer.alloc(MEGABYTE, "x");
    let written = 0;
    const write = (): void => {
      while (written < BODY_BYTES * 4) {
        written += chunk.length;
        if (!client.write(chunk)) return;
      }
    };
    client.on("drain", write);
    write();
    await whenSteady(() => written);
    expect(written).toBeLessThan(HELD_BYTES_MAX);
    const before = written;
    for (const socket of sockets) socket.resume();
    await until(() => written > before + 4 * MEGABYTE, "the client to go on");
  });

  test("a response that breaks off is broken off", async () => {
    const head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
    const up = await startUpstream({ "/": { send: head, end: "fin" } });
    const port = await startProxy([toCluster()], [staticCluster("up", [up.port])]);
    const answer = await exchangeRaw({ port, parts: [GET], answers: 1 });
    expect(answer.messages).toEqual([]);
    expect(answer.rest).toContain("half");
  });

  test("a client that goes takes its upstream request with it", async () => {
    const up = await startUpstream({ "/": {} });
    const port = await startProxy([toCluster()], [staticCluster("up", [up.port])]);
    const client = connect(port, "127.0.0.1");
    client.write(GET);
    await until(() => up.requests.length === 1, "the request");
    client.destroy();
    await until(() => up.openConnections === 0, "the upstream connection to close");
    expect(up.connections).toBe(1);
  });

  test("bytes behind a response are not taken for the next one's", async () => {
    const twice =
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    const up = await startUpstream({ "/": { send: twice } });
    const port = await startProxy([toCluster()], [staticCluster("up", [up.port])]);
    const { messages } = await exchangeRaw({ port, parts: [GET + GET], answers: 2 });
    expect(messages.map(({ body }) => body)).toEqual(["hi", "hi"]);
    expect(up.connections).toBe(2);
  });
});

describe("a request in which nothing moves", () => {
  test("ends after the stream idle timeout, and its late answer goes nowhere", async () => {
    const up = await startUpstream({ "/slow": {} });
    const [port = 0] = await freePorts(1);
    const options = { route_config: routeTable([toCluster()]), stream_idle_timeout: "0.1s" };
    const weft = await startWeft({
      static_resources: {
        listeners: [httpListener("in", port, options)],
        clusters: [staticCluster("up", [up.port])],
      },
    });
    closers.push(() => weft.stop());
    const slow = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";
    expect(await get(port, slow)).toEqual({ status: 504, body: "stream timeout" });
    const half = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe";
    expect(await get(port, half)).toEqual({ status: 408, body: "stream timeout" });
    await until(() => up.openConnections === 0, "the upstream connections to close");
    expect((await get(port)).status).toBe(200);
  });
});

describe("upstream connections", () => {
  test("are kept and used again", async () => {
    const up = await startUpstream();
    const port = await startProxy([toCluster()], [staticCluster("up", [up.port])]);
    for (let times = 0; times < 5; times++) expect((await get(port)).status).toBe(200);
    expect(up.connections).toBe(1);
  });

  test("serve so many requests as the cluster says", async () => {
    const up = await startUpstream();
    const limited = staticCluster("up", [up.port], { max_requests_per_connection: 2 });
    const port = await startProxy([toCluster()], [limited]);
    for (let times = 0; times < 5; times++) expect((await get(port)).status).toBe(200);
    expect(up.connections).toBe(3);
  });

  test("are as many as the circuit breaker allows, and further requests wait or overflow", async () => {
    const up = await startUpstream({ "/slow": {} });
    const thresholds = [{ max_connections: 1, max_pending_requests: 1 }];
    const limited = staticCluster("up", [up.port], { circuit_breakers: { thresholds } });
    const [port = 0] = await freePorts(1);
    const weft = await startWeft({
      admin: { address: socketAddress(0) },
      static_resources: {
        listeners: [httpListener("in", port, { route_config: routeTable([toCluster()]) })],
        clusters: [limited],
      },
    });
    closers.push(() => weft.stop());
    const waiting = async (): Promise<boolean> => {
      const stats = await fetch(`http://${weft.proxy.adminAddress}/stats`);
      return (await stats.text()).includes("cluster.up.upstream_rq_pending_active: 1\n");
    };
    const startSlow = (): Socket => {
      const client = connect(port, "127.0.0.1");
      client.write("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
      closers.push(() => void client.destroy());
      return client;
    };
    const first = startSlow();
    await until(() => up.requests.length === 1, "the first request");
    startSlow();
    await until(waiting, "the second request to wait");
    const { messages } = await exchangeRaw({ port, parts: [GET], answers: 1 });
    expect(messages[0]?.line).toContain("503");
    expect(messages[0]?.body).toContain("reset reason: overflow");
    expect(headerOf(messages[0], "x-envoy-overloaded")).toBe("true");
    first.destroy();
    await until(() => up.requests.length === 2, "the waiting request");
    expect(up.connections).toBe(2);
  });

  test("that their peer closed are not used", async () => {
    const up = await startUpstream();
    const port = await startProxy([toCluster()], [staticCluster("up", [up.port])]);
    await get(port);
    const { port: upPort } = up;
    await up.stop();
    const again = await startUpstream({}, upPort);
    expect((await get(port)).status).toBe(200);
    expect(again.connections).toBe(1);
  });
});

describe("retries", () => {
  const ISTIO = {
    retry_on: "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
    num_retries: 2,
    retry_host_predicate: [
      {
        name: "envoy.retry_host_predicates.previous_hosts",
        typed_config: {
          "@type":
            "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
        },
      },
    ],
    host_selection_retry_max_attempts: 5,
    retriable_status_codes: [503],
  };

  test("go to another host when one refuses", async () => {
    const up = await startUpstream();
    const [refused = 0] = await freePorts(1);
    const port = await startProxy([toCluster(ISTIO)], [staticCluster("up", [refused, up.port])]);
    for (let times = 0; times < 10; times++) expect((await get(port)).status).toBe(200);
  });

  test("end with what the last attempt said", async () => {
    const [refused = 0] = await freePorts(1);
    const port = await startProxy([toCluster(ISTIO)], [staticCluster("up", [refused])]);
    expect(await get(port)).toMatchObject({
      status: 503,
      body: "upstream connect error or disconnect/reset before headers. retried and the latest reset reason: remote connection failure",
    });
  });

  test("send the body again", async () => {
    const busy = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy";
    const bad = await startUpstream({ "/": { send: busy } });
    const good = await startUpstream();
    const cluster = staticCluster("up", [bad.port, good.port]);
    const port = await startProxy([toCluster(ISTIO)], [cluster]);
    const post =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    for (let times = 0; times < 4; times++) expect((await get(port, post)).status).toBe(200);
    expect(good.requests.map(({ body }) => body)).toEqual(["hello", "hello", "hello", "hello"]);
    expect(bad.requests.length).toBeGreaterThan(0);
    // What answered in order is kept, although its answer was not wanted.
    expect(bad.connections).toBe(1);
  });

  test("are not made for a body that is too long to keep", async () => {
    const busy = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy";
    const bad = await startUpstream({ "/": { send: busy } });
    const cluster = staticCluster("up", [bad.port], { per_connection_buffer_limit_bytes: 1000 });
    const port = await startProxy([toCluster(ISTIO)], [cluster]);
    const post = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n${"x".repeat(2000)}`;
    expect((await get(port, post)).body).toBe("busy");
    expect(bad.requests).toHaveLength(1);
  });

  test("follow a kept connection that closes under a request that may be sent twice", async () => {
    let answered = 0;
    const server = createTcpServer((socket) => {
      socket.on("error", () => undefined);
      socket.on("data", () => {
        // Every second request on a connection meets its end.
        if (answered++ % 2 === 0) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        else socket.destroy();
      });
    });
    const upPort = await listen(server);
    const port = await startProxy([toCluster(ISTIO)], [staticCluster("up", [upPort])]);
    for (let times = 0; times < 4; times++) expect((await get(port)).status).toBe(200);
    const post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    expect((await get(port, post)).status).toBe(503);
  });
});

describe("a TCP listener", () => {
  test("passes bytes on, and each end by itself", async () => {
    const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
      let got = "";
      socket.on("error", () => undefined);
      socket.on("data", (bytes: Buffer) => {
        got += bytes.toString("latin1");
      });
      socket.on("end", () => socket.end(`got ${got}`));
    });
    const upPort = await listen(server);
    const port = await startTcp([staticCluster("up", [upPort])], { cluster: "up" });
    expect(await converse(port, "hello")).toBe("got hello");
  });

  test("spreads over weighted clusters", async () => {
    const answering = (text: string) => createTcpServer((socket) => socket.end(text));
    const a = await listen(answering("a"));
    const b = await listen(answering("b"));
    const weighted = {
      clusters: [
        { name: "a", weight: 50 },
        { name: "b", weight: 50 },
      ],
    };
    const clusters = [staticCluster("a", [a]), staticCluster("b", [b])];
    const port = await startTcp(clusters, { weighted_clusters: weighted });
    const seen = new Set<string>();
    for (let times = 0; times < 40; times++) seen.add(await converse(port, ""));
    expect([...seen].sort()).toEqual(["a", "b"]);
  });

  test("closes when nobody answers behind it", async () => {
    const [refused = 0] = await freePorts(1);
    const port = await startTcp([staticCluster("up", [refused])], { cluster: "up" });
    expect(await converse(port, "")).toBe("");
  });

  async function startTcp(clusters: readonly object[], options: object): Promise<number> {
    const [port = 0] = await freePorts(1);
    const listeners = [tcpListener("tcp", port, options)];
    const weft = await startWeft({ static_resources: { listeners, clusters } });
    closers.push(() => weft.stop());
    return port;
  }

  async function converse(port: number, text: string): Promise<string> {
    const client = connect(port, "127.0.0.1");
    client.on("error", () => undefined);
    let got = "";
    client.on("data", (bytes: Buffer) => {
      got += bytes.toString("latin1");
    });
    client.end(text);
    await once(client, "close");
    return got;
  }
});

describe("several proxies in one process", () => {
  test("share nothing and leave nothing", async () => {
    const up = await startUpstream();
    const ports: number[] = [];
    for (let at = 0; at < 3; at++) {
      ports.push(await startProxy([toCluster()], [staticCluster("up", [up.port])]));
    }
    for (const port of ports) expect((await get(port)).status).toBe(200);
    expect(up.connections).toBe(3);
  });

  test("a port that is taken is named", async () => {
    const port = await startProxy([toCluster()], [staticCluster("up", [1])]);
    const listeners = [httpListener("in", port, { route_config: routeTable([]) })];
    await expect(
      startWeft({ static_resources: { listeners }, admin: { address: socketAddress(0) } }),
    ).rejects.toThrow(`cannot bind '127.0.0.1:${port}'`);
  });
});

async function listen(server: ReturnType<typeof createTcpServer>): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** Waits until a number has stood still for a while. */
async function whenSteady(read: () => number): Promise<void> {
  let last = -1;
  let times = 0;
  await until(() => {
    times = read() === last ? times + 1 : 0;
    last = read();
    return times > 20 ? true : undefined;
  }, "a number to stand still");
}
