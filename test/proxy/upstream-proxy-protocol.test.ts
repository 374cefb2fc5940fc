import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  filter,
  httpListener,
  listenerOf,
  routeTable,
  socketAddress,
  staticCluster,
} from "./bootstrap-json.ts";
import { BothPlanes, type Plane } from "./both-planes.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import { TestAuthority } from "./test-pki.ts";
import { upstreamTls } from "./tls-json.ts";

const TRANSPORT =
  "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport";
const PROXY_FILTER = "listener.proxy_protocol.v3.ProxyProtocol";
const RAW = {
  name: "envoy.transport_sockets.raw_buffer",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer",
  },
};

function transport(config: object | undefined, inner: object = RAW): object {
  return {
    name: "envoy.transport_sockets.upstream_proxy_protocol",
    typed_config: {
      "@type": `type.googleapis.com/${TRANSPORT}`,
      ...(config === undefined ? {} : { config }),
      transport_socket: inner,
    },
  };
}

interface Scenario {
  readonly transport?: object;
  /** Merged into the cluster. */
  readonly cluster?: object;
  /** The listener expects a PROXY header itself. */
  readonly listens?: object;
  readonly isTcp?: true;
  readonly isTls?: true;
}

/** One has room, two have not. */
const LONG_VALUE = "x".repeat(40_000);
const LONG = { type: 0xe5, value: Buffer.from(LONG_VALUE).toString("base64") };
const ALL = { match_type: "INCLUDE_ALL" };
const some = (...types: readonly number[]): object => ({ match_type: "INCLUDE", tlv_type: types });

const SCENARIOS = {
  v1: { transport: transport({ version: "V1" }) },
  v2: { transport: transport({ version: "V2" }) },
  unsaid: { transport: transport(undefined) },
  behind1: { transport: transport({ version: "V1" }), listens: {} },
  behind2: { transport: transport({ version: "V2" }), listens: {} },
  all: {
    transport: transport({ version: "V2", pass_through_tlvs: ALL }),
    listens: { pass_through_tlvs: ALL },
  },
  few: {
    transport: transport({ version: "V2", pass_through_tlvs: some(0xe1) }),
    listens: { pass_through_tlvs: some(0x02, 0xe1) },
  },
  added: {
    transport: transport({
      version: "V2",
      pass_through_tlvs: ALL,
      added_tlvs: [
        { type: 0xe5, value: "bmV3" },
        { type: 0x02, value: "bWluZQ==" },
        { type: 0xe5, value: "eA==" },
      ],
    }),
    listens: { pass_through_tlvs: ALL },
  },
  large: {
    transport: transport({
      version: "V2",
      pass_through_tlvs: ALL,
      added_tlvs: [LONG, LONG, { type: 0xe7, value: "eg==" }],
    }),
    listens: { pass_through_tlvs: ALL },
  },
  text: {
    transport: transport({ version: "V1", added_tlvs: [{ type: 0xe5, value: "bmV3" }] }),
  },
  kept: {
    transport: transport({ version: "V2", pass_through_tlvs: ALL }),
    listens: {},
  },
  tcp1: { transport: transport({ version: "V1" }), isTcp: true },
  tcp2: {
    transport: transport({ version: "V2", pass_through_tlvs: ALL }),
    listens: { pass_through_tlvs: ALL },
    isTcp: true,
  },
  tls: { transport: transport({ version: "V1" }, upstreamTls({})), isTls: true },
  tcptls: { transport: transport({ version: "V2" }, upstreamTls({})), isTcp: true, isTls: true },
  matched: {
    cluster: {
      transport_socket_matches: [
        { name: "a", match: {}, transport_socket: transport({ version: "V2" }) },
      ],
    },
  },
} satisfies Readonly<Record<string, Scenario>>;

type Name = keyof typeof SCENARIOS;
const NAMES = Object.keys(SCENARIOS) as Name[];

const both = new BothPlanes<Name>();
const servers: Server[] = [];
const sockets = new Set<Socket>();
/** The header of every connection, in Latin-1, in the order in which they came. */
const headers: string[] = [];
const SIGNATURE = "\r\n\r\n\0\r\nQUIT\n";

/** How long the header is that these bytes begin with; -1 while that cannot be told. */
function headerLength(text: string): number {
  if (text.startsWith("PROXY ")) return text.indexOf("\r\n") === -1 ? -1 : text.indexOf("\r\n") + 2;
  if (!text.startsWith(SIGNATURE) || text.length < 16) return -1;
  const length = 16 + Buffer.from(text, "latin1").readUInt16BE(14);
  return text.length < length ? -1 : length;
}

/** Takes the header off each connection, and gives the rest to whoever serves it. */
async function serve(onSocket: (socket: Socket, connection: number) => void): Promise<number> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    let bytes = Buffer.alloc(0);
    const read = (): void => {
      for (let more = socket.read() as Buffer | null; more !== null; more = socket.read()) {
        bytes = Buffer.concat([bytes, more]);
      }
      const text = bytes.toString("latin1");
      const length = headerLength(text);
      if (length === -1) return;
      socket.off("readable", read);
      const connection = headers.push(text.slice(0, length)) - 1;
      if (bytes.length > length) socket.unshift(bytes.subarray(length));
      onSocket(socket, connection);
    };
    socket.on("readable", read);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

const END = "\r\n\r\n";

/** Answers every request with the number of its connection. */
function answer(socket: Socket, connection: number): void {
  const body = String(connection);
  socket.on("error", () => undefined);
  let heads = "";
  socket.on("data", (bytes: Buffer) => {
    heads += bytes.toString("latin1");
    for (let at = heads.indexOf(END); at !== -1; at = heads.indexOf(END)) {
      heads = heads.slice(at + END.length);
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    }
  });
}

beforeAll(async () => {
  const plain = await serve(answer);
  const { cert, key } = await (await TestAuthority.create()).issue();
  const tlsServer = createTlsServer({ cert, key });
  tlsServer.on("tlsClientError", () => undefined);
  const numbers = new Map<number | undefined, number>();
  tlsServer.on("secureConnection", (socket) => {
    answer(socket, numbers.get(socket.remotePort) ?? -1);
  });
  const tls = await serve((socket, connection) => {
    numbers.set(socket.remotePort, connection);
    tlsServer.emit("connection", socket);
  });
  await both.start(NAMES, (ports) => ({
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: NAMES.map((name) => listener(name, ports[name])),
      clusters: NAMES.map((name) => {
        const scenario: Scenario = SCENARIOS[name];
        const upstream = scenario.isTls === true ? tls : plain;
        const { transport: socket, cluster } = scenario;
        const over = socket === undefined ? {} : { transport_socket: socket };
        return staticCluster(name, [upstream], { ...over, ...cluster });
      }),
    },
  }));
});

function listener(name: Name, port: number): object {
  const { listens, isTcp }: Scenario = SCENARIOS[name];
  const inner =
    isTcp === true
      ? listenerOf(name, port, [
          filter("network.tcp_proxy.v3.TcpProxy", { stat_prefix: name, cluster: name }),
        ])
      : httpListener(name, port, {
          use_remote_address: true,
          route_config: routeTable([{ match: { prefix: "/" }, route: { cluster: name } }]),
        });
  return listens === undefined
    ? inner
    : { ...inner, listener_filters: [filter(PROXY_FILTER, listens)] };
}

afterAll(async () => {
  await both.stop();
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
});

const REQUEST = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n";
const TEXT4 = "PROXY TCP4 1.2.3.4 5.6.7.8 10 20\r\n";
const TEXT6 = "PROXY TCP6 2001:db8::1 2001:db8::2 10 20\r\n";
const IPV4 = "\u0001\u0002\u0003\u0004\u0005\u0006\u0007\u0008\0\u000a\0\u0014";

function binary(command: number, rest: string): string {
  const head = [command, command === 0x20 ? 0 : 0x11, rest.length >> 8, rest.length & 255];
  return SIGNATURE + String.fromCharCode(...head) + rest;
}

function tlv(type: number, value: string): string {
  return String.fromCharCode(type, value.length >> 8, value.length & 255) + value;
}

/** Two of one kind, one of another, one that is empty. */
const TLVS_BUT_FIRST = tlv(0xe1, "\xff\0x") + tlv(0xe2, "") + tlv(0xe1, "again");
const TLVS = tlv(0x02, "a.test") + TLVS_BUT_FIRST;

/** What a client sees and its host is told: without the client's own port, which is chance. */
async function outcome(plane: Plane<Name>, name: Name, before: string): Promise<object> {
  const from = headers.length;
  const to = { port: plane.ports[name], answers: 2 };
  const { messages } = await exchangeRaw({ ...to, parts: [before + REQUEST, REQUEST] });
  return {
    // Both requests of a client go over one connection.
    bodies: messages.map(({ body }) => Number(body) - from),
    headers: headers.slice(from).map((header) => {
      if (before !== "") return header;
      return withoutPorts(header);
    }),
  };
}

const LOOPS = "\x7f\0\0\x01\x7f\0\0\x01";

function withoutPorts(header: string): string {
  const at = header.indexOf(LOOPS) + LOOPS.length;
  if (at < LOOPS.length) return header.replace(/ \d+ \d+\r\n$/, " PORT PORT\r\n");
  return `${header.slice(0, at)}PORT${header.slice(at + 4)}`;
}

const LOCAL4 = "PROXY TCP4 127.0.0.1 127.0.0.1 PORT PORT\r\n";
const LOOP4 = `${LOOPS}PORT`;

/** Like the first, from another port: connections of the first are not for it. */
const OTHER4 = `${IPV4.slice(0, -3)}\u000b${IPV4.slice(-2)}`;

const CASES: readonly (readonly [what: string, Name, before: string, header: string])[] = [
  ["as text", "v1", "", LOCAL4],
  ["as text, where nothing is said", "unsaid", "", LOCAL4],
  ["in binary", "v2", "", binary(0x21, LOOP4)],
  ["as it was told, as text", "behind1", TEXT4, TEXT4],
  ["as it was told, of IPv6", "behind1", TEXT6, TEXT6],
  ["from binary to text", "behind1", binary(0x21, OTHER4), TEXT4.replace("10", "11")],
  ["from text to binary", "behind2", TEXT4, binary(0x21, IPV4)],
  ["without what it is not for", "behind2", binary(0x21, OTHER4 + TLVS), binary(0x21, OTHER4)],
  ["with all that was said", "all", binary(0x21, IPV4 + TLVS), binary(0x21, IPV4 + TLVS)],
  [
    "with some that was said",
    "few",
    binary(0x21, IPV4 + TLVS),
    binary(0x21, IPV4 + tlv(0xe1, "\xff\0x") + tlv(0xe1, "again")),
  ],
  [
    "as much as there is room for",
    "large",
    binary(0x21, IPV4 + TLVS),
    binary(0x21, IPV4 + tlv(0xe5, LONG_VALUE) + tlv(0xe7, "z") + TLVS),
  ],
  ["as text, which has no room for more", "text", "", LOCAL4],
  [
    "with what is added",
    "added",
    binary(0x21, IPV4 + TLVS),
    binary(0x21, IPV4 + tlv(0xe5, "new") + tlv(0x02, "mine") + tlv(0xe5, "x") + TLVS_BUT_FIRST),
  ],
  ["without what the listener dropped", "kept", binary(0x21, IPV4 + TLVS), binary(0x21, IPV4)],
  ["over TCP", "tcp1", "", LOCAL4],
  ["over TCP with all", "tcp2", binary(0x21, IPV4 + TLVS), binary(0x21, IPV4 + TLVS)],
  ["before TLS", "tls", "", LOCAL4],
  ["before TLS over TCP", "tcptls", "", binary(0x21, LOOP4)],
  ["where its transport is a match", "matched", "", binary(0x21, LOOP4)],
];

describe("a host is told whom it serves", () => {
  test.each(CASES)("%s", async (_what, name, before, header) => {
    const { weft, envoy } = await both.each((plane) => outcome(plane, name, before));
    expect(envoy).toEqual({ bodies: [0, 0], headers: [header] });
    expect(weft).toEqual(envoy);
  });
});

describe("connections that a host was told about", () => {
  const SECOND = TEXT4.replace("10", "11");

  test.each([
    ["are shared by clients that say they are the same", "behind2", TEXT4, TEXT4, 1],
    ["are not shared by others", "behind2", TEXT4, SECOND, 2],
  ] as const)("%s", async (_what, name, first, second, count) => {
    const { weft, envoy } = await both.each(async (plane) => {
      // Another address for each plane and test: what they keep open they may use again.
      const own = (text: string): string =>
        text.replace("1.2.3.4", `1.2.${plane.name.length}.${count}`);
      const from = headers.length;
      for (const before of [first, second, first]) await outcome(plane, name, own(before));
      return headers.length - from;
    });
    expect(envoy).toBe(count);
    expect(weft).toBe(envoy);
  });
});

test("extensions that have no room are counted", async () => {
  const { weft, envoy } = await both.each((plane) => plane.stats("large.upstream.proxyprotocol"));
  expect(weft).toEqual({
    "cluster.large.upstream.proxyprotocol.v2_tlvs_exceed_max_length": 1,
  });
  expect(weft).toEqual(envoy);
});
