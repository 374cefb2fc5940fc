import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { BothPlanes, type Plane } from "./both-planes.ts";
import { freePorts } from "./data-plane.ts";
import { OtlpServer } from "./otlp-server.ts";
import { SpanCollector } from "./span-collector.ts";
import { otel, zipkin } from "./tracing-bootstrap.ts";

type Name = "traced";
const TYPE = "type.googleapis.com/envoy";

let collector: SpanCollector;
let app: Server;
let planes: BothPlanes<Name>;

beforeEach(async () => {
  planes = new BothPlanes();
  collector = await SpanCollector.start();
  app = createServer((_, response) => void response.end("hello"));
  app.listen(0, "127.0.0.1");
  await once(app, "listening");
});

afterEach(async () => {
  await planes.stop();
  await collector.stop();
  app.closeAllConnections();
  app.close();
});

interface Setup {
  readonly provider: object;
  readonly runtime?: object;
  readonly collectorPort?: number;
  readonly collectorOptions?: object;
}

function cluster(name: string, port: number, options: object = {}): object {
  const address = { socket_address: { address: "127.0.0.1", port_value: port } };
  const endpoints = [{ lb_endpoints: [{ endpoint: { address } }] }];
  return {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    load_assignment: { cluster_name: name, endpoints },
    ...options,
  };
}

function start(setup: Setup): Promise<void> {
  const { provider, runtime = {}, collectorPort = collector.port, collectorOptions } = setup;
  const { port: appPort } = app.address() as AddressInfo;
  return planes.start(["traced"], (ports) => ({
    node: { id: "n", cluster: "c" },
    admin: { address: { socket_address: { address: "127.0.0.1", port_value: ports.admin } } },
    layered_runtime: { layers: [{ name: "static", static_layer: runtime }] },
    static_resources: {
      clusters: [cluster("app", appPort), cluster("collector", collectorPort, collectorOptions)],
      listeners: [
        {
          name: "traced",
          address: { socket_address: { address: "127.0.0.1", port_value: ports.traced } },
          filter_chains: [
            {
              filters: [
                {
                  name: "http",
                  typed_config: {
                    "@type": `${TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
                    stat_prefix: "traced",
                    tracing: { provider },
                    route_config: {
                      virtual_hosts: [
                        {
                          name: "all",
                          domains: ["*"],
                          routes: [{ match: { prefix: "/" }, route: { cluster: "app" } }],
                        },
                      ],
                    },
                    http_filters: [
                      {
                        name: "router",
                        typed_config: {
                          "@type": `${TYPE}.extensions.filters.http.router.v3.Router`,
                        },
                      },
                    ],
                  },
                },
              ],
            },
          ],
        },
      ],
    },
  }));
}

async function ask(plane: Plane<Name>, times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    await (await fetch(`http://127.0.0.1:${plane.ports.traced}/`)).text();
  }
}

/** Waits until a counter of the exporter has come so far, and gives all that move by events. */
async function counted(
  plane: Plane<Name>,
  name: string,
  value: number,
): Promise<Record<string, number>> {
  const stats = await until(async () => {
    const all = await plane.stats("tracing.(zipkin|opentelemetry)");
    return (all[name] ?? 0) >= value && all;
  }, `${name} to be ${value}`);
  for (const each of Object.keys(stats)) if (each.endsWith("timer_flushed")) delete stats[each];
  return stats;
}

test("sends five spans at once where nothing is said, and the rest when they have waited", async () => {
  await start({ provider: zipkin(), runtime: { "tracing.zipkin.flush_interval_ms": 700 } });
  const outcome = await planes.each(async (plane) => {
    collector.clear();
    await ask(plane, 7);
    await collector.whenCame(7);
    const stats = await counted(plane, "tracing.zipkin.reports_sent", 2);
    return { stats, spans: collector.spans.length };
  });
  expect(outcome.weft).toEqual(outcome.envoy);
  expect(outcome.weft).toMatchObject({ spans: 7, stats: { "tracing.zipkin.spans_sent": 7 } });
});

test("counts a report that was refused", async () => {
  collector.status = 500;
  await start({ provider: zipkin(), runtime: { "tracing.zipkin.min_flush_spans": 1 } });
  const outcome = await planes.each(async (plane) => {
    await ask(plane, 1);
    return counted(plane, "tracing.zipkin.reports_dropped", 1);
  });
  expect(outcome.weft).toEqual(outcome.envoy);
});

test("gives up a collector that does not answer", async () => {
  collector.answers = false;
  const runtime = { "tracing.zipkin.min_flush_spans": 1, "tracing.zipkin.request_timeout": 200 };
  await start({ provider: zipkin(), runtime });
  const outcome = await planes.each(async (plane) => {
    await ask(plane, 1);
    // Envoy takes its own 504 for an answer of the collector.
    const name = plane.name === "weft" ? "reports_failed" : "reports_dropped";
    await counted(plane, `tracing.zipkin.${name}`, 1);
    return true;
  });
  expect(outcome).toEqual({ weft: true, envoy: true });
});

test("does not let requests wait for a collector that is not there", async () => {
  const [nobody = 0] = await freePorts(1);
  await start({
    provider: zipkin(),
    runtime: { "tracing.zipkin.min_flush_spans": 1 },
    collectorPort: nobody,
  });
  const outcome = await planes.each(async (plane) => {
    await ask(plane, 20);
    const name = plane.name === "weft" ? "reports_failed" : "reports_dropped";
    const stats = await counted(plane, `tracing.zipkin.${name}`, 20);
    return stats["tracing.zipkin.spans_sent"];
  });
  expect(outcome).toEqual({ weft: 20, envoy: 20 });
});

test("drops spans that find no room", async () => {
  await start({
    provider: otel({ max_cache_size: 3 }),
    runtime: {
      "tracing.opentelemetry.min_flush_spans": 100,
      "tracing.opentelemetry.flush_interval_ms": 60_000,
    },
  });
  const outcome = await planes.each(async (plane) => {
    await ask(plane, 8);
    return counted(plane, "tracing.opentelemetry.spans_dropped", 2);
  });
  expect(outcome.weft).toEqual(outcome.envoy);
});

test("sends OTLP as gRPC calls over the cluster's HTTP/2", async () => {
  const server = await OtlpServer.start();
  const options = `${TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions`;
  try {
    await start({
      provider: otel({
        http_service: undefined,
        grpc_service: {
          envoy_grpc: { cluster_name: "collector" },
          timeout: "2s",
          initial_metadata: [{ key: "x-key", value: "abc" }],
        },
      }),
      runtime: { "tracing.opentelemetry.min_flush_spans": 2 },
      collectorPort: server.port,
      collectorOptions: {
        typed_extension_protocol_options: {
          "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": options,
            explicit_http_config: { http2_protocol_options: {} },
          },
        },
      },
    });
    const outcome = await planes.each(async (plane) => {
      server.calls.length = 0;
      await ask(plane, 4);
      await until(() => server.calls.length >= 2, "two calls");
      return {
        calls: server.calls.map(({ spans, key }) => ({ spans: spans.length, key })),
        stats: await counted(plane, "tracing.opentelemetry.spans_sent", 4),
      };
    });
    expect(outcome.weft).toEqual(outcome.envoy);
    expect(outcome.weft.calls).toEqual([
      { spans: 2, key: "abc" },
      { spans: 2, key: "abc" },
    ]);
  } finally {
    server.stop();
  }
});
