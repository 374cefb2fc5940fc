import {
  filter,
  httpListener,
  listenerOf,
  routeTable,
  socketAddress,
  staticCluster,
} from "./bootstrap-json.ts";
import type { RefusedBootstrap } from "./refused-bootstraps.ts";

const TYPES = "type.googleapis.com/envoy.extensions.filters.http.";
const ROUTER = { name: "router", typed_config: { "@type": `${TYPES}router.v3.Router` } };
const BUCKET = { max_tokens: 1, fill_interval: "1s" };
const KEY = { generic_key: { descriptor_value: "x" } };
const METADATA_KEY = { key: "a", path: [{ key: "b" }] };

function limitOf(settings: object): object {
  const type = `${TYPES}local_ratelimit.v3.LocalRateLimit`;
  return { "@type": type, stat_prefix: "x", token_bucket: BUCKET, ...settings };
}

function bootstrap(options: object, action: object = {}, route: object = {}): object {
  const routes = [{ match: { prefix: "/" }, route: { cluster: "up", ...action }, ...route }];
  const listener = httpListener("in", 0, { route_config: routeTable(routes), ...options });
  return { static_resources: { listeners: [listener], clusters: [staticCluster("up", [9])] } };
}

/** A connection manager with the filter. */
function own(settings: object): object {
  return bootstrap({ http_filters: [{ name: "own", typed_config: limitOf(settings) }, ROUTER] });
}

function ofRoute(settings: object): object {
  return bootstrap({}, {}, { typed_per_filter_config: { own: limitOf(settings) } });
}

/** Rules of a route. */
function rules(...given: readonly object[]): object {
  return bootstrap({}, { rate_limits: given });
}

function action(given: object): object {
  return rules({ actions: [given] });
}

function ownRule(given: object): object {
  return own({ rate_limits: [{ actions: [KEY], ...given }] });
}

function descriptor(
  entries: readonly (readonly [string, string])[],
  tokenBucket: object | undefined = BUCKET,
): object {
  const list = entries.map(([key, value]) => ({ key, value }));
  return { entries: list, token_bucket: tokenBucket };
}

function network(settings: object): object {
  const limit = { stat_prefix: "x", token_bucket: BUCKET, ...settings };
  const filters = [
    filter("network.local_ratelimit.v3.LocalRateLimit", limit),
    filter("network.echo.v3.Echo", {}),
  ];
  return { static_resources: { listeners: [listenerOf("in", 0, filters)] } };
}

function listenerFilter(settings: object): object {
  const limit = { stat_prefix: "x", token_bucket: BUCKET, ...settings };
  const listener = {
    name: "in",
    address: socketAddress(0),
    listener_filters: [filter("listener.local_ratelimit.v3.LocalRateLimit", limit)],
    filter_chains: [{ filters: [filter("network.echo.v3.Echo", {})] }],
  };
  return { static_resources: { listeners: [listener] } };
}

const FAST = { max_tokens: 1, fill_interval: "0.049s" };
const TOO_FAST = "token_bucket: local rate limit token bucket fill timer must be >= 50ms";
const hits = (hits_addend: object): object => ownRule({ hits_addend });

const TABLE: readonly (readonly [string, object, string])[] = [
  ["a bucket that fills too fast", own({ token_bucket: FAST }), TOO_FAST],
  ["a bucket that fills too fast, of a route", ofRoute({ token_bucket: FAST }), TOO_FAST],
  ["a bucket of connections that fills too fast", network({ token_bucket: FAST }), TOO_FAST],
  ["a bucket of a listener that fills too fast", listenerFilter({ token_bucket: FAST }), TOO_FAST],
  [
    "a bucket of a descriptor that fills too fast",
    own({ descriptors: [descriptor([["a", "b"]], FAST)] }),
    "local rate limit descriptor token bucket fill timer must be >= 50ms",
  ],
  [
    "a bucket that never fills",
    own({ token_bucket: { max_tokens: 1 } }),
    "token_bucket.fill_interval: is missing",
  ],
  [
    "a bucket that fills with nothing",
    own({ token_bucket: { ...BUCKET, tokens_per_fill: 0 } }),
    "token_bucket.tokens_per_fill: must be greater than 0",
  ],
  [
    "a rate limit of a route without a bucket",
    ofRoute({ token_bucket: undefined }),
    "token_bucket: local rate limit token bucket must be set for per filter configs",
  ],
  ["a rate limit without a name", own({ stat_prefix: "" }), "stat_prefix: is empty"],
  ["a rate limit of connections without a name", network({ stat_prefix: "" }), "stat_prefix: "],
  [
    "a rate limit of a listener without a name",
    listenerFilter({ stat_prefix: "" }),
    "stat_prefix: ",
  ],
  [
    "connections without a bucket",
    network({ token_bucket: undefined }),
    "token_bucket: is missing",
  ],
  [
    "a flag without a default",
    network({ runtime_enabled: { runtime_key: "a" } }),
    "runtime_enabled.default_value: is missing",
  ],
  ["a stage beyond the last", own({ stage: 11 }), "stage: must be at most 10"],
  ["a status that is none", own({ status: { code: 299 } }), "status.code: "],
  [
    "more headers than there may be",
    own({
      response_headers_to_add: Array.from({ length: 11 }, (_, at) => ({
        header: { key: `a-${at}`, value: "b" },
      })),
    }),
    "response_headers_to_add: must have at most 10 entries",
  ],
  [
    "a header of the first line",
    own({ response_headers_to_add: [{ header: { key: ":path", value: "b" } }] }),
    ":-prefixed or host headers may not be modified",
  ],
  [
    "two buckets for one descriptor",
    own({
      descriptors: [
        descriptor([
          ["a", "b"],
          ["c", "d"],
        ]),
        descriptor([
          ["a", "b"],
          ["c", "d"],
        ]),
      ],
    }),
    "descriptors[1]: duplicate descriptor in the local rate descriptor: a=b, c=d",
  ],
  [
    "two buckets for any value",
    own({ descriptors: [descriptor([["a", ""]]), descriptor([["a", ""]])] }),
    "duplicate descriptor in the local rate descriptor: a=",
  ],
  ["a descriptor of nothing", own({ descriptors: [descriptor([])] }), "entries: "],
  [
    "an entry without a key",
    own({ descriptors: [descriptor([["", "b"]])] }),
    "descriptors[0].entries[0].key: is empty",
  ],
  [
    "a descriptor without a bucket",
    own({ descriptors: [{ entries: [{ key: "a", value: "b" }] }] }),
    "descriptors[0].token_bucket: is missing",
  ],
  [
    "room for no values",
    own({ max_dynamic_descriptors: 0 }),
    "max_dynamic_descriptors: must be at least 1",
  ],
  [
    "a bucket that a cluster shares",
    own({ local_cluster_rate_limit: {} }),
    "local_cluster_rate_limit: is not supported yet",
  ],
  [
    "a bucket of a connection that a cluster shares",
    own({ local_cluster_rate_limit: {}, local_rate_limit_per_downstream_connection: true }),
    "local_cluster_rate_limit is set and local_rate_limit_per_downstream_connection is set to true",
  ],
  ["a filter's rule of a stage", ownRule({ stage: 0 }), "'stage' field and 'disable_key' field"],
  ["a filter's rule with a key", ownRule({ disable_key: "a" }), "field are not supported"],
  [
    "a filter's rule with a limit",
    ownRule({ limit: { dynamic_metadata: { metadata_key: METADATA_KEY } } }),
    "limit: 'limit' field is not supported",
  ],
  ["hits of two kinds", hits({ number: 1, format: "%PROTOCOL%" }), "either a format or a number"],
  ["hits of no kind", hits({}), "hits_addend must contain either a format or a number"],
  ["hits of two operators", hits({ format: "%PROTOCOL%%PROTOCOL%" }), "exactly one substitution"],
  ["hits of no operator", hits({ format: "5" }), "hits_addend format must contain"],
  ["hits of an unknown operator", hits({ format: "%NOPE%" }), "NOPE"],
  ["too many hits", hits({ number: 1_000_000_001 }), "hits_addend.number: must be at most"],
  ["a rule without actions", rules({}), "rate_limits[0].actions: "],
  ["an action that is none", action({}), "actions[0]: "],
  ["a rule of a stage beyond the last", rules({ stage: 11, actions: [KEY] }), "stage: "],
  [
    "a rule with a limit that is none",
    rules({ limit: {}, actions: [KEY] }),
    "limit: must have one",
  ],
  ["a key without a value", action({ generic_key: {} }), "generic_key.descriptor_value: is empty"],
  [
    "a header without a key",
    action({ request_headers: { header_name: "a" } }),
    "request_headers.descriptor_key: is empty",
  ],
  [
    "a parameter without a name",
    action({ query_parameters: { descriptor_key: "a" } }),
    "query_parameters.query_parameter_name: is empty",
  ],
  [
    "metadata without a key",
    action({ metadata: { descriptor_key: "a" } }),
    "metadata.metadata_key: is missing",
  ],
  [
    "the old form of metadata",
    action({ dynamic_metadata: { descriptor_key: "a", metadata_key: METADATA_KEY } }),
    "Using deprecated option 'envoy.config.route.v3.RateLimit.Action.dynamic_metadata'",
  ],
  [
    "headers of none",
    action({ header_value_match: { descriptor_value: "a" } }),
    "header_value_match.headers: ",
  ],
  [
    "a mask longer than an address",
    action({ masked_remote_address: { v4_prefix_mask_len: 33 } }),
    "v4_prefix_mask_len: must be at most 32",
  ],
];

/** Rate limits that nobody takes. */
export const REFUSED_RATE_LIMITS: readonly RefusedBootstrap[] = TABLE.map(
  ([name, refused, message]) => ({ name, bootstrap: refused, message }),
);
