import { anyHost, HEADER_MUTATIONS, httpFilter, rbacFilter } from "./bootstrap.ts";
import { UNARY } from "./http2-scenarios.ts";
import type { Http2Ports } from "./http2-upstream.ts";
import type { Http1Traffic, Traffic } from "./load.ts";
import type { CostScenario } from "./scenario.ts";
import { plain, single, traced } from "./setups.ts";

/** What of a filter's scenario differs from one GET of 23 bytes after the other. */
interface FilterCase {
  /** That of its row. */
  readonly name: string;
  readonly filter: object;
  readonly traffic?: Traffic;
  /** Which of the upstreams over HTTP/2 answers; the one over HTTP/1.1 where absent. */
  readonly http2?: keyof Http2Ports;
  /** What the route says to the filter, by the filter's name. */
  readonly ofRoute?: Readonly<Record<string, object>>;
}

const get: Http1Traffic = { path: "/", connections: 32 };

const percent = (numerator: number): object => ({ numerator, denominator: "HUNDRED" });

function library(kind: string, message: string): object {
  return {
    name: kind,
    typedConfig: {
      "@type": `type.googleapis.com/envoy.extensions.compression.${kind}.v3.${message}`,
    },
  };
}

const CORS = "type.googleapis.com/envoy.extensions.filters.http.cors.v3";
const COOKIE = "type.googleapis.com/envoy.extensions.http.stateful_session.cookie.v3";

const FILTERS: readonly FilterCase[] = [
  {
    name: "cors",
    filter: httpFilter("cors", "Cors"),
    traffic: { ...get, headers: ["origin: http://bench.example"] },
    ofRoute: {
      "envoy.filters.http.cors": {
        "@type": `${CORS}.CorsPolicy`,
        allowOriginStringMatch: [{ exact: "http://bench.example" }],
        exposeHeaders: "x-bench",
        allowCredentials: true,
      },
    },
  },
  {
    name: "fault",
    filter: httpFilter("fault", "HTTPFault", {
      abort: { httpStatus: 503, percentage: percent(0) },
      delay: { fixedDelay: "1s", percentage: percent(0) },
    }),
  },
  {
    name: "rbac",
    filter: rbacFilter(
      { header: { name: ":method", stringMatch: { exact: "GET" } } },
      { any: true },
    ),
  },
  {
    name: "local_ratelimit",
    filter: httpFilter("local_ratelimit", "LocalRateLimit", {
      statPrefix: "bench",
      tokenBucket: { maxTokens: 100_000_000, tokensPerFill: 100_000_000, fillInterval: "1s" },
      filterEnabled: { defaultValue: percent(100) },
      filterEnforced: { defaultValue: percent(100) },
    }),
  },
  {
    name: "header_mutation",
    filter: httpFilter("header_mutation", "HeaderMutation", {
      mutations: {
        requestMutations: [
          { append: HEADER_MUTATIONS.requestHeadersToAdd[0] },
          { remove: "x-bench-remove" },
        ],
        responseMutations: [{ append: HEADER_MUTATIONS.responseHeadersToAdd[0] }],
      },
    }),
  },
  {
    name: "buffer",
    filter: httpFilter("buffer", "Buffer", { maxRequestBytes: 65_536 }),
    traffic: { ...get, postBytes: 1024 },
  },
  {
    name: "compressor-gzip",
    filter: httpFilter("compressor", "Compressor", {
      compressorLibrary: library("gzip.compressor", "Gzip"),
    }),
    traffic: { ...get, path: "/16384", headers: ["accept-encoding: gzip"] },
  },
  {
    name: "compressor-br",
    filter: httpFilter("compressor", "Compressor", {
      compressorLibrary: library("brotli.compressor", "Brotli"),
    }),
    traffic: { ...get, path: "/16384", headers: ["accept-encoding: br"] },
  },
  {
    name: "decompressor",
    filter: httpFilter("decompressor", "Decompressor", {
      decompressorLibrary: library("gzip.decompressor", "Gzip"),
    }),
    traffic: { ...get, path: "/gzip/16384" },
  },
  {
    name: "health_check",
    filter: httpFilter("health_check", "HealthCheck", {
      passThroughMode: false,
      headers: [{ name: ":path", stringMatch: { exact: "/healthz" } }],
    }),
  },
  {
    name: "stateful_session",
    filter: httpFilter("stateful_session", "StatefulSession", {
      sessionState: {
        name: "envoy.http.stateful_session.cookie",
        typedConfig: {
          "@type": `${COOKIE}.CookieBasedSessionState`,
          cookie: { name: "session", path: "/", ttl: "120s" },
        },
      },
    }),
  },
  {
    name: "set_filter_state",
    filter: httpFilter("set_filter_state", "Config", {
      onRequestHeaders: [
        {
          objectKey: "bench",
          factoryKey: "envoy.string",
          formatString: { textFormatSource: { inlineString: "%REQ(user-agent)%" } },
        },
      ],
    }),
  },
];

/** Those about gRPC: unary calls in HTTP/2, and what is turned into them. */
const GRPC_FILTERS: readonly FilterCase[] = [
  {
    name: "grpc_stats",
    filter: httpFilter("grpc_stats", "FilterConfig", { statsForAllMethods: true }),
    traffic: UNARY,
  },
  {
    name: "grpc_web",
    filter: httpFilter("grpc_web", "GrpcWeb"),
    traffic: { ...get, postBytes: 37, headers: ["content-type: application/grpc-web+proto"] },
  },
  {
    name: "grpc_http1_bridge",
    filter: httpFilter("grpc_http1_bridge", "Config"),
    traffic: { ...get, postBytes: 37, headers: ["content-type: application/grpc"] },
  },
].map((each) => ({ ...each, http2: "grpc" }));

/** What each thing more costs, beside the same without it. */
export const COST_SCENARIOS: readonly CostScenario[] = [
  {
    kind: "cost",
    group: "tracing",
    name: "tracing-1",
    title: "tracing, 1 % sampled",
    setup: traced(1),
    without: plain,
    traffic: get,
  },
  ...[...FILTERS, ...GRPC_FILTERS].map(
    ({ name, filter, traffic = get, ofRoute, http2 }): CostScenario => ({
      kind: "cost",
      group: "filters",
      name: `filter-${name}`,
      title: name.replace("-", ", "),
      setup: single({
        filters: [filter],
        ...(http2 && { http2 }),
        ...(ofRoute && {
          virtualHosts: [anyHost(undefined, { typedPerFilterConfig: ofRoute })],
        }),
      }),
      without: single({ ...(http2 && { http2 }) }),
      traffic,
    }),
  ),
];
