import { socketAddress, staticCluster } from "./bootstrap-json.ts";
import type { RefusedBootstrap } from "./refused-bootstraps.ts";

const TYPE = "type.googleapis.com/envoy.extensions.health_check.event_sinks.file.v3";
const REQUIRED = { timeout: "1s", interval: "1s", unhealthy_threshold: 2, healthy_threshold: 2 };

function check(changes: object, cluster: object = {}): object {
  const checks = [{ ...REQUIRED, http_health_check: { path: "/" }, ...changes }];
  const up = staticCluster("up", [9], { health_checks: checks, ...cluster });
  return { static_resources: { clusters: [up] } };
}

function http(changes: object): object {
  return check({ http_health_check: { path: "/", ...changes } });
}

function tcp(changes: object): object {
  return check({ http_health_check: undefined, tcp_health_check: changes });
}

function endpoint(config: object, address: object = socketAddress(9)): object {
  const endpoints = [{ lb_endpoints: [{ endpoint: { address, health_check_config: config } }] }];
  return check({}, { load_assignment: { cluster_name: "up", endpoints } });
}

function added(key: string, value = "x"): object {
  return http({ request_headers_to_add: [{ header: { key, value } }] });
}

function sink(config: object): object {
  const typedConfig = { "@type": `${TYPE}.HealthCheckEventFileSink`, ...config };
  return check({ event_logger: [{ name: "file", typed_config: typedConfig }] });
}

const PORT = "non-zero port for non-IP address";
const PIPE = { pipe: { path: "/tmp/socket" } };

const CASES: readonly (readonly [name: string, bootstrap: object, message: string])[] = [
  ["a check of no kind", check({ http_health_check: undefined }), "must have one of"],
  ["no time-out", check({ timeout: undefined }), "timeout: is missing"],
  ["a time-out of nothing", check({ timeout: "0s" }), "timeout: must be greater than 0s"],
  ["no interval", check({ interval: undefined }), "interval: is missing"],
  ["an interval of nothing", check({ interval: "0s" }), "interval: must be greater than 0s"],
  ["no threshold", check({ healthy_threshold: undefined }), "healthy_threshold: is missing"],
  ["no way down", check({ unhealthy_threshold: undefined }), "unhealthy_threshold: is missing"],
  ["no traffic, no time", check({ no_traffic_interval: "0s" }), "must be greater than 0s"],
  ["a path of nothing", http({ path: "" }), "http_health_check.path: is empty"],
  [
    "a name that ends its line",
    http({ host: "a\r\nb" }),
    "host: has a character that no header may have",
  ],
  ["CONNECT", http({ method: "CONNECT" }), "method: cannot be CONNECT"],
  [
    "statuses from behind",
    http({ expected_statuses: [{ start: 300, end: 200 }] }),
    "expected_statuses[0]: Invalid http expected status range: expecting start < end, but found start=300 and end=200",
  ],
  [
    "statuses of nobody",
    http({ expected_statuses: [{ start: 99, end: 200 }] }),
    "expecting start >= 100, but found start=99",
  ],
  [
    "too high statuses",
    http({ retriable_statuses: [{ start: 500, end: 601 }] }),
    "Invalid http retriable status range: expecting end <= 600, but found end=601",
  ],
  [
    "a body of a GET",
    http({ send: { text: "00" } }),
    "HTTP health check cannot specify a request payload with method 'GET'",
  ],
  ["a digit that is none", http({ receive: [{ text: "0g" }] }), "invalid hex string '0g'"],
  ["half a byte", tcp({ send: { text: "abc" } }), "send.text: invalid hex string 'abc'"],
  ["a payload of nothing", http({ receive: [{ text: "" }] }), "receive[0].text: is empty"],
  ["no payload", tcp({ receive: [{}] }), "receive[0]: must have one of text, binary"],
  [
    "more than the buffer holds",
    http({ receive: [{ text: "00".repeat(3) }, { text: "0000" }], response_buffer_size: 4 }),
    "The expected response length '5' is over than http health response buffer size '4'",
  ],
  ["another host", added("Host"), ":-prefixed or host headers may not be modified"],
  ["another path", added(":path"), ":-prefixed or host headers may not be modified"],
  ["a value of nothing known", added("x", "%NOPE%"), "Not supported field in StreamInfo: NOPE"],
  [
    "no host",
    http({ request_headers_to_remove: ["host"] }),
    "request_headers_to_remove[0]: :-prefixed or host headers may not be removed",
  ],
  ["events to nowhere", sink({}), "event_logger[0].event_log_path: is empty"],
  [
    "events to where nothing is",
    sink({ event_log_path: "/nowhere/at/all" }),
    "unable to open file '/nowhere/at/all': No such file or directory",
  ],
  [
    "a log where nothing is",
    check({ event_log_path: "/nowhere/at/all" }),
    "event_log_path: unable to open file '/nowhere/at/all'",
  ],
  ["a port too high", endpoint({ port_value: 70_000 }), "port_value: must be at most 65535"],
  [
    "a name to check",
    endpoint({ address: socketAddress(9, "a.test") }),
    "health_check_config.address: malformed IP address: a.test",
  ],
  ["a port of a Unix socket", endpoint({ port_value: 9 }, PIPE), PORT],
  [
    "gRPC over HTTP/1.1",
    check({ http_health_check: undefined, grpc_health_check: {} }),
    "up cluster must support HTTP/2 for gRPC healthchecking",
  ],
  [
    "two checks",
    check({}, { health_checks: [1, 2].map(() => ({ ...REQUIRED, tcp_health_check: {} })) }),
    "health_checks[1]: a second health check of a cluster is not supported yet",
  ],
];

/** Health checks that nobody may start with. */
export const REFUSED_HEALTH: readonly RefusedBootstrap[] = CASES.map(
  ([name, bootstrap, message]) => ({ name, bootstrap, message }),
);

/** What Envoy can do with checks and weft cannot yet. */
export const UNBUILT_HEALTH: readonly RefusedBootstrap[] = [
  {
    name: "HTTP/2",
    bootstrap: http({ codec_client_type: "HTTP3" }),
    message: "codec_client_type: HTTP3 is not supported yet, only HTTP1 and HTTP2",
  },
  {
    name: "binary that Envoy does not send",
    bootstrap: tcp({ send: { binary: "AAE=" } }),
    message:
      "send.binary: is not supported yet: Envoy does not send it, only text in hexadecimal digits",
  },
  {
    name: "events to a service",
    bootstrap: check({
      event_service: { grpc_service: { envoy_grpc: { cluster_name: "up" } } },
    }),
    message: "health_checks[0].event_service: is not supported yet",
  },
  {
    name: "a protocol without a name",
    bootstrap: check({ tls_options: { alpn_protocols: ["a", ""] } }),
    message: 'tls_options.alpn_protocols[1]: "" has 0 bytes',
  },
];
