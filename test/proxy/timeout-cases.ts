import { get, post } from "./cases/request-text.ts";

/** One exchange that some time-out ends, or does not. */
export interface TimeoutCase {
  readonly name: string;
  /** Merged into the connection manager's, the route's action, and the cluster's. */
  readonly manager?: object;
  readonly route?: object;
  readonly cluster?: object;
  /** Parts go out 30 ms apart. */
  readonly send: string | readonly string[];
  /** Of all answers. */
  readonly status: readonly number[];
  /** Status, flags and details as they are logged, of each request; the last one's case counts. */
  readonly log: readonly string[];
  /** So long it takes at least, in milliseconds. */
  readonly waitsMs?: number;
  /** Requests that the upstream sees; not looked at when absent. */
  readonly attempts?: number;
}

function common(options: object): object {
  return { common_http_protocol_options: options };
}

function upstream(options: object): object {
  const type = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  const config = {
    "@type": `type.googleapis.com/${type}`,
    explicit_http_config: { http_protocol_options: {} },
    common_http_protocol_options: options,
  };
  return { typed_extension_protocol_options: { [type]: config } };
}

const SHORT = "0.3s";
const SHORT_MS = 300;
const BACK_OFF = { base_interval: "0.001s", max_interval: "0.002s" };
const HALF_POST = ["Content-Length: 10\r\n", "hi"] as const;
const SLOW_POST = [post("/up", "Content-Length: 20\r\n"), ..."x".repeat(20).split("")];
const WEBSOCKET = get("/upgrade", "Connection: Upgrade\r\nUpgrade: websocket\r\n");

/** What a client is slow with. */
const REQUESTS: readonly TimeoutCase[] = [
  {
    name: "request_headers_timeout of a second request",
    manager: { request_headers_timeout: SHORT },
    send: [get("/up"), "GET /up HTTP/1.1\r\nHo"],
    status: [200, 408],
    log: ["200 - via_upstream", "408 - request_header_timeout"],
    waitsMs: SHORT_MS,
  },
  {
    name: "request_headers_timeout and no request",
    manager: { request_headers_timeout: "0.1s", ...common({ idle_timeout: SHORT }) },
    send: "",
    status: [],
    log: [],
    waitsMs: SHORT_MS,
  },
  {
    name: "request_headers_timeout and a body that takes longer",
    manager: { request_headers_timeout: SHORT },
    send: SLOW_POST,
    status: [200],
    log: ["200 - via_upstream"],
  },
  {
    name: "request_timeout and a body that takes longer",
    manager: { request_timeout: SHORT },
    send: SLOW_POST,
    status: [408],
    log: ["408 - request_overall_timeout"],
    waitsMs: SHORT_MS,
  },
  {
    name: "request_timeout of 0",
    manager: { request_timeout: "0s", stream_idle_timeout: SHORT },
    send: post("/up", ...HALF_POST),
    status: [408],
    log: ["408 SI stream_idle_timeout"],
    waitsMs: SHORT_MS,
  },
  {
    name: "stream_idle_timeout and a body that takes longer",
    manager: { stream_idle_timeout: SHORT },
    send: SLOW_POST,
    status: [200],
    log: ["200 - via_upstream"],
  },
  {
    name: "timeout of a route and a request that is not whole",
    manager: { stream_idle_timeout: "0.6s" },
    route: { timeout: "0.1s" },
    send: post("/up", ...HALF_POST),
    status: [408],
    log: ["408 SI stream_idle_timeout"],
    waitsMs: 600,
  },
  {
    name: "per_try_timeout and a request that is not whole",
    manager: { stream_idle_timeout: "0.6s" },
    route: { timeout: "5s", retry_policy: { retry_on: "5xx", per_try_timeout: "0.1s" } },
    send: post("/up", ...HALF_POST),
    status: [408],
    log: ["408 SI stream_idle_timeout"],
    waitsMs: 600,
  },
];

/** What an upstream is slow with. */
const ROUTES: readonly TimeoutCase[] = [
  {
    name: "timeout and silence",
    route: { timeout: SHORT },
    send: get("/silent"),
    status: [504],
    log: ["504 UT response_timeout"],
    waitsMs: SHORT_MS,
  },
  {
    name: "timeout and half a head",
    route: { timeout: SHORT },
    send: get("/half-head"),
    status: [504],
    log: ["504 UT response_timeout"],
    waitsMs: SHORT_MS,
  },
  {
    name: "timeout and half a body",
    route: { timeout: SHORT },
    send: get("/half"),
    status: [],
    log: ["200 UT response_timeout"],
    waitsMs: SHORT_MS,
  },
  {
    name: "timeout and a head byte by byte",
    route: { timeout: SHORT },
    send: get("/drip-head/100"),
    status: [504],
    log: ["504 UT response_timeout"],
    waitsMs: SHORT_MS,
  },
  {
    name: "timeout and a body byte by byte",
    route: { timeout: SHORT },
    send: get("/drip/100"),
    status: [],
    log: ["200 UT response_timeout"],
    waitsMs: SHORT_MS,
  },
  {
    name: "timeout of 0",
    manager: { stream_idle_timeout: SHORT },
    route: { timeout: "0s" },
    send: get("/silent"),
    status: [504],
    log: ["504 SI stream_idle_timeout"],
    waitsMs: SHORT_MS,
  },
  {
    name: "timeout and a WebSocket",
    manager: { upgrade_configs: [{ upgrade_type: "websocket" }], stream_idle_timeout: "0.6s" },
    route: { timeout: "0.1s" },
    send: WEBSOCKET,
    status: [101],
    log: ["101 SI stream_idle_timeout"],
    waitsMs: 600,
  },
  {
    name: "timeout in the wait before a retry",
    route: {
      timeout: SHORT,
      retry_policy: {
        retry_on: "5xx",
        // The first wait is drawn from this: hardly ever so short that the retry comes in time.
        retry_back_off: { base_interval: "1000s", max_interval: "1000s" },
      },
    },
    send: get("/error"),
    status: [504],
    log: ["504 UT response_timeout"],
    waitsMs: SHORT_MS,
    attempts: 1,
  },
  {
    name: "timeout of all attempts together",
    route: {
      timeout: "0.5s",
      retry_policy: {
        retry_on: "reset",
        num_retries: 9,
        per_try_timeout: "0.2s",
        retry_back_off: BACK_OFF,
      },
    },
    send: get("/silent"),
    status: [504],
    log: ["504 UT response_timeout"],
    waitsMs: 500,
    attempts: 3,
  },
  {
    name: "per_try_timeout longer than the timeout",
    route: { timeout: SHORT, retry_policy: { retry_on: "5xx", per_try_timeout: "1s" } },
    send: get("/silent"),
    status: [504],
    log: ["504 UT response_timeout"],
    waitsMs: SHORT_MS,
    attempts: 1,
  },
  {
    name: "per_try_timeout that a second attempt keeps",
    route: {
      retry_policy: { retry_on: "reset", per_try_timeout: SHORT, retry_back_off: BACK_OFF },
    },
    send: get("/once/1"),
    status: [200],
    log: ["200 - via_upstream"],
    waitsMs: SHORT_MS,
    attempts: 2,
  },
  {
    name: "per_try_timeout with retries on 5xx",
    route: {
      retry_policy: { retry_on: "5xx", per_try_timeout: SHORT, retry_back_off: BACK_OFF },
    },
    send: get("/once/2"),
    status: [200],
    log: ["200 - via_upstream"],
    waitsMs: SHORT_MS,
    attempts: 2,
  },
  {
    name: "per_try_timeout with retries on a gateway's error",
    route: {
      retry_policy: { retry_on: "gateway-error", per_try_timeout: SHORT, retry_back_off: BACK_OFF },
    },
    send: get("/once/3"),
    status: [200],
    log: ["200 - via_upstream"],
    waitsMs: SHORT_MS,
    attempts: 2,
  },
  {
    name: "per_try_timeout without a retry for it",
    route: { retry_policy: { retry_on: "connect-failure", per_try_timeout: SHORT } },
    send: get("/silent"),
    status: [504],
    log: ["504 UT upstream_per_try_timeout"],
    waitsMs: SHORT_MS,
    attempts: 1,
  },
  {
    name: "per_try_timeout and a body that takes longer",
    route: { retry_policy: { retry_on: "5xx", per_try_timeout: "0.6s" } },
    send: get("/late-body/1000"),
    status: [200],
    log: ["200 - via_upstream"],
    waitsMs: 1000,
    attempts: 1,
  },
  {
    name: "per_try_idle_timeout and half a body",
    route: { retry_policy: { retry_on: "5xx", per_try_idle_timeout: SHORT } },
    send: get("/half"),
    status: [],
    log: ["200 UT upstream_per_try_idle_timeout"],
    waitsMs: SHORT_MS,
    attempts: 1,
  },
  {
    name: "per_try_idle_timeout and a body byte by byte",
    route: { retry_policy: { retry_on: "5xx", per_try_idle_timeout: "0.6s" } },
    send: get("/drip/100"),
    status: [200],
    log: ["200 - via_upstream"],
    waitsMs: 900,
  },
  {
    name: "per_try_idle_timeout and a head byte by byte",
    route: {
      retry_policy: { retry_on: "connect-failure", per_try_idle_timeout: SHORT },
    },
    send: get("/drip-head/100"),
    status: [504],
    log: ["504 UT upstream_per_try_idle_timeout"],
    waitsMs: SHORT_MS,
  },
  {
    name: "idle_timeout of 0 of a route",
    manager: { stream_idle_timeout: "0.1s" },
    route: { idle_timeout: "0s", timeout: "0.6s" },
    send: get("/silent"),
    status: [504],
    log: ["504 UT response_timeout"],
    waitsMs: 600,
  },
  {
    name: "idle_timeout of a route that is longer than the manager's",
    manager: { stream_idle_timeout: "0.1s" },
    route: { idle_timeout: "0.6s" },
    send: get("/silent"),
    status: [504],
    log: ["504 SI stream_idle_timeout"],
    waitsMs: 600,
  },
  {
    name: "stream_idle_timeout and a body byte by byte",
    manager: { stream_idle_timeout: "0.6s" },
    send: get("/drip/100"),
    status: [200],
    log: ["200 - via_upstream"],
    waitsMs: 900,
  },
  {
    name: "stream_idle_timeout and a head byte by byte",
    manager: { stream_idle_timeout: SHORT },
    send: get("/drip-head/100"),
    status: [504],
    log: ["504 SI stream_idle_timeout"],
    waitsMs: SHORT_MS,
  },
  {
    name: "max_stream_duration of 0 of a route",
    manager: { stream_idle_timeout: "0.6s", ...common({ max_stream_duration: "0.1s" }) },
    route: { max_stream_duration: { max_stream_duration: "0s" } },
    send: get("/silent"),
    status: [504],
    log: ["504 SI stream_idle_timeout"],
    waitsMs: 600,
  },
  {
    name: "max_stream_duration and a body byte by byte",
    manager: common({ max_stream_duration: SHORT }),
    send: get("/drip/100"),
    status: [],
    log: ["200 - max_duration_timeout"],
    waitsMs: SHORT_MS,
  },
  {
    name: "max_stream_duration and a WebSocket",
    manager: {
      upgrade_configs: [{ upgrade_type: "websocket" }],
      ...common({ max_stream_duration: SHORT }),
    },
    send: WEBSOCKET,
    status: [101],
    log: ["101 - max_duration_timeout"],
    waitsMs: SHORT_MS,
  },
];

/** What a cluster and a connection bound. */
const OTHERS: readonly TimeoutCase[] = [
  {
    name: "max_stream_duration of a cluster and silence",
    cluster: upstream({ max_stream_duration: SHORT }),
    send: get("/silent"),
    status: [504],
    log: ["504 UMSDR upstream_max_stream_duration_reached"],
    waitsMs: SHORT_MS,
  },
  {
    name: "max_stream_duration of a cluster and half a body",
    cluster: upstream({ max_stream_duration: SHORT }),
    send: get("/half"),
    status: [],
    log: ["200 UMSDR upstream_max_stream_duration_reached"],
    waitsMs: SHORT_MS,
  },
  {
    name: "max_stream_duration of a cluster and retries",
    cluster: upstream({ max_stream_duration: SHORT }),
    route: { retry_policy: { retry_on: "reset", retry_back_off: BACK_OFF } },
    send: get("/once/4"),
    status: [200],
    log: ["200 - via_upstream"],
    waitsMs: SHORT_MS,
    attempts: 2,
  },
  {
    name: "idle_timeout of connections and an answer that takes longer",
    manager: common({ idle_timeout: "0.2s" }),
    send: get("/late/600"),
    status: [200],
    log: ["200 - via_upstream"],
    waitsMs: 600,
  },
  {
    name: "idle_timeout of upstream connections and an answer that takes longer",
    cluster: upstream({ idle_timeout: "0.2s" }),
    send: get("/late/600"),
    status: [200],
    log: ["200 - via_upstream"],
    waitsMs: 600,
  },
  {
    name: "max_connection_duration in a request",
    manager: common({ max_connection_duration: "0.2s" }),
    send: get("/late/600"),
    status: [200],
    log: ["200 - via_upstream"],
    waitsMs: 600,
  },
  {
    name: "max_connection_duration of upstream connections in a request",
    cluster: upstream({ max_connection_duration: "0.2s" }),
    send: get("/late/600"),
    status: [200],
    log: ["200 - via_upstream"],
    waitsMs: 600,
  },
  {
    name: "an answer that no time-out concerns",
    manager: {
      ...common({ idle_timeout: "5s", max_stream_duration: "5s", max_connection_duration: "5s" }),
      stream_idle_timeout: "5s",
      request_timeout: "5s",
      request_headers_timeout: "5s",
    },
    route: {
      timeout: "5s",
      idle_timeout: "5s",
      retry_policy: { retry_on: "5xx", per_try_timeout: "4s", per_try_idle_timeout: "4s" },
    },
    cluster: upstream({ idle_timeout: "5s", max_stream_duration: "5s" }),
    send: get("/late/100"),
    status: [200],
    log: ["200 - via_upstream"],
    waitsMs: 100,
  },
];

const GRPC = "Content-Type: application/grpc\r\n";

/** What a gRPC client asks for itself. */
const OF_GRPC: readonly TimeoutCase[] = [
  {
    name: "max_grpc_timeout and a client that asks for less",
    route: { timeout: "5s", max_grpc_timeout: "5s" },
    send: get("/silent", `${GRPC}Grpc-Timeout: 300m\r\n`),
    status: [200],
    log: ["200 UT response_timeout"],
    waitsMs: SHORT_MS,
  },
  {
    name: "max_grpc_timeout and a client that asks for more",
    route: { timeout: "0.1s", max_grpc_timeout: SHORT },
    send: get("/silent", `${GRPC}Grpc-Timeout: 1H\r\n`),
    status: [200],
    log: ["200 UT response_timeout"],
    waitsMs: SHORT_MS,
  },
  {
    name: "max_grpc_timeout and a client that asks for nothing",
    route: { timeout: "0.1s", max_grpc_timeout: SHORT },
    send: get("/silent", GRPC),
    status: [200],
    log: ["200 UT response_timeout"],
    waitsMs: SHORT_MS,
  },
  {
    name: "max_grpc_timeout of 0 in place of the route's",
    route: { timeout: "0.1s", max_grpc_timeout: "0s" },
    send: get("/late/600", GRPC),
    status: [200],
    log: ["200 - via_upstream"],
    waitsMs: 600,
  },
  {
    name: "max_grpc_timeout and a request that is not gRPC's",
    route: { timeout: SHORT, max_grpc_timeout: "5s" },
    send: get("/silent", "Grpc-Timeout: 100m\r\n"),
    status: [504],
    log: ["504 UT response_timeout"],
    waitsMs: SHORT_MS,
  },
  {
    name: "grpc_timeout_offset",
    route: { max_grpc_timeout: "5s", grpc_timeout_offset: "0.2s" },
    send: get("/silent", `${GRPC}Grpc-Timeout: 500m\r\n`),
    status: [200],
    log: ["200 UT response_timeout"],
    waitsMs: SHORT_MS,
  },
  {
    name: "grpc_timeout_header_max",
    route: { max_stream_duration: { max_stream_duration: "5s", grpc_timeout_header_max: SHORT } },
    send: get("/silent", `${GRPC}Grpc-Timeout: 2S\r\n`),
    status: [200],
    log: ["200 - max_duration_timeout"],
    waitsMs: SHORT_MS,
  },
  {
    name: "grpc_timeout_header_max of 0 and an offset",
    route: {
      max_stream_duration: {
        grpc_timeout_header_max: "0s",
        grpc_timeout_header_offset: "0.1s",
      },
    },
    send: get("/silent", `${GRPC}Grpc-Timeout: 400m\r\n`),
    status: [200],
    log: ["200 - max_duration_timeout"],
    waitsMs: SHORT_MS,
  },
];

/** Every time-out of HTTP requests, by who is slow. */
export const TIMEOUT_CASES: readonly TimeoutCase[] = [
  ...REQUESTS,
  ...ROUTES,
  ...OTHERS,
  ...OF_GRPC,
];
