import { once } from "node:events";
import { createSecureServer, createServer, type Http2Server } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { BothPlanes, type Plane } from "./both-planes.ts";
import { http2Options, protocolOptions } from "./http2-cluster.ts";
import { TestAuthority } from "./test-pki.ts";
import { upstreamTls } from "./tls-json.ts";

/** So long the upstream takes for an answer, so that requests meet. */
const ANSWER_MS = 150;

const planes = new BothPlanes<"main">();
const servers: Server[] = [];

/** An upstream of HTTP/2, over TLS where it has a certificate. */
async function startUpstream(settings: object, tls?: object): Promise<number> {
  const server = tls === undefined ? createServer({ settings }) : createSecureServer({ ...tls });
  return serve(server as Http2Server & Server);
}

async function serve(server: Http2Server & Server): Promise<number> {
  server.on("session", (session) => session.on("error", () => undefined));
  server.on("stream", (stream) => {
    stream.on("error", () => undefined);
    setTimeout(() => {
      if (stream.destroyed) return;
      stream.respond({ ":status": 200 });
      stream.end("h2");
    }, ANSWER_MS);
  });
  return listen(server);
}

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** What each cluster is for; the upstream of most allows two streams at a time. */
function clusters(ports: { two: number; many: number; both: number; old: number }): object[] {
  const auto = protocolOptions({ auto_config: {} });
  const breakers = (limits: object): object => ({ circuit_breakers: { thresholds: [limits] } });
  const { two, many } = ports;
  const tls = { transport_socket: upstreamTls({}) };
  const one = { max_concurrent_streams: 1 };
  return [
    staticCluster("two", [two], http2Options()),
    staticCluster("many", [many], http2Options()),
    staticCluster("one", [many], http2Options(one)),
    staticCluster("used-up", [many], http2Options({}, { max_requests_per_connection: 2 })),
    staticCluster("few-requests", [many], {
      ...http2Options(),
      ...breakers({ max_requests: 2 }),
    }),
    staticCluster("one-connection", [many], {
      ...http2Options(one),
      ...breakers({ max_connections: 1 }),
    }),
    staticCluster("no-waiting", [many], {
      ...http2Options(one),
      ...breakers({ max_connections: 1, max_pending_requests: 1 }),
    }),
    staticCluster("idle", [many], http2Options({}, { idle_timeout: "0.3s" })),
    staticCluster("old", [many], http2Options({}, { max_connection_duration: "0.3s" })),
    staticCluster("long", [many], http2Options({}, { max_stream_duration: "0.05s" })),
    staticCluster("ahead", [many], {
      ...http2Options(one),
      preconnect_policy: { per_upstream_preconnect_ratio: 2 },
    }),
    staticCluster("as-the-client", [ports.old], {
      ...protocolOptions({ use_downstream_protocol_config: { http2_protocol_options: {} } }),
      ...tls,
    }),
    staticCluster("by-alpn", [ports.both], { ...auto, ...tls }),
    staticCluster("by-alpn-old", [ports.old], { ...auto, ...tls }),
    staticCluster("in-the-old-place", [many], { http2_protocol_options: {} }),
  ];
}

beforeAll(async () => {
  const authority = await TestAuthority.create();
  const { cert, key } = await authority.issue({ sans: [{ type: "dns", value: "a.test" }] });
  const old = createHttpsServer({ cert, key }, (_request, response) => {
    setTimeout(() => response.end("h1"), ANSWER_MS);
  });
  const upstreams = {
    two: await startUpstream({ maxConcurrentStreams: 2 }),
    many: await startUpstream({}),
    both: await startUpstream({}, { cert, key, allowHTTP1: true }),
    old: await listen(old),
  };
  const all = clusters(upstreams);
  await planes.start(["main"], (ports) => ({
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [
        httpListener("main", ports.main, {
          route_config: routeTable(
            all.map((cluster) => {
              const { name } = cluster as { name: string };
              return { match: { prefix: `/${name}/` }, route: { cluster: name } };
            }),
          ),
        }),
      ],
      clusters: all,
    },
  }));
});

afterAll(async () => {
  await planes.stop();
  for (const server of servers) server.close();
});

/** The answers to so many requests at once, in order of status. */
async function ask(plane: Plane<"main">, cluster: string, count: number): Promise<string[]> {
  const answers = Array.from({ length: count }, async () => {
    const answer = await fetch(`http://127.0.0.1:${plane.ports.main}/${cluster}/`);
    return `${answer.status} ${await answer.text()}`;
  });
  return (await Promise.all(answers)).sort();
}

const COUNTED =
  /\.(upstream_cx_(total|http[12]_total|overflow|max_requests|idle_timeout|max_duration_reached|destroy_local|destroy_remote|close_notify)|upstream_rq_(total|pending_total|pending_overflow|active_overflow|active|pending_active|max_duration_reached|tx_reset|rx_reset|200)|http2\.(streams_active|tx_reset|rx_reset))$/;

/** Envoy counts each connection that ALPN decides about twice. */
const IGNORED = /\.external\.|by-alpn.*\.upstream_cx_total$/;

/** What it has counted since its start. */
async function counted(plane: Plane<"main">, cluster: string): Promise<object> {
  const all = Object.entries(await plane.stats(`^cluster\\.${cluster}\\.`));
  return Object.fromEntries(all.filter(([name]) => COUNTED.test(name) && !IGNORED.test(name)));
}

describe("connections of HTTP/2 are shared as by Envoy", () => {
  test.each([
    ["two", [1, 2, 3]],
    ["many", [1, 20]],
    ["one", [1, 3]],
    ["used-up", [1, 1, 1, 1, 1]],
    ["few-requests", [1, 4]],
    ["one-connection", [1, 3]],
    ["no-waiting", [1, 3]],
    ["long", [1]],
    ["ahead", [1, 2]],
    ["as-the-client", [1, 2]],
    ["by-alpn", [1, 3]],
    ["by-alpn-old", [1, 3]],
    ["in-the-old-place", [1, 3]],
  ] as const)("%s", async (cluster, rounds) => {
    const { weft, envoy } = await planes.each(async (plane) => {
      const answers: string[][] = [];
      for (const count of rounds) answers.push(await ask(plane, cluster, count));
      return { answers, counted: await counted(plane, cluster) };
    });
    expect(weft).toEqual(envoy);
  });

  test.each([
    ["idle", "idle_timeout"],
    ["old", "max_duration_reached"],
  ] as const)("%s", async (cluster, stat) => {
    const { weft, envoy } = await planes.each(async (plane) => {
      const answers = await ask(plane, cluster, 1);
      const name = `cluster.${cluster}.upstream_cx_${stat}`;
      await until(async () => (await plane.stats(name))[name] === 1, name);
      return { answers, counted: await counted(plane, cluster) };
    });
    expect(weft).toEqual(envoy);
  });
});
