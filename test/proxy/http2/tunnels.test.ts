import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  createServer as createHttp2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../../controlplane/until.ts";
import { httpListener, socketAddress, staticCluster, tcpListener } from "../bootstrap-json.ts";
import { BothPlanes, converse } from "../both-planes.ts";
import { http2Options } from "../http2-cluster.ts";
import { plainHeaders } from "./plain-headers.ts";

const NAMES = ["http", "tcp", "posts", "forbidden", "resets"] as const;
type Name = (typeof NAMES)[number];

/** So much goes through a tunnel both ways: more than any window. */
const LARGE = `${"0123456789".repeat(200_000)} and the end of it`;

const planes = new BothPlanes<Name>();
const servers: { close(): unknown }[] = [];
const sessions = new Set<ServerHttp2Session>();
const sockets = new Set<Socket>();
/** What upstreams were asked since the last look: heads, and bodies of mirrored requests. */
const asked: (readonly string[])[] = [];
const copies: string[] = [];

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** Opens every tunnel and WebSocket, says hello and sends back what comes. */
async function startHttp2(): Promise<number> {
  const server = createHttp2Server({ settings: { enableConnectProtocol: true } });
  server.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => undefined);
    session.on("close", () => sessions.delete(session));
  });
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.on("error", () => undefined);
    asked.push(plainHeaders(headers));
    const authority = headers[":authority"];
    if (authority === "forbidden.test:1")
      return stream.respond({ ":status": 403 }, { endStream: true });
    if (authority === "resets.test:1") return stream.close(8);
    stream.respond({ ":status": 200 });
    stream.write("hello ");
    stream.pipe(stream);
  });
  return listen(server as unknown as Server);
}

/** The same over HTTP/1.1: for WebSocket, and as the far end of a CONNECT that ends in the proxy. */
async function startOld(answer: string): Promise<number> {
  return listen(
    createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      let text = "";
      const read = (bytes: Buffer): void => {
        text += bytes.toString("latin1");
        const end = answer === "" ? 0 : text.indexOf("\r\n\r\n") + 4;
        if (end === 3) return;
        socket.off("data", read);
        if (answer !== "") asked.push(text.slice(0, end).trim().split("\r\n").map(lasting).sort());
        socket.write(`${answer}hello ${text.slice(end)}`);
        socket.pipe(socket);
      };
      socket.on("data", read);
    }),
  );
}

function lasting(line: string): string {
  return line.replace(/^x-request-id: .*/, "x-request-id: new");
}

/** Where copies of requests go. */
async function startMirror(): Promise<number> {
  const server = createHttp2Server();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => undefined);
  });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => undefined);
    let body = "";
    stream.on("data", (bytes: Buffer) => {
      body += bytes.toString("latin1");
    });
    stream.on("end", () => {
      copies.push(`${headers[":authority"]} ${headers[":path"]} ${body.length}`);
      stream.respond({ ":status": 200 }, { endStream: true });
    });
  });
  return listen(server as unknown as Server);
}

const SWITCHES =
  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Accept: x\r\n\r\n";

beforeAll(async () => {
  const two = await startHttp2();
  const one = await startOld(SWITCHES);
  const far = await startOld("");
  const mirror = await startMirror();
  const plain = await startOld("HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n");
  const websocket = { upgrade_configs: [{ upgrade_type: "websocket" }] };
  const ends = { upgrade_configs: [{ upgrade_type: "CONNECT", connect_config: {} }] };
  const passes = { upgrade_configs: [{ upgrade_type: "CONNECT" }] };
  const tunnel = (name: Name, hostname: string, more: object = {}): object => ({
    name,
    options: { cluster: "two", tunneling_config: { hostname, ...more }, max_connect_attempts: 1 },
  });
  const tunnels = [
    tunnel("tcp", "a.test:1"),
    tunnel("posts", "a.test:1", { use_post: true, post_path: "/tunnel" }),
    tunnel("forbidden", "forbidden.test:1"),
    tunnel("resets", "resets.test:1"),
  ] as { name: Name; options: object }[];
  await planes.start(NAMES, (ports) => ({
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [
        httpListener("http", ports.http, {
          codec_type: "AUTO",
          http2_protocol_options: { allow_connect: true },
          route_config: {
            name: "local",
            virtual_hosts: [
              {
                name: "connects",
                domains: ["far.test:1"],
                routes: [{ match: { connect_matcher: {} }, route: { cluster: "far", ...ends } }],
              },
              {
                name: "passes",
                domains: ["two.test:1", "forbidden.test:1"],
                routes: [{ match: { connect_matcher: {} }, route: { cluster: "two", ...passes } }],
              },
              {
                name: "websockets",
                domains: ["*"],
                routes: [
                  { match: { prefix: "/one" }, route: { cluster: "one", ...websocket } },
                  { match: { prefix: "/two" }, route: { cluster: "two", ...websocket } },
                  {
                    match: { prefix: "/mirrored" },
                    route: {
                      cluster: "plain",
                      request_mirror_policies: [{ cluster: "mirror" }],
                    },
                  },
                ],
              },
            ],
          },
        }),
        ...tunnels.map(({ name, options }) => tcpListener(name, ports[name], options)),
      ],
      clusters: [
        staticCluster("one", [one]),
        staticCluster("two", [two], http2Options({ allow_connect: true })),
        staticCluster("far", [far]),
        staticCluster("plain", [plain]),
        staticCluster("mirror", [mirror], http2Options()),
      ],
    },
  }));
});

afterAll(async () => {
  await planes.stop();
  for (const session of sessions) session.destroy();
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
});

/** What one side of a tunnel got. */
interface Got {
  readonly status: string;
  readonly body: string;
  readonly asked: readonly (readonly string[])[];
}

function take(): readonly (readonly string[])[] {
  return asked.splice(0).map((lines) => lines.map(lasting));
}

/**
 * Opens a stream over HTTP/2, says something when it is open, and ends it when it all came back, in
 * order or by breaking it off.
 */
async function overHttp2(
  port: number,
  headers: object,
  say: string,
  endsInOrder = true,
): Promise<Got> {
  const session: ClientHttp2Session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on("error", () => undefined);
  await once(session, "remoteSettings");
  const stream: ClientHttp2Stream = session.request(
    { ":method": "CONNECT", ...headers },
    { endStream: false },
  );
  let body = "";
  let status = "";
  let isOver = false;
  stream.on("error", () => undefined);
  stream.on("response", (head) => {
    status = String(head[":status"]);
    if (status === "200") stream.write(say);
  });
  stream.on("data", (bytes: Buffer) => {
    body += bytes.toString("latin1");
    if (body.length < "hello ".length + say.length) return;
    if (endsInOrder) stream.end();
    else stream.close(8);
  });
  stream.on("close", () => {
    isOver = true;
  });
  await until(() => isOver, "the stream to end");
  session.destroy();
  return { status, body: inShort(body, say), asked: take() };
}

function inShort(body: string, say: string): string {
  return body === `hello ${say}` ? "hello and all of it" : `${body.length} ${body.slice(0, 200)}`;
}

/** Upgrades a connection of HTTP/1.1. */
async function overHttp1(port: number, path: string, say: string): Promise<Got> {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  let isOver = false;
  socket.on("error", () => undefined);
  socket.on("close", () => {
    isOver = true;
  });
  const headOf = (): number => text.indexOf("\r\n\r\n");
  socket.on("data", (bytes: Buffer) => {
    const hadHead = headOf() !== -1;
    text += bytes.toString("latin1");
    if (!hadHead && headOf() !== -1) socket.write(say);
    if (headOf() !== -1 && text.length >= headOf() + 4 + "hello ".length + say.length) socket.end();
  });
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n\r\n",
  );
  await until(() => isOver, "the connection to end");
  const head = text.slice(0, headOf()).split("\r\n").map(plain).sort().join("\n");
  return { status: head, body: inShort(text.slice(headOf() + 4), say), asked: take() };
}

function plain(line: string): string {
  return line.replace(/^(date|x-envoy-upstream-service-time): .*/, "$1: some");
}

const WEBSOCKET = { ":protocol": "websocket", ":scheme": "http", ":authority": "a.test" };

describe("over HTTP/2, as through Envoy,", () => {
  for (const [amount, say] of [
    ["little", "how are you"],
    ["much", LARGE],
  ] as const) {
    test.each(["/one", "/two"])(`a WebSocket to %s carries ${amount}`, async (path) => {
      const { weft, envoy } = await planes.each(({ ports }) =>
        // The end of one side alone Envoy does not tell a WebSocket of HTTP/1.1.
        overHttp2(ports.http, { ...WEBSOCKET, ":path": path }, say, path !== "/one"),
      );
      expect(weft.body).toBe("hello and all of it");
      expect(weft).toEqual(envoy);
    });

    test(`a WebSocket of HTTP/1.1 to an upstream of HTTP/2 carries ${amount}`, async () => {
      const { weft, envoy } = await planes.each(({ ports }) => overHttp1(ports.http, "/two", say));
      expect(weft.body).toBe("hello and all of it");
      expect(weft).toEqual(envoy);
    });

    test.each(["far.test:1", "two.test:1"])(`a CONNECT to %s carries ${amount}`, async (host) => {
      const { weft, envoy } = await planes.each(({ ports }) =>
        overHttp2(ports.http, { ":authority": host }, say),
      );
      expect(weft.body).toBe("hello and all of it");
      expect(weft).toEqual(envoy);
    });

    test.each(["tcp", "posts"] as const)(
      `a TCP connection in a tunnel (%s) carries ${amount}`,
      async (name) => {
        const { weft, envoy } = await planes.each(async ({ ports }) => {
          const { got, end } = await converse({
            to: { port: ports[name], host: "127.0.0.1" },
            send: say,
            enough: say.slice(-10),
          });
          await until(() => asked.length > 0, "the request");
          return { got: inShort(got, say), end, asked: take() };
        });
        expect(weft.got).toBe("hello and all of it");
        expect(weft).toEqual(envoy);
      },
    );
  }

  test("a WebSocket to an upstream of HTTP/1.1 ends in order with its client's side", async () => {
    const [weft] = planes.planes;
    if (weft === undefined) throw new Error("nothing was started");
    const got = await overHttp2(weft.ports.http, { ...WEBSOCKET, ":path": "/one" }, "bye");
    expect(got).toMatchObject({ status: "200", body: "hello and all of it" });
  });

  test("a CONNECT that the upstream forbids is answered so", async () => {
    const { weft, envoy } = await planes.each(({ ports }) =>
      overHttp2(ports.http, { ":authority": "forbidden.test:1" }, ""),
    );
    expect(weft.status).toBe("403");
    expect(weft).toEqual(envoy);
  });

  test.each(["forbidden", "resets"] as const)(
    "a tunnel that is not granted (%s) ends",
    async (name) => {
      const { weft, envoy } = await planes.each(async ({ ports }) => {
        const conversation = await converse({
          to: { port: ports[name], host: "127.0.0.1" },
        });
        return { ...conversation, asked: take() };
      });
      expect(weft).toEqual(envoy);
    },
  );

  test("requests of either version are copied to an upstream of HTTP/2", async () => {
    const { weft, envoy } = await planes.each(async ({ ports }) => {
      const url = `http://127.0.0.1:${ports.http}/mirrored`;
      await fetch(url, { headers: { host: "a.test" } }).then((answer) => answer.text());
      await fetch(url, { method: "POST", body: "b".repeat(100_000) }).then((answer) =>
        answer.text(),
      );
      const session = connectHttp2(`http://127.0.0.1:${ports.http}`);
      session.on("error", () => undefined);
      const stream = session.request({
        ":method": "POST",
        ":path": "/mirrored",
        ":authority": "c",
      });
      stream.resume();
      stream.end("small");
      await once(stream, "close");
      session.destroy();
      await until(() => copies.length >= 3, "three copies");
      take();
      return copies
        .splice(0)
        .map((line) => line.replace(String(ports.http), "port"))
        .sort();
    });
    expect(weft).toEqual(envoy);
  });
});
