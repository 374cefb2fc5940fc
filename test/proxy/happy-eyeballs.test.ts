import { createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startBlackHole } from "./black-hole.ts";
import {
  filter,
  httpListener,
  listenerOf,
  routeTable,
  socketAddress,
  staticCluster,
} from "./bootstrap-json.ts";
import { converse } from "./both-planes.ts";
import { freePorts } from "./data-plane.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import { caseLog, logLines, statsOf, type Twin, Twins } from "./twins.ts";

/** Where a host may be: an upstream that says which one it is, nobody, or one that never answers. */
type Place = "four" | "five" | "six" | "refuses" | "hangs";

interface Case {
  readonly name: string;
  /** The first is its address, the others are its additional addresses. */
  readonly places: readonly Place[];
  readonly options?: object;
  /** Who answers; "" for nobody. */
  readonly answer: Place | "";
  /** At least so long it takes: one address after the other is waited for. */
  readonly waitsMs?: number;
}

const preference = (version: string, count?: number): object => ({
  upstream_connection_options: {
    happy_eyeballs_config: {
      first_address_family_version: version,
      ...(count === undefined ? {} : { first_address_family_count: count }),
    },
  },
});

const CASES: readonly Case[] = [
  { name: "first", places: ["four", "five"], answer: "four" },
  { name: "refused", places: ["refuses", "five"], answer: "five" },
  { name: "hanging", places: ["hangs", "five"], answer: "five", waitsMs: 290 },
  { name: "both", places: ["refuses", "hangs", "five"], answer: "five", waitsMs: 290 },
  { name: "swapped", places: ["hangs", "refuses", "five"], answer: "five", waitsMs: 290 },
  { name: "nobody", places: ["refuses", "refuses", "refuses"], answer: "" },
  {
    name: "late",
    places: ["hangs", "refuses"],
    options: { connect_timeout: "0.4s" },
    answer: "",
    waitsMs: 390,
  },
  { name: "too-late", places: ["hangs", "five"], options: { connect_timeout: "0.2s" }, answer: "" },
  { name: "interleaved", places: ["refuses", "five", "six"], answer: "six" },
  { name: "four-first", places: ["six", "four"], options: preference("V4"), answer: "four" },
  { name: "six-first", places: ["four", "six"], options: preference("V6"), answer: "six" },
  {
    name: "two-of-four",
    places: ["six", "refuses", "five"],
    options: preference("V4", 2),
    answer: "five",
  },
];

const BOTH_WAYS = ["http", "tcp"] as const;
const LOG =
  "%RESPONSE_FLAGS% %UPSTREAM_HOST% %UPSTREAM_REMOTE_ADDRESS% %UPSTREAM_TRANSPORT_FAILURE_REASON%";

let twins: Twins;
const closers: (() => unknown)[] = [];
const portOf: Record<Place, number> = { four: 0, five: 0, six: 0, refuses: 0, hangs: 0 };

/** Says its name to whoever speaks. */
async function serve(name: Place, host: string): Promise<void> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("data", () => {
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\n\r\n${name}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const address = server.address();
  portOf[name] = typeof address === "object" && address !== null ? address.port : 0;
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
}

function addressOf(place: Place): object {
  return socketAddress(portOf[place], place === "six" ? "::1" : "127.0.0.1");
}

function clusterOf({ name, places, options }: Case, kind: string): object {
  const [first, ...more] = places.map(addressOf);
  const additional = more.map((address) => ({ address }));
  const endpoint = { address: first, additional_addresses: additional };
  const cluster_name = `${kind}-${name}`;
  const assignment = { cluster_name, endpoints: [{ lb_endpoints: [{ endpoint }] }] };
  return { ...staticCluster(cluster_name, []), load_assignment: assignment, ...options };
}

beforeAll(async () => {
  await serve("four", "127.0.0.1");
  await serve("five", "127.0.0.1");
  await serve("six", "::1");
  portOf.hangs = await startBlackHole(closers);
  [portOf.refuses = 0] = await freePorts(1);
  twins = await Twins.start(["http", ...CASES.map(({ name }) => name)], (places) => ({
    admin: { address: socketAddress(places.adminPort) },
    static_resources: {
      listeners: [
        httpListener("http", places.ports["http"] ?? 0, {
          access_log: [caseLog(places.logPath, LOG)],
          route_config: routeTable(
            CASES.map(({ name }) => ({
              match: { path: `/${name}` },
              route: { cluster: `http-${name}` },
            })),
          ),
        }),
        ...CASES.map(({ name }) => {
          const tcp = filter("network.tcp_proxy.v3.TcpProxy", {
            stat_prefix: "tcp",
            cluster: `tcp-${name}`,
          });
          return listenerOf(`tcp-${name}`, places.ports[name] ?? 0, [tcp]);
        }),
      ],
      clusters: CASES.flatMap((one) => BOTH_WAYS.map((kind) => clusterOf(one, kind))),
    },
  }));
});

afterAll(async () => {
  await twins.stop();
  for (const close of closers.splice(0).reverse()) await close();
});

async function ask(twin: Twin, kind: (typeof BOTH_WAYS)[number], name: string): Promise<string> {
  if (kind === "tcp") {
    const to = { port: twin.ports[name] ?? 0 };
    const { got } = await converse({ to, send: "hello", enough: "\r\n\r\n" });
    return got.replace(/^.*\r\n\r\n/s, "");
  }
  const request = `GET /${name} HTTP/1.1\r\nHost: a\r\nX-Case: ${name}\r\n\r\n`;
  const port = twin.ports["http"] ?? 0;
  const { messages } = await exchangeRaw({ port, parts: [request], answers: 1 });
  return messages[0]?.line.includes(" 200 ") === true ? (messages[0]?.body ?? "") : "";
}

async function outcome(twin: Twin, kind: (typeof BOTH_WAYS)[number], name: string) {
  const startMs = performance.now();
  const answer = await ask(twin, kind, name);
  const tookMs = performance.now() - startMs;
  const prefix = `cluster.${kind}-${name}.upstream_cx_`;
  const stats = await statsOf(twin, prefix);
  const counted = Object.entries(stats)
    .filter(([stat]) => COUNTED.test(stat))
    .map(([stat, value]) => `${stat.slice(prefix.length)} ${value}`);
  return { answer, tookMs, counted };
}

/** What does not depend on who closes first, or on how many bytes came by then. */
const COUNTED = /_cx_(total|connect_fail|connect_timeout|http1_total|none_healthy)$/;

describe.each(BOTH_WAYS)("a host of several addresses over %s", (kind) => {
  test.each(CASES)("$name", async ({ name, answer, waitsMs = 0 }) => {
    const seen = await Promise.all(twins.all.map((twin) => outcome(twin, kind, name)));
    for (const one of seen) {
      expect(one.answer).toBe(answer);
      expect(one.tookMs).toBeGreaterThanOrEqual(waitsMs);
      expect(one.counted).toEqual(seen[0]?.counted);
    }
  });
});

test("the log tells which address it was", async () => {
  const lines = await logLines(twins.weft, CASES.length);
  const line = lines.find((one) => one.startsWith("refused "));
  const [host, remote] = [portOf.refuses, portOf.five].map((port) => `127.0.0.1:${port}`);
  expect(line).toBe(`refused 200 - via_upstream - ${host} ${remote} -`);
  if (twins.envoy === undefined) return;
  expect(lines).toEqual(await logLines(twins.envoy, CASES.length));
});
