import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { JsonValue } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseBootstrap } from "../../src/proxy/bootstrap.ts";
import { until } from "../controlplane/until.ts";
import {
  filter,
  httpListener,
  routeTable,
  socketAddress,
  staticCluster,
} from "./bootstrap-json.ts";
import { BothPlanes } from "./both-planes.ts";
import { type DataPlane, freePorts, startWeft } from "./data-plane.ts";
import { LogService } from "./log-service.ts";
import { exchangeRaw } from "./raw-exchange.ts";

const TYPE = "type.googleapis.com/envoy.extensions";

const REQUESTS: readonly string[] = [
  "GET /up?x=1 HTTP/1.1\r\nHost: a.test\r\nUser-Agent: me/é\r\nReferer: r\r\nX-H: v\r\n\r\n",
  "POST /up HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\nX-Forwarded-For: 192.0.2.7\r\n\r\nabc",
  "PATCH /up/chunks HTTP/1.1\r\nHost: a.test\r\n\r\n",
  "GET /bad HTTP/1.1\r\nHost: a.test\r\n\r\n",
  "GET /own HTTP/1.1\r\nHost: a.test\r\n\r\n",
  "GET /nowhere HTTP/1.1\r\nHost: a.test\r\n\r\n",
  "GET /old HTTP/1.0\r\nHost: a.test\r\n\r\n",
  "BAD\r\n\r\n",
];

function grpcLog(kind: "Http" | "Tcp", name: string, more: object = {}): object {
  return {
    name: "als",
    typed_config: {
      "@type": `${TYPE}.access_loggers.grpc.v3.${kind}GrpcAccessLogConfig`,
      common_config: {
        log_name: name,
        transport_api_version: "V3",
        grpc_service: { envoy_grpc: { cluster_name: "als", authority: "als.test" } },
        filter_state_objects_to_log: ["a.state", "none"],
        custom_tags: [
          { tag: "agent", request_header: { name: "user-agent", default_value: "nobody" } },
          { tag: "fixed", literal: { value: "é" } },
        ],
        buffer_flush_interval: "0.05s",
        ...more,
      },
      ...(kind === "Tcp"
        ? {}
        : {
            additional_request_headers_to_log: ["X-H", ":path"],
            additional_response_headers_to_log: ["x-up", ":status"],
            additional_response_trailers_to_log: ["x-t"],
          }),
    },
  };
}

const HTTP2 = {
  typed_extension_protocol_options: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      "@type": `${TYPE}.upstreams.http.v3.HttpProtocolOptions`,
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};

/** A listener with one log of requests to the service `als`, and one of connections. */
function bootstrap(
  ports: Readonly<Record<"http" | "tcp" | "admin", number>>,
  { upstream, refused, als }: Readonly<Record<"upstream" | "refused" | "als", number>>,
  more: object = {},
): object {
  const routes = [
    { name: "bad", match: { prefix: "/bad" }, route: { cluster: "bad" } },
    { match: { prefix: "/own" }, direct_response: { status: 201, body: { inline_string: "o" } } },
    { name: "rt", match: { prefix: "/up" }, route: { cluster: "up", prefix_rewrite: "/new" } },
    { match: { prefix: "/old" }, route: { cluster: "up" } },
  ];
  const tcpProxy = {
    "@type": `${TYPE}.filters.network.tcp_proxy.v3.TcpProxy`,
    stat_prefix: "t",
    cluster: "up",
    access_log: [grpcLog("Tcp", "tcp", more)],
  };
  return {
    node: { id: "node-1", cluster: "tests" },
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [
        httpListener("http", ports.http, {
          route_config: routeTable(routes),
          access_log: [grpcLog("Http", "http", more)],
          http_protocol_options: { accept_http_10: true },
          http_filters: [
            filter("http.set_filter_state.v3.Config", {
              on_request_headers: [
                {
                  object_key: "a.state",
                  factory_key: "envoy.string",
                  format_string: { text_format_source: { inline_string: "x %PATH%" } },
                },
              ],
            }),
            filter("http.router.v3.Router", {}),
          ],
        }),
        {
          name: "tcp",
          address: socketAddress(ports.tcp),
          filter_chains: [{ filters: [{ name: "tcp", typed_config: tcpProxy }] }],
        },
      ],
      clusters: [
        staticCluster("up", [upstream]),
        staticCluster("bad", [refused]),
        staticCluster("als", [als], HTTP2),
      ],
    },
  };
}

let upstream: Server;
let refused = 0;

beforeAll(async () => {
  upstream = createServer((request, response) => {
    response.setHeader("x-up", "é");
    request.resume();
    request.on("end", () => response.end("hello"));
  });
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  [refused = 0] = await freePorts(1);
});

afterAll(async () => {
  upstream.closeAllConnections();
  await new Promise((resolve) => upstream.close(resolve));
});

const upstreamPort = (): number => (upstream.address() as AddressInfo).port;

/** Times, ports and what is made up differ from run to run; so do heads with a time in them. */
function mask(value: JsonValue, key = ""): JsonValue {
  if (Array.isArray(value)) return value.map((one) => mask(one));
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value)
      // When a head that cannot be read was here in full Envoy does not say.
      .filter(
        ([name]) => name !== "time_to_last_rx_byte" || value["upstream_cluster"] !== undefined,
      )
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries.map(([name, one]) => [name, mask(one, name)]));
  }
  if (/time|duration|port_value|^stream_id$|request_id/.test(key)) return "#";
  if (
    /^(?:downstream_wire_bytes_sent|downstream_header_bytes_sent|response_headers_bytes)$/.test(key)
  ) {
    return "#";
  }
  return value;
}

describe("access logs by gRPC", () => {
  const planes = new BothPlanes<"http" | "tcp">();
  const services: LogService[] = [];

  beforeAll(async () => {
    for (let at = 0; at < 2; at++) {
      const service = new LogService();
      await service.start();
      services.push(service);
    }
    let at = 0;
    await planes.start(["http", "tcp"], (ports) =>
      bootstrap(ports, {
        upstream: upstreamPort(),
        refused,
        als: services[at++]?.port ?? 0,
      }),
    );
    await planes.each(async ({ ports }) => {
      for (const text of REQUESTS) {
        const parts = [
          Buffer.from(text.replace("\r\n", "\r\nConnection: close\r\n")).toString("latin1"),
        ];
        await exchangeRaw({ port: ports.http, parts, answers: 2 });
      }
      const parts = ["GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"];
      await exchangeRaw({ port: ports.tcp, parts, answers: 2 });
    });
    for (const service of services.slice(0, planes.planes.length)) {
      await until(() => service.entries("http").length === REQUESTS.length, "entries of requests");
      await until(() => service.entries("tcp").length === 1, "an entry of the connection");
    }
  });

  afterAll(async () => {
    await planes.stop();
    for (const service of services) service.stop();
  });

  test.each(["http", "tcp"])("sends the entries that Envoy sends: %s", (name) => {
    const [ours, theirs = ours] = services
      .slice(0, planes.planes.length)
      .map((service) => service.entries(name).map((entry) => mask(entry)));
    expect(ours?.length).toBe(name === "http" ? REQUESTS.length : 1);
    expect(ours).toEqual(theirs);
  });

  test("says whose log it is, once on each stream", () => {
    const [ours] = services;
    expect(ours?.streams.map(({ nodeId, logName }) => [nodeId, logName]).sort()).toEqual([
      ["node-1", "http"],
      ["node-1", "tcp"],
    ]);
  });

  test("counts under Envoy's names", async () => {
    const { weft, envoy } = await planes.each(({ stats }) => stats("grpc_access_log"));
    expect(weft).toEqual(envoy);
  });
});

describe("a service that does not take them", () => {
  let plane: DataPlane | undefined;
  let service: LogService;
  let ports: Readonly<Record<"http" | "tcp" | "admin", number>>;

  async function start(als: number, more: object): Promise<void> {
    const [admin = 0, http = 0, tcp = 0] = await freePorts(3);
    ports = { admin, http, tcp };
    plane = await startWeft(bootstrap(ports, { upstream: upstreamPort(), refused, als }, more));
  }

  beforeAll(() => {
    service = new LogService();
  });

  afterAll(() => service.stop());

  async function send(count: number): Promise<void> {
    for (let at = 0; at < count; at++) {
      const parts = [`GET /own/${at} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`];
      await exchangeRaw({ port: ports.http, parts, answers: 1 });
    }
  }

  async function count(name: string): Promise<number> {
    const url = `http://127.0.0.1:${ports.admin}/stats?format=json&filter=access_log.${name}$`;
    const { stats } = (await (await fetch(url)).json()) as { stats: { value: number }[] };
    return stats[0]?.value ?? 0;
  }

  test("keeps as many as the buffer takes until the service is there, and counts the rest", async () => {
    const [als = 0] = await freePorts(1);
    await start(als, { buffer_size_bytes: 1000 });
    await send(12);
    const dropped = await count("logs_dropped");
    expect(dropped).toBeGreaterThan(0);
    expect(dropped + (await count("logs_written"))).toBe(12);
    await service.start(als);
    await until(() => service.entries("http").length === 12 - dropped, "what was kept to come");
    await send(3);
    await until(() => service.entries("http").length === 15 - dropped, "new entries to come");
    expect(await count("grpc_entries_flushed")).toBe(15 - dropped);
    // What waits when the proxy ends still goes out.
    await send(1);
    await plane?.stop();
    await until(() => service.entries("http").length === 16 - dropped, "the last entry to come");
  });
});

describe("what is refused", () => {
  const ports = { http: 1, tcp: 2, admin: 3 };
  const others = { upstream: 4, refused: 5, als: 6 };

  test.each([
    [{ grpc_service: undefined }, "grpc_service"],
    [
      { grpc_service: { google_grpc: { target_uri: "a", stat_prefix: "b" } } },
      "grpc_service.google_grpc: is not supported yet",
    ],
    [{ grpc_stream_retry_policy: {} }, "grpc_stream_retry_policy: is not supported yet"],
    [{ log_name: "" }, "log_name"],
    [{ buffer_flush_interval: "0s" }, "buffer_flush_interval"],
  ])("%j", (more, problem) => {
    const parsed = parseBootstrap(JSON.stringify(bootstrap(ports, others, more)));
    const issues = parsed.ok ? [] : parsed.issues.map(({ path, message }) => `${path}: ${message}`);
    expect(issues.join("\n")).toContain(problem);
  });
});
