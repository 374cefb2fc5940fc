import { httpListener, routeTable, staticCluster } from "./bootstrap-json.ts";
import type { RefusedBootstrap } from "./refused-bootstraps.ts";

const TYPES = "type.googleapis.com/envoy.extensions.filters.http.";
const TO_UP = { match: { prefix: "/" }, route: { cluster: "up" } };
const ROUTER = { name: "router", typed_config: { "@type": `${TYPES}router.v3.Router` } };
const ANY = [{ any: true }];

function bootstrap(options: object): object {
  const listener = httpListener("in", 0, { route_config: routeTable([TO_UP]), ...options });
  return { static_resources: { listeners: [listener], clusters: [staticCluster("up", [9])] } };
}

/** A connection manager with one more filter before the router, or after it. */
function httpFilter(type: string, config: object, isLast = false): object {
  const own = { name: "own", typed_config: { "@type": `${TYPES}${type}`, ...config } };
  return bootstrap({ http_filters: isLast ? [ROUTER, own] : [own, ROUTER] });
}

/** A route that tells the filter `own` something. */
function ofRoute(type: string, config: object): object {
  const settings = { own: { "@type": `${TYPES}${type}`, ...config } };
  const route = { ...TO_UP, typed_per_filter_config: settings };
  return bootstrap({ route_config: routeTable([route]) });
}

const FAULT = "fault.v3.HTTPFault";
const RBAC = "rbac.v3.RBAC";

const MUTATION = "header_mutation.v3.HeaderMutation";

/** A filter that changes requests so. */
function mutation(step: object, field = "request_mutations"): object {
  return httpFilter(MUTATION, { mutations: { [field]: [step] } });
}

const TABLE: readonly (readonly [string, object, string])[] = [
  [
    "a filter after the router",
    httpFilter("cors.v3.Cors", {}, true),
    "non-terminal filter named own is the last filter",
  ],
  [
    "an abort without a status",
    httpFilter(FAULT, { abort: { percentage: { numerator: 1 } } }),
    "abort: must have one of http_status, grpc_status, header_abort",
  ],
  [
    "an abort with a status that is none",
    httpFilter(FAULT, { abort: { http_status: 600 } }),
    "abort.http_status: ",
  ],
  [
    "a delay of no time",
    httpFilter(FAULT, { delay: { fixed_delay: "0s" } }),
    "delay.fixed_delay: ",
  ],
  [
    "a response that may not move",
    httpFilter(FAULT, { response_rate_limit: { fixed_limit: { limit_kbps: 0 } } }),
    "response_rate_limit.fixed_limit.limit_kbps: ",
  ],
  [
    "a fault of a route for a header without a name",
    ofRoute(FAULT, { headers: [{ name: "" }] }),
    "headers[0].name: ",
  ],
  [
    "a CORS policy with an expression that is none",
    ofRoute("cors.v3.CorsPolicy", {
      allow_origin_string_match: [{ safe_regex: { regex: "(" } }],
    }),
    "allow_origin_string_match[0]",
  ],
  [
    "a policy for nobody",
    httpFilter(RBAC, { rules: { policies: { one: { permissions: ANY } } } }),
    "principals",
  ],
  [
    "a policy of a route for a range of no ports",
    ofRoute("rbac.v3.RBACPerRoute", {
      rbac: {
        rules: {
          policies: {
            one: {
              permissions: [{ destination_port_range: { start: 9, end: 9 } }],
              principals: ANY,
            },
          },
        },
      },
    }),
    "destination_port_range",
  ],
  [
    "a mutation of the path",
    mutation({ append: { header: { key: ":path", value: "/" } } }),
    "mutations.request_mutations[0].append.header.key: :-prefixed or host headers may not be modified",
  ],
  ["a mutation of nothing", mutation({}), "must have one of remove, append, remove_on_match"],
  [
    "a mutation of headers like none",
    mutation({ remove_on_match: {} }),
    "remove_on_match.key_matcher: ",
  ],
  [
    "a mutation with an operator that is none",
    mutation({ append: { header: { key: "x", value: "%NO%" } } }, "response_trailers_mutations"),
    "Not supported field in StreamInfo: NO",
  ],
  [
    "a query mutation of nothing",
    mutation({}, "query_parameter_mutations"),
    "One of 'append'/'remove' must be specified.",
  ],
  [
    "a query mutation of two kinds",
    mutation(
      { append: { record: { key: "a", value: "b" } }, remove: "c" },
      "query_parameter_mutations",
    ),
    "Only one of 'append'/'remove can be specified.",
  ],
  [
    "a query mutation by the older field",
    mutation({ append: { entry: { key: "a", value: "YQ==" } } }, "query_parameter_mutations"),
    "No record specified for append mutation.",
  ],
  [
    "a query mutation with a number",
    mutation({ append: { record: { key: "a", value: 1 } } }, "query_parameter_mutations"),
    "Only string value is allowed for record value.",
  ],
  [
    "a mutation of a route of the host",
    ofRoute("header_mutation.v3.HeaderMutationPerRoute", {
      mutations: { response_mutations: [{ append: { header: { key: "host", value: "a" } } }] },
    }),
    "response_mutations[0].append.header.key: ",
  ],
  ["what a route tells the router", ofRoute("router.v3.Router", {}), '["own"]'],
];

const STATE = "set_filter_state.v3.Config";
const SESSION = "stateful_session.v3.StatefulSession";
const STATES = "type.googleapis.com/envoy.extensions.http.stateful_session.";

/** A filter that puts an object into the filter state. */
function state(object: object): object {
  return httpFilter(STATE, { on_request_headers: [object] });
}

const TEXT = { format_string: { text_format: "x" } };

const STATES_REFUSED: readonly (readonly [string, object, string])[] = [
  ["an object without a key", state(TEXT), "on_request_headers[0]: must have one of object_key"],
  [
    "an object without a value",
    state({ object_key: "envoy.string" }),
    "must have one of format_string",
  ],
  [
    "an object of a kind that is none",
    state({ object_key: "mine", ...TEXT }),
    "object_key: 'mine' does not have an object factory",
  ],
  [
    "an object of a factory that is none",
    state({ object_key: "a", factory_key: "no", ...TEXT }),
    "factory_key: 'a' does not have an object factory",
  ],
  ["a buffer without a bound", httpFilter("buffer.v3.Buffer", {}), "max_request_bytes: "],
  [
    "a buffer of nothing",
    httpFilter("buffer.v3.Buffer", { max_request_bytes: 0 }),
    "max_request_bytes: ",
  ],
  [
    "a buffer of a route that says nothing",
    ofRoute("buffer.v3.BufferPerRoute", {}),
    "must have one of disabled, buffer",
  ],
  [
    "health checks of no mode",
    httpFilter("health_check.v3.HealthCheck", {}),
    "pass_through_mode: ",
  ],
  [
    "answered health checks that are kept",
    httpFilter("health_check.v3.HealthCheck", { pass_through_mode: false, cache_time: "1s" }),
    "cache_time: must not be set when pass_through_mode is disabled",
  ],
  [
    "health checks by more than all",
    httpFilter("health_check.v3.HealthCheck", {
      pass_through_mode: false,
      cluster_min_healthy_percentages: { up: { value: 150 } },
    }),
    "cluster_min_healthy_percentages",
  ],
  [
    "sessions by a cookie without a name",
    httpFilter(SESSION, {
      session_state: {
        name: "c",
        typed_config: { "@type": `${STATES}cookie.v3.CookieBasedSessionState`, cookie: {} },
      },
    }),
    "cookie.name: ",
  ],
  [
    "sessions by a header without a name",
    httpFilter(SESSION, {
      session_state: {
        name: "h",
        typed_config: { "@type": `${STATES}header.v3.HeaderBasedSessionState` },
      },
    }),
    "name: ",
  ],
  [
    "sessions of a route that says nothing",
    ofRoute("stateful_session.v3.StatefulSessionPerRoute", {}),
    "must have one of disabled, stateful_session",
  ],
];

const COMPRESSOR = "compressor.v3.Compressor";
const LIBRARIES = "type.googleapis.com/envoy.extensions.compression.";

function library(type: string, options: object = {}): object {
  return { name: "lib", typed_config: { "@type": `${LIBRARIES}${type}`, ...options } };
}

const COMPRESSION_REFUSED: readonly (readonly [string, object, string])[] = [
  ["a compressor without a library", httpFilter(COMPRESSOR, {}), "compressor_library: is missing"],
  [
    "a compressor with what decompresses",
    httpFilter(COMPRESSOR, { compressor_library: library("gzip.decompressor.v3.Gzip") }),
    "compressor_library: Didn't find a registered implementation",
  ],
  [
    "a compressor with too large a window",
    httpFilter(COMPRESSOR, {
      compressor_library: library("gzip.compressor.v3.Gzip", { window_bits: 16 }),
    }),
    "window_bits: ",
  ],
  [
    "a compressor that leaves out a status twice",
    httpFilter(COMPRESSOR, {
      compressor_library: library("gzip.compressor.v3.Gzip"),
      response_direction_config: { uncompressible_response_codes: [200, 200] },
    }),
    "uncompressible_response_codes",
  ],
  [
    "a compressor of a route that says nothing",
    ofRoute("compressor.v3.CompressorPerRoute", {}),
    "must have one of disabled, overrides",
  ],
  [
    "a decompressor without a library",
    httpFilter("decompressor.v3.Decompressor", {}),
    "decompressor_library: is missing",
  ],
];

/** What Envoy does, and what would leave a request without what it must have. */
export const UNBUILT_FILTERS: readonly RefusedBootstrap[] = [
  {
    name: "a mutation that removes the path",
    bootstrap: mutation({ remove: ":path" }),
    message: "mutations.request_mutations[0].remove: :-prefixed or host headers may not be removed",
  },
  {
    name: "an object whose effect there is not",
    bootstrap: state({ object_key: "envoy.network.upstream_server_name", ...TEXT }),
    message: "objects of 'envoy.network.upstream_server_name' are not supported yet",
  },
  {
    name: "an object that is shared with upstreams",
    bootstrap: state({ object_key: "envoy.string", shared_with_upstream: "ONCE", ...TEXT }),
    message: "shared_with_upstream: ONCE is not supported yet",
  },
  {
    name: "a session's status that is none",
    bootstrap: httpFilter(SESSION, { strict: true, status_on_strict_destination_not_found: 99 }),
    message: "status_on_strict_destination_not_found: 99 is no status of an answer",
  },
];

/** HTTP filters, and what routes tell them, that nobody takes. */
export const REFUSED_FILTERS: readonly RefusedBootstrap[] = [
  ...TABLE,
  ...STATES_REFUSED,
  ...COMPRESSION_REFUSED,
].map(([name, refused, message]) => ({ name, bootstrap: refused, message }));
