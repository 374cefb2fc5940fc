import { readFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nodeClock } from "../../src/base/node-clock.ts";
import { createLogger } from "../../src/telemetry/log.ts";
import { until } from "../controlplane/until.ts";
import {
  httpListener,
  routeTable,
  socketAddress,
  staticCluster,
  tcpListener,
  withDead,
} from "./bootstrap-json.ts";
import { freePorts, startWeft } from "./data-plane.ts";
import { COMMON, NO_PANIC, OUTLIER_CASES, type OutlierCase } from "./outlier-cases.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";
import { statsOf, type TwinPlaces, Twins } from "./twins.ts";

const TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";

const statuses = [200, 404, 500, 501, 502, 503, 504, 599];
const SCRIPTS = {
  ...Object.fromEntries(
    statuses.map((status) => [
      `/${status}`,
      { send: `HTTP/1.1 ${status} S\r\nContent-Length: 2\r\n\r\nhi` },
    ]),
  ),
  ...Object.fromEntries(
    [1, 2, 4, 14, 17].map((status) => [
      `/grpc-${status}`,
      {
        send: `HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nGrpc-Status: ${status}\r\nContent-Length: 0\r\n\r\n`,
      },
    ]),
  ),
  ...Object.fromEntries(
    [200, 404, 503].map((status) => [
      `/degraded-${status}`,
      { send: `HTTP/1.1 ${status} S\r\nX-Envoy-Degraded: false\r\nContent-Length: 2\r\n\r\nhi` },
    ]),
  ),
  ...Object.fromEntries(
    [0, 14].map((status) => [
      `/degraded-grpc-${status}`,
      {
        send: `HTTP/1.1 200 OK\r\nX-Envoy-Degraded: true\r\nContent-Type: application/grpc\r\nGrpc-Status: ${status}\r\nContent-Length: 0\r\n\r\n`,
      },
    ]),
  ),
  "/reset": { end: "reset" as const },
  "/half": { send: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", end: "fin" as const },
  "/endless": { send: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi" },
  "/garbage": { send: "garbage\r\n\r\n" },
  "/hang": {},
};

const TCP_NAMES = OUTLIER_CASES.flatMap(({ isTcp }, at) => (isTcp === true ? [`tcp${at}`] : []));

let upstreams: Record<"a" | "b" | "c", ScriptedUpstream>;
let silent: Server;
const silentSockets = new Set<Socket>();
let ports: Record<string, number>;
let twins: Twins;

function clusterOf(one: OutlierCase, at: number): object {
  const hosts = one.hosts ?? ["a"];
  const isTls = hosts.includes("silent");
  const cluster = staticCluster(
    `c${at}`,
    hosts.flatMap((host) => ports[host] ?? []),
    {
      ...NO_PANIC,
      outlier_detection: { ...COMMON, ...one.outlier },
      // The handshake is part of connecting.
      ...(isTls ? { transport_socket: { name: "tls", typed_config: { "@type": TLS } } } : {}),
      ...one.cluster,
    },
  );
  return hosts.includes("dead") ? withDead(cluster) : cluster;
}

function routeOf(one: OutlierCase, at: number): object {
  const mirror = { request_mirror_policies: [{ cluster: `c${at}` }] };
  return {
    match: { prefix: `/${at}/` },
    route: {
      prefix_rewrite: "/",
      ...(one.isMirror === true ? { cluster: "plain", ...mirror } : { cluster: `c${at}` }),
      ...one.route,
    },
  };
}

function bootstrap(places: TwinPlaces): object {
  return {
    node: { id: "test", cluster: "test" },
    admin: { address: socketAddress(places.adminPort) },
    cluster_manager: { outlier_detection: { event_log_path: places.logPath } },
    static_resources: {
      listeners: [
        httpListener("main", places.ports["main"] ?? 0, {
          // How long a client is waited for whose answer broke off.
          delayed_close_timeout: "0.05s",
          // Who may say how the proxy answers.
          use_remote_address: true,
          internal_address_config: {
            cidr_ranges: [{ address_prefix: "127.0.0.0", prefix_len: 8 }],
          },
          route_config: routeTable(
            OUTLIER_CASES.flatMap((one, at) => (one.isTcp === true ? [] : routeOf(one, at))),
          ),
        }),
        ...OUTLIER_CASES.flatMap(({ isTcp, route }, at) => {
          const port = places.ports[`tcp${at}`] ?? 0;
          return isTcp === true
            ? tcpListener(`tcp${at}`, port, { cluster: `c${at}`, ...route })
            : [];
        }),
      ],
      clusters: [staticCluster("plain", [ports["a"] ?? 0]), ...OUTLIER_CASES.map(clusterOf)],
    },
  };
}

beforeAll(async () => {
  upstreams = {
    a: await ScriptedUpstream.start(SCRIPTS),
    b: await ScriptedUpstream.start(SCRIPTS),
    c: await ScriptedUpstream.start(SCRIPTS),
  };
  silent = createServer((socket) => {
    silentSockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => silentSockets.delete(socket));
  });
  const [silentPort = 0] = await freePorts(1);
  await new Promise<void>((resolve) => silent.listen(silentPort, "127.0.0.1", resolve));
  const { a, b, c } = upstreams;
  ports = { a: a.port, b: b.port, c: c.port, silent: silentPort };
  twins = await Twins.start(["main", ...TCP_NAMES], bootstrap);
});

afterAll(async () => {
  await twins.stop();
  for (const upstream of Object.values(upstreams)) await upstream.stop();
  for (const socket of silentSockets) socket.destroy();
  await new Promise((resolve) => silent.close(resolve));
});

async function ask(twin: TwinPlaces, at: number, step: string): Promise<string> {
  const [path = "", ...lines] = step.split(" ");
  const headers = Object.fromEntries(lines.map((line) => line.split(":")));
  const url = `http://127.0.0.1:${twin.ports["main"] ?? 0}/${at}/${path}`;
  const answer = await fetch(url, { headers });
  const body = await answer.text().catch(() => undefined);
  if (body === undefined) return "broken";
  return body === "no healthy upstream" ? "UH" : String(answer.status);
}

/** The status that came, if anything did. */
async function dial(twin: TwinPlaces, at: number, step: string): Promise<string> {
  const socket = connect(twin.ports[`tcp${at}`] ?? 0, "127.0.0.1");
  let status = "closed";
  await new Promise<void>((resolve) => {
    socket.on("error", () => undefined);
    socket.on("close", () => resolve());
    socket.on("data", (bytes) => {
      status = bytes.toString("latin1").split(" ")[1] ?? "";
      socket.destroy();
    });
    socket.write(`GET /${step} HTTP/1.1\r\nHost: a\r\n\r\n`);
  });
  return status;
}

/** What is counted and is not 0, without the cluster's name. */
async function countersOf(twin: TwinPlaces, at: number): Promise<Record<string, number>> {
  const prefix = `cluster.c${at}.outlier_detection.`;
  const stats = await statsOf(twin, prefix);
  return Object.fromEntries(
    Object.entries(stats).map(([name, value]) => [name.slice(prefix.length), value]),
  );
}

interface Statuses {
  readonly cluster_statuses: readonly {
    readonly name: string;
    readonly host_statuses: readonly { readonly health_status: object }[];
  }[];
}

/** What is known of the health of each host, in text and in JSON. */
async function flagsOf({ adminPort }: TwinPlaces, at: number): Promise<readonly string[]> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/clusters`);
  const json = await fetch(`http://127.0.0.1:${adminPort}/clusters?format=json`);
  const { cluster_statuses: clusters } = (await json.json()) as Statuses;
  const hosts = clusters.find(({ name }) => name === `c${at}`)?.host_statuses ?? [];
  const named = hosts.map(({ health_status: health }) => Object.keys(health).sort().join(" "));
  const lines = (await answer.text()).split("\n").filter((line) => line.startsWith(`c${at}::`));
  const flags = lines.flatMap((line) => line.split("::health_flags::")[1] ?? []);
  return [...flags, ...named].sort();
}

interface Outcome {
  readonly answers: readonly string[];
  readonly counters: Readonly<Record<string, number>>;
  /** Of all hosts, in the order of their text. */
  readonly flags: readonly string[];
  readonly panics: Readonly<Record<string, number>>;
  readonly tries: Readonly<Record<string, number>>;
}

async function run(one: OutlierCase, twin: TwinPlaces): Promise<Outcome> {
  const at = OUTLIER_CASES.indexOf(one);
  const answers: string[] = [];
  for (const step of one.steps) {
    answers.push(await (one.isTcp === true ? dial : ask)(twin, at, step));
    // Envoy ejects in another thread, which answers this after it has.
    await countersOf(twin, at);
  }
  if (one.isMirror === true) {
    await until(
      async () => (await countersOf(twin, at))["ejections_active"] === 1,
      "the copies to be answered",
    );
  }
  return {
    answers,
    counters: await countersOf(twin, at),
    flags: await flagsOf(twin, at),
    tries: await statsOf(twin, `cluster.c${at}.upstream_rq_per_try_timeout`),
    panics: await statsOf(twin, `cluster.c${at}.lb_healthy_panic`),
  };
}

/** The events of one case, without times and which host it was. */
function eventsOf(twin: TwinPlaces, at: number): readonly string[] {
  const lines = readFileSync(twin.logPath, "utf8").split("\n");
  return lines
    .filter((line) => line.includes(`"cluster_name":"c${at}"`))
    .map((line) =>
      line
        .replace(/"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z"/, '"timestamp":""')
        .replace(/127\.0\.0\.\d+:\d+/, "HOST"),
    );
}

describe("outlier detection", () => {
  test.each(OUTLIER_CASES)("$name", async (one) => {
    const ours = await run(one, twins.weft);
    expect.soft(ours.answers).toEqual(one.answers);
    expect.soft(ours.counters).toEqual(one.counters);
    const theirs = twins.envoy === undefined ? ours : await run(one, twins.envoy);
    expect.soft(theirs).toEqual(ours);
  });

  test("drops the connections to whoever is ejected", async () => {
    for (const twin of twins.all) {
      const active = "cluster.c0.upstream_cx_active";
      expect(await statsOf(twin, "cluster.c0.upstream_cx_total")).not.toEqual({});
      await until(
        async () => (await statsOf(twin, active))[active] === undefined,
        "none to be left",
      );
    }
  });

  test("is told alike", async () => {
    const count = (twin: TwinPlaces): number =>
      readFileSync(twin.logPath, "utf8").split("\n").length;
    await until(() => twins.all.every((twin) => count(twin) === count(twins.weft)), "all events");
    for (const at of OUTLIER_CASES.keys()) {
      for (const twin of twins.all) expect(eventsOf(twin, at)).toEqual(eventsOf(twins.weft, at));
    }
  });
});

test("weft's own log says who is ejected, why, and until when", async () => {
  const lines: string[] = [];
  const log = createLogger({
    clock: nodeClock,
    level: () => "info",
    write: (line) => lines.push(line),
  });
  const [port = 0] = await freePorts(1);
  const [host = 0] = [ports["a"]];
  const limits = { ...COMMON, interval: "0.1s", base_ejection_time: "0.2s", consecutive_5xx: 2 };
  const plane = await startWeft(
    {
      static_resources: {
        listeners: [
          httpListener("main", port, {
            route_config: routeTable([{ match: { prefix: "/" }, route: { cluster: "up" } }]),
          }),
        ],
        clusters: [staticCluster("up", [host], { outlier_detection: limits })],
      },
    },
    { log },
  );
  try {
    for (const _ of [1, 2]) await (await fetch(`http://127.0.0.1:${port}/500`)).arrayBuffer();
    const told = await until(() => {
      const found = lines.filter((line) => line.includes("\tupstream\t"));
      return found.length >= 2 && found;
    }, "the host to be back");
    const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;
    const who = String.raw`cluster=up\thost=127\.0\.0\.1:${host}`;
    expect(told[0]).toMatch(
      new RegExp(
        String.raw`^${time}\tinfo\tupstream\thost ejected\t${who}\treason="2 consecutive 5xx"\tenforced=true\tfor=0\.2s\tuntil=${time}$`,
      ),
    );
    expect(told[1]).toMatch(new RegExp(String.raw`\thost returned\t${who}\tafter=[\d.]+s$`));
  } finally {
    await plane.stop();
  }
});
