import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createHttp2, type Http2Server, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { fromBinary, toJson } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ExportLogsServiceRequestSchema } from "../../src/api/gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.js";
import { parseBootstrap } from "../../src/proxy/bootstrap.ts";
import { until } from "../controlplane/until.ts";
import {
  filter,
  httpListener,
  routeTable,
  socketAddress,
  staticCluster,
  tcpListener,
} from "./bootstrap-json.ts";
import { BothPlanes } from "./both-planes.ts";
import { freePorts, startWeft } from "./data-plane.ts";
import { exchangeRaw } from "./raw-exchange.ts";

const TYPE = "type.googleapis.com/envoy.extensions";

interface Report {
  readonly path: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: { readonly resourceLogs: readonly ResourceLogs[] };
}
interface ResourceLogs {
  readonly resource: object;
  readonly scopeLogs: readonly { readonly logRecords: readonly Record<string, unknown>[] }[];
}

/** A collector of OTLP, over HTTP/1.1 and over gRPC, that keeps what it gets. */
class LogCollector {
  readonly reports: Report[] = [];
  readonly #http: Server;
  readonly #grpc: Http2Server;
  httpStatus = 200;
  grpcStatus = "0";

  constructor() {
    this.#http = createServer((request, response) => {
      void readAll(request).then((bytes) => {
        this.#take(request.url ?? "", request.headers, bytes);
        response.writeHead(this.httpStatus).end();
      });
    });
    this.#grpc = createHttp2();
    this.#grpc.on("stream", (stream: ServerHttp2Stream, headers) => {
      void readAll(stream).then((bytes) => {
        this.#take(String(headers[":path"]), headers, bytes.subarray(5));
        stream.respond(
          { ":status": 200, "content-type": "application/grpc" },
          { waitForTrailers: true },
        );
        stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": this.grpcStatus }));
        stream.end(Buffer.alloc(5));
      });
    });
  }

  #take(path: string, headers: object, bytes: Buffer): void {
    const schema = ExportLogsServiceRequestSchema;
    const body = toJson(schema, fromBinary(schema, bytes)) as unknown as Report["body"];
    this.reports.push({ path, headers: headers as Report["headers"], body });
  }

  async start(): Promise<void> {
    for (const server of [this.#http, this.#grpc]) {
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
    }
  }

  get ports(): { readonly http: number; readonly grpc: number } {
    const [http, grpc] = [this.#http, this.#grpc].map((one) => (one.address() as AddressInfo).port);
    return { http: http ?? 0, grpc: grpc ?? 0 };
  }

  /** Those of reports whose resource has an attribute with that value. */
  records(value: string): readonly Record<string, unknown>[] {
    return this.reports
      .flatMap(({ body }) => body.resourceLogs)
      .filter(({ resource }) => JSON.stringify(resource).includes(`"${value}"`))
      .flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords));
  }

  async stop(): Promise<void> {
    this.#http.closeAllConnections();
    this.#http.close();
    this.#grpc.close();
    await once(this.#http, "close");
  }
}

async function readAll(stream: IncomingMessage | ServerHttp2Stream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const byKey = (a: { readonly key: string }, b: { readonly key: string }): number =>
  a.key < b.key ? -1 : 1;
const text = (string_value: string): object => ({ string_value });
const list = (values: Readonly<Record<string, object>>): object => ({
  values: Object.entries(values).map(([key, value]) => ({ key, value })),
});

const BODY = text("%REQ(:METHOD)% %PATH% %RESPONSE_CODE% %REQ(none)% é");
const ATTRIBUTES = list({
  code: text("%RESPONSE_CODE%"),
  flags: text("%RESPONSE_FLAGS%"),
  agent: text("%REQ(USER-AGENT)%"),
  nested: { kvlist_value: list({ protocol: text("%PROTOCOL%"), empty: text("") }) },
  all: { array_value: { values: [text("%ROUTE_NAME%"), { array_value: { values: [] } }] } },
  expression: text("%CEL(response.code >= 400)%"),
  query: text("%REQ_WITHOUT_QUERY(:PATH)%"),
});

const FORMATTERS = [
  {
    name: "q",
    typed_config: { "@type": `${TYPE}.formatter.req_without_query.v3.ReqWithoutQuery` },
  },
];

function otelLog(name: string, more: object): object {
  const type = `${TYPE}.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig`;
  const common = { log_name: name, buffer_flush_interval: "0.05s", stat_prefix: name };
  return { name: "otel", typed_config: { "@type": type, ...common, ...more } };
}

const grpc = { grpc_service: { envoy_grpc: { cluster_name: "grpc" } } };
const http = {
  http_service: {
    http_uri: { uri: "http://collector/v1/logs", cluster: "http", timeout: "2s" },
    request_headers_to_add: [{ header: { key: "x-key", value: "secret" } }],
  },
};

const LOGS: Readonly<Record<string, object>> = {
  grpc: { ...grpc, body: BODY, attributes: ATTRIBUTES, formatters: FORMATTERS },
  http: {
    ...http,
    body: { kvlist_value: list({ path: text("%PATH%") }) },
    attributes: list({ code: text("%RESPONSE_CODE%") }),
    resource_attributes: list({ region: text("é%PROTOCOL%"), node_name: text("other") }),
    custom_tags: [
      { tag: "agent", request_header: { name: "user-agent", default_value: "nobody" } },
      { tag: "fixed", literal: { value: "é" } },
    ],
    filter_state_objects_to_log: ["a.state", "none"],
  },
  bare: {
    ...grpc,
    disable_builtin_labels: true,
    resource_attributes: list({ which: text("bare-log") }),
    resource_detectors: [
      {
        name: "static",
        typed_config: {
          "@type": `${TYPE}.tracers.opentelemetry.resource_detectors.v3.StaticConfigResourceDetectorConfig`,
          attributes: { which: "overridden", team: "blue" },
        },
      },
    ],
  },
  tcp: { ...grpc, body: text("%BYTES_SENT% %UPSTREAM_CLUSTER%") },
};

const HTTP2 = {
  typed_extension_protocol_options: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      "@type": `${TYPE}.upstreams.http.v3.HttpProtocolOptions`,
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};

const REQUESTS = [
  "GET /up?x=1 HTTP/1.1\r\nHost: a.test\r\nUser-Agent: me/\u00c3\u00a9\r\n",
  "GET /own HTTP/1.1\r\nHost: a.test\r\n",
  "GET /nowhere HTTP/1.1\r\nHost: a.test\r\n",
];

interface Places {
  readonly upstream: number;
  readonly collector: { readonly http: number; readonly grpc: number };
}

function bootstrap(
  ports: Readonly<Record<"http" | "tcp" | "admin", number>>,
  { upstream, collector }: Places,
  logs = LOGS,
): object {
  const of = (...names: string[]): object[] => names.map((name) => otelLog(name, logs[name] ?? {}));
  const routes = [
    { name: "rt", match: { prefix: "/up" }, route: { cluster: "up" } },
    { match: { prefix: "/own" }, direct_response: { status: 503 } },
  ];
  return {
    node: { id: "n1", cluster: "c1", locality: { zone: "z1" } },
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [
        httpListener("http", ports.http, {
          route_config: routeTable(routes),
          access_log: of("grpc", "http", "bare"),
          http_filters: [
            filter("http.set_filter_state.v3.Config", {
              on_request_headers: [
                {
                  object_key: "a.state",
                  factory_key: "envoy.string",
                  format_string: { text_format_source: { inline_string: "x" } },
                },
              ],
            }),
            filter("http.router.v3.Router", {}),
          ],
        }),
        tcpListener("tcp", ports.tcp, { cluster: "up", access_log: of("tcp") }),
      ],
      clusters: [
        staticCluster("up", [upstream]),
        staticCluster("http", [collector.http]),
        staticCluster("grpc", [collector.grpc], HTTP2),
      ],
    },
  };
}

let upstream: Server;

beforeAll(async () => {
  upstream = createServer((request, response) => {
    request.resume();
    request.on("end", () => response.end("hello"));
  });
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
});

afterAll(async () => {
  upstream.closeAllConnections();
  upstream.close();
  await once(upstream, "close");
});

const upstreamPort = (): number => (upstream.address() as AddressInfo).port;

async function send(port: number, head: string): Promise<void> {
  await exchangeRaw({ port, parts: [`${head}Connection: close\r\n\r\n`], answers: 1 });
}

describe("logs to OpenTelemetry", () => {
  const planes = new BothPlanes<"http" | "tcp">();
  const collectors: LogCollector[] = [];

  beforeAll(async () => {
    for (let at = 0; at < 2; at++) {
      const collector = new LogCollector();
      await collector.start();
      collectors.push(collector);
    }
    await planes.start(["http", "tcp"], (ports) => {
      const collector = collectors[planes.planes.length];
      if (collector === undefined) throw new Error("there is no collector");
      return bootstrap(ports, { upstream: upstreamPort(), collector: collector.ports });
    });
    await planes.each(async ({ ports }) => {
      for (const head of REQUESTS) await send(ports.http, head);
      await send(ports.tcp, "GET / HTTP/1.1\r\nHost: a\r\n");
    });
    for (const collector of collectors.slice(0, planes.planes.length)) {
      for (const name of ["grpc", "http", "bare-log"]) {
        const isHere = (): boolean => collector.records(name).length === REQUESTS.length;
        await until(isHere, `the records of ${name}`);
      }
      await until(() => collector.records("tcp").length === 1, "the record of the connection");
    }
  });

  afterAll(async () => {
    await planes.stop();
    for (const collector of collectors) await collector.stop();
  });

  const both = <T>(read: (collector: LogCollector) => T): readonly [T, T] => {
    const [ours, theirs = ours] = collectors.slice(0, planes.planes.length).map(read);
    return [ours, theirs] as [T, T];
  };

  test.each(["grpc", "http", "bare-log", "tcp"])("have Envoy's records: %s", (name) => {
    const [ours, theirs] = both((collector) =>
      collector.records(name).map((record) => {
        const attributes = (record["attributes"] ?? []) as readonly { readonly key: string }[];
        // The custom tags among them have no order in Envoy.
        const sorted = name === "http" ? [...attributes].sort(byKey) : attributes;
        return { ...record, attributes: sorted, timeUnixNano: "#" };
      }),
    );
    expect(ours.length).toBe(name === "tcp" ? 1 : REQUESTS.length);
    expect(ours).toEqual(theirs);
  });

  test("are about Envoy's resources", () => {
    const [ours, theirs] = both((collector) =>
      [
        ...new Set(
          collector.reports.flatMap(({ path, body }) =>
            body.resourceLogs.map(({ resource }) => `${path} ${JSON.stringify(resource)}`),
          ),
        ),
      ].sort(),
    );
    expect(ours.length).toBe(4);
    expect(ours).toEqual(theirs);
  });

  test("say when the request began", () => {
    const [record] = collectors[0]?.records("grpc") ?? [];
    const ms = Number(BigInt(String(record?.["timeUnixNano"])) / 1_000_000n);
    expect(Math.abs(Date.now() - ms)).toBeLessThan(600_000);
  });

  test("come with the headers of their configuration", () => {
    const [ours, theirs] = both((collector) => {
      const { headers } = collector.reports.find(({ path }) => path === "/v1/logs") ?? {};
      return [headers?.["content-type"], headers?.["x-key"], headers?.["host"]];
    });
    expect(ours).toEqual(["application/x-protobuf", "secret", "collector"]);
    expect(ours).toEqual(theirs);
  });

  test("count under Envoy's names", async () => {
    const { weft, envoy } = await planes.each(async ({ stats }) => {
      await until(async () => {
        const counts = await stats("open_telemetry_access_log.grpc.logs_written");
        return Object.values(counts)[0] === REQUESTS.length;
      }, "the answers to be counted");
      return stats("open_telemetry_access_log");
    });
    expect(Object.keys(weft).length).toBeGreaterThan(0);
    expect(weft).toEqual(envoy);
  });
});

describe("a collector that does not take them", () => {
  test.each([
    ["is not there", {}, 0],
    ["says 500", { httpStatus: 500 }, 1],
    ["says in trailers that it failed", { grpcStatus: "14" }, 1],
  ])("%s: they are counted as dropped", async (_name, answers, isThere) => {
    const collector = Object.assign(new LogCollector(), answers);
    await collector.start();
    const [admin = 0, http1 = 0, tcp = 0, closed = 0] = await freePorts(4);
    const ports = { admin, http: http1, tcp };
    const there = isThere === 1 ? collector.ports : { http: closed, grpc: closed };
    const which = "grpcStatus" in answers ? "grpc" : "http";
    const plane = await startWeft(bootstrap(ports, { upstream: upstreamPort(), collector: there }));
    try {
      await send(http1, "GET /own HTTP/1.1\r\nHost: a\r\n");
      const url = `http://127.0.0.1:${admin}/stats?filter=open_telemetry_access_log.${which}.logs`;
      const isCounted = async (): Promise<boolean> =>
        (await (await fetch(url)).text()).includes("logs_dropped: 1\n");
      await expect(until(isCounted, "the record to be dropped")).resolves.toBe(true);
    } finally {
      await plane.stop();
      await collector.stop();
    }
  });

  test("what waits when the proxy ends still goes out", async () => {
    const collector = new LogCollector();
    await collector.start();
    const [admin = 0, http1 = 0, tcp = 0] = await freePorts(3);
    const late = { grpc: { ...LOGS["grpc"], buffer_flush_interval: "600s" } };
    const places = { upstream: upstreamPort(), collector: collector.ports };
    const plane = await startWeft(
      bootstrap({ admin, http: http1, tcp }, places, { ...LOGS, ...late }),
    );
    await send(http1, "GET /own HTTP/1.1\r\nHost: a\r\n");
    expect(collector.records("grpc")).toHaveLength(0);
    await plane.stop();
    expect(collector.records("grpc")).toHaveLength(1);
    await collector.stop();
  });

  test("a report goes out as soon as it is large enough", async () => {
    const collector = new LogCollector();
    await collector.start();
    const [admin = 0, http1 = 0, tcp = 0] = await freePorts(3);
    const small = { ...LOGS["grpc"], buffer_flush_interval: "600s", buffer_size_bytes: 1000 };
    const places = { upstream: upstreamPort(), collector: collector.ports };
    const logs = { ...LOGS, grpc: small };
    const plane = await startWeft(bootstrap({ admin, http: http1, tcp }, places, logs));
    for (let at = 0; at < 12; at++) await send(http1, "GET /own HTTP/1.1\r\nHost: a\r\n");
    await until(() => collector.records("grpc").length > 1, "a report");
    await plane.stop();
    expect(collector.records("grpc")).toHaveLength(12);
    await collector.stop();
  });
});

describe("what is refused", () => {
  const places = { upstream: 4, collector: { http: 5, grpc: 6 } };

  test.each([
    [{ body: BODY }, "exactly one of common_config, grpc_service and http_service"],
    [{ ...grpc, ...http }, "exactly one of common_config, grpc_service and http_service"],
    [{ grpc_service: { google_grpc: { target_uri: "a", stat_prefix: "b" } } }, "google_grpc"],
    [{ ...grpc, body: { int_value: 1 } }, "body: Only string values, nested key value lists"],
    [{ ...grpc, attributes: list({ a: text("%NOPE%") }) }, "attributes.a: Not supported field"],
    [{ ...grpc, formatters: [{ name: "x" }] }, "formatters[0]"],
  ])("%j", (more, problem) => {
    const config = bootstrap({ http: 1, tcp: 2, admin: 3 }, places, { ...LOGS, tcp: more });
    const parsed = parseBootstrap(JSON.stringify(config));
    const issues = parsed.ok ? [] : parsed.issues.map(({ path, message }) => `${path}: ${message}`);
    expect(issues.join("\n")).toContain(problem);
  });
});
