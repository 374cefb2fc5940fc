import {
  filter,
  httpListener,
  listenerOf,
  routeTable,
  socketAddress,
  staticCluster,
  tcpListener,
} from "./bootstrap-json.ts";

/** A bootstrap that nobody may start with, and where weft finds the mistake. */
export interface RefusedBootstrap {
  readonly name: string;
  readonly bootstrap: object;
  /** A part of weft's words. */
  readonly message: string;
}

const TYPE = "type.googleapis.com/";
const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const STDOUT = `${TYPE}envoy.extensions.access_loggers.stream.v3.StdoutAccessLog`;
const ECHO = filter("network.echo.v3.Echo", {}) as { readonly typed_config: object };
const HTTP_INSPECTOR = filter("listener.http_inspector.v3.HttpInspector", {});
const LIMIT = "network.connection_limit.v3.ConnectionLimit";
const UP = staticCluster("up", [9]);
const TO_UP = { match: { prefix: "/" }, route: { cluster: "up" } };

/** One HTTP listener and one cluster, with something wrong in one of them. */
function http(options: object, cluster: object = {}): object {
  const listener = httpListener("in", 0, { route_config: routeTable([TO_UP]), ...options });
  return { static_resources: { listeners: [listener], clusters: [{ ...UP, ...cluster }] } };
}

function match(match: object): object {
  return http({ route_config: routeTable([{ ...TO_UP, match }]) });
}

function header(matcher: object): object {
  return match({ prefix: "/", headers: [{ name: "a", ...matcher }] });
}

function action(route: object): object {
  const routes = [{ match: TO_UP.match, route: { cluster: "up", ...route } }];
  return http({ route_config: routeTable(routes) });
}

function answer(kind: object): object {
  return http({ route_config: routeTable([{ match: TO_UP.match, ...kind }]) });
}

function log(text: string | undefined): object {
  const format = text === undefined ? {} : { text_format_source: { inline_string: text } };
  const typedConfig = { "@type": STDOUT, log_format: format };
  return http({ access_log: [{ name: "log", typed_config: typedConfig }] });
}

function listener(changes: object): object {
  const one = httpListener("in", 0, { route_config: routeTable([TO_UP]) });
  return { static_resources: { listeners: [{ ...one, ...changes }], clusters: [UP] } };
}

function endpoint(changes: object, locality: object = {}): object {
  const host = { endpoint: { address: socketAddress(9) }, ...changes };
  const assignment = { cluster_name: "up", endpoints: [{ lb_endpoints: [host], ...locality }] };
  return http({}, { load_assignment: assignment });
}

function tcp(options: object): object {
  return { static_resources: { listeners: [tcpListener("in", 0, options)], clusters: [UP] } };
}

function filters(all: readonly object[]): object {
  return { static_resources: { listeners: [listenerOf("in", 0, all)], clusters: [UP] } };
}

const A_NAME = { address: "a.test", port_value: 80 };

/** A dynamic forward proxy, with protocol options and what its cache says besides. */
function forward(cluster: object, options: object = {}, cache: object = {}): object {
  const type = `${TYPE}envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig`;
  const config = { "@type": type, dns_cache_config: { name: "c", ...cache } };
  const one = {
    name: "up",
    lb_policy: "CLUSTER_PROVIDED",
    cluster_type: { name: "envoy.clusters.dynamic_forward_proxy", typed_config: config },
    typed_extension_protocol_options: options,
    ...cluster,
  };
  const listener = httpListener("in", 0, { route_config: routeTable([TO_UP]) });
  return { static_resources: { listeners: [listener], clusters: [one] } };
}

function upstream(name: string, options: object): object {
  const typed = { [name]: { "@type": TYPE + HTTP_OPTIONS, ...options } };
  return http({}, { typed_extension_protocol_options: typed });
}

function ads(changes: object): object {
  return {
    node: { id: "a", cluster: "b" },
    static_resources: { clusters: [{ ...UP, http2_protocol_options: {} }] },
    dynamic_resources: {
      ads_config: {
        api_type: "GRPC",
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "up" } }],
      },
      ...changes,
    },
  };
}

const CRLF = "a\r\nb: c";
const BAD = "has a character that no header may have";
const ONE = { ...httpListener("one", 1, { route_config: routeTable([TO_UP]) }) };

const TABLE: readonly (readonly [string, object, string])[] = [
  [
    "an empty regex",
    match({ safe_regex: { regex: "" } }),
    'safe_regex: invalid regex "": it is empty',
  ],
  [
    "a program size of RE2",
    match({ safe_regex: { google_re2: { max_program_size: 1 }, regex: "/a.*" } }),
    "google_re2.max_program_size: is not supported yet",
  ],
  ["an empty prefix", header({ string_match: { prefix: "" } }), "string_match.prefix: is empty"],
  ["an empty part", header({ string_match: { contains: "" } }), "contains: is empty"],
  ["an empty suffix", header({ suffix_match: "" }), "headers[0].suffix_match: is empty"],
  [
    "a regex without case",
    header({ string_match: { ignore_case: true, safe_regex: { regex: "a" } } }),
    "string_match.ignore_case: has no effect for safe_regex.",
  ],
  [
    "a fraction without a default",
    match({ prefix: "/", runtime_fraction: { runtime_key: "x" } }),
    "runtime_fraction.default_value: is missing",
  ],
  [
    "a direct response that is long",
    answer({ direct_response: { status: 200, body: { inline_string: "x".repeat(4097) } } }),
    "direct_response.body: response body size is 4097 bytes; maximum is 4096",
  ],
  ["a redirect to two lines", answer({ redirect: { host_redirect: CRLF } }), BAD],
  ["a redirect to a path of two lines", answer({ redirect: { path_redirect: CRLF } }), BAD],
  ["a host of two lines", action({ host_rewrite_literal: CRLF }), BAD],
  ["a path of two lines", action({ prefix_rewrite: CRLF }), BAD],
  ["a hash of nothing", action({ hash_policy: [{}] }), "hash_policy[0]"],
  ["a hash of no header", action({ hash_policy: [{ header: {} }] }), "header.header_name"],
  ["a hash of no cookie", action({ hash_policy: [{ cookie: {} }] }), "cookie.name"],
  [
    "a hash of no parameter",
    action({ hash_policy: [{ query_parameter: {} }] }),
    "query_parameter.name",
  ],
  ["a hash of no state", action({ hash_policy: [{ filter_state: {} }] }), "filter_state.key"],
  [
    "a hash of a header that is rewritten by nothing",
    action({ hash_policy: [{ header: { header_name: "a", regex_rewrite: {} } }] }),
    "regex_rewrite.pattern",
  ],
  [
    "a cookie of two lines",
    action({ hash_policy: [{ cookie: { name: "c", attributes: [{ name: "a", value: CRLF }] } }] }),
    "attributes[0].value",
  ],
  ["a negative timeout", action({ timeout: "-1s" }), "route.timeout: must not be negative"],
  [
    "a back-off without a base",
    action({ retry_policy: { retry_on: "5xx", retry_back_off: {} } }),
    "retry_back_off.base_interval: is missing",
  ],
  [
    "a back-off of nothing",
    action({ retry_policy: { retry_on: "5xx", retry_back_off: { base_interval: "0s" } } }),
    "base_interval: must be greater than 0s",
  ],
  [
    "a back-off that ends before it starts",
    action({
      retry_policy: {
        retry_on: "5xx",
        retry_back_off: { base_interval: "1s", max_interval: "0.5s" },
      },
    }),
    "retry_back_off.max_interval: must be at least the base_interval",
  ],
  [
    "a host predicate without its type",
    action({
      retry_policy: {
        retry_on: "5xx",
        retry_host_predicate: [{ name: "envoy.retry_host_predicates.previous_hosts" }],
      },
    }),
    "Didn't find a registered implementation for 'envoy.retry_host_predicates.previous_hosts'",
  ],
  [
    "weights past all bounds",
    answer({
      route: {
        weighted_clusters: {
          clusters: [
            { name: "up", weight: 4_294_967_295 },
            { name: "up", weight: 1 },
          ],
        },
      },
    }),
    "weighted_clusters: sum of the weights exceeds 4294967295",
  ],
  [
    "a domain of two lines",
    http({ route_config: { name: "x", virtual_hosts: [{ name: "a", domains: [CRLF] }] } }),
    `virtual_hosts[0].domains[0]: ${BAD}`,
  ],
  ["heads of no length", http({ max_request_headers_kb: 0 }), "must be greater than 0"],
  ["heads of 9 MB", http({ max_request_headers_kb: 9000 }), "must be at most 8192"],
  [
    "no headers at all",
    http({ common_http_protocol_options: { max_headers_count: 0 } }),
    "max_headers_count: must be at least 1",
  ],
  ["a server of two lines", http({ server_name: CRLF }), `server_name: ${BAD}`],
  [
    "an upgrade twice",
    http({ upgrade_configs: [{ upgrade_type: "websocket" }, { upgrade_type: "WebSocket" }] }),
    'upgrade_configs[1]: "websocket" stands there twice',
  ],
  ["a negative drain time", http({ drain_timeout: "-1s" }), "drain_timeout: must not be negative"],
  [
    "an operator cut off",
    log("a %DURATION"),
    "a %DURATION. Couldn't find valid command at position 2",
  ],
  ["a lone percent sign", log("100%"), "100%. Couldn't find valid command at position 3"],
  [
    "an operator in small letters",
    log("%req(a)%"),
    "%req(a)%. Couldn't find valid command at position 0",
  ],
  [
    "three headers",
    log("%REQ(A?B?C)%"),
    "More than 1 alternative header specified in token: A?B?C",
  ],
  ["no header", log("%REQ()%"), "REQ requires parameters"],
  [
    "a length of a fixed word",
    log("%PROTOCOL:2%"),
    "PROTOCOL does not take any parameters or length",
  ],
  ["no format", log(undefined), "log_format: must have one of text_format"],
  [
    "one choice",
    http({}, { lb_policy: "LEAST_REQUEST", least_request_lb_config: { choice_count: 1 } }),
    "choice_count: must be at least 2",
  ],
  ["a weight of 0", endpoint({ load_balancing_weight: 0 }), "must be at least 1"],
  ["a locality of weight 0", endpoint({}, { load_balancing_weight: 0 }), "must be at least 1"],
  [
    "an endpoint without a port",
    endpoint({ endpoint: { address: { socket_address: { address: "127.0.0.1" } } } }),
    "socket_address: must have one of port_value, named_port",
  ],
  [
    "protocol options under another name",
    upstream("x", { explicit_http_config: { http_protocol_options: {} } }),
    "protocol options implementation for name: 'x'",
  ],
  ["empty protocol options", upstream(HTTP_OPTIONS, {}), "must have one of explicit_http_config"],
  [
    "no protocol",
    upstream(HTTP_OPTIONS, { explicit_http_config: {} }),
    "explicit_http_config: must have one of http_protocol_options",
  ],
  [
    "twice everyone panics",
    http({}, { common_lb_config: { healthy_panic_threshold: { value: 200 } } }),
    "healthy_panic_threshold.value: must be at most 100",
  ],
  ["no time between lookups", http({}, { dns_refresh_rate: "0s" }), "greater than 0.001s"],
  [
    "a listener without a port",
    listener({ address: { socket_address: { address: "127.0.0.1" } } }),
    "must have one of port_value, named_port",
  ],
  [
    "a listener on a name",
    listener({ address: socketAddress(0, "localhost") }),
    "address: malformed IP address: localhost",
  ],
  [
    "two listeners on one address",
    { static_resources: { listeners: [ONE, { ...ONE, name: "two" }], clusters: [UP] } },
    "listeners[1]: has the address 127.0.0.1:1, which static_resources.listeners[0] has already",
  ],
  [
    "admin on a name",
    { admin: { address: socketAddress(0, "localhost") } },
    "admin.address: malformed IP address: localhost",
  ],
  ["a source of nothing", ads({ lds_config: {} }), "lds_config: must have one of path"],
  [
    "another version of the transport",
    ads({
      ads_config: {
        api_type: "GRPC",
        transport_api_version: "V2",
        grpc_services: [{ envoy_grpc: { cluster_name: "up" } }],
      },
    }),
    "transport_api_version: V2 is not supported, only V3",
  ],
  [
    "a Unix socket whose path is too long",
    listener({ address: { pipe: { path: `/${"x".repeat(120)}` } } }),
    "exceeds maximum UNIX domain socket path size of 108.",
  ],
  [
    "an IPv4 address that takes IPv4",
    listener({
      address: { socket_address: { address: "127.0.0.1", port_value: 1, ipv4_compat: true } },
    }),
    "ipv4_compat is set, and 127.0.0.1 is no IPv6 address",
  ],
  [
    "a listener filter that nobody knows",
    listener({ listener_filters: [{ name: "nobody", typed_config: ECHO.typed_config }] }),
    "Didn't find a registered implementation for 'nobody'",
  ],
  [
    "a predicate without a rule",
    listener({ listener_filters: [{ ...HTTP_INSPECTOR, filter_disabled: {} }] }),
    "listener_filters[0].filter_disabled: has no rule",
  ],
  [
    "one rule where two must be",
    listener({
      listener_filters: [
        { ...HTTP_INSPECTOR, filter_disabled: { or_match: { rules: [{ any_match: true }] } } },
      ],
    }),
    "or_match.rules",
  ],
  ["a balance of no kind", listener({ connection_balance_config: {} }), "names no balance"],
  [
    "two places for the options of a log",
    tcp({
      cluster: "up",
      access_log_flush_interval: "1s",
      access_log_options: { flush_access_log_on_connected: true },
    }),
    "Only one of access_log_options",
  ],
  [
    "a duration of a connection that is too short",
    tcp({ cluster: "up", max_downstream_connection_duration: "0.0001s" }),
    "max_downstream_connection_duration",
  ],
  [
    "a weight of none",
    tcp({ weighted_clusters: { clusters: [{ name: "up", weight: 0 }] } }),
    "weight",
  ],
  [
    "a last filter before another",
    filters([filter("network.echo.v3.Echo", {}), filter("network.echo.v3.Echo", {})]),
    "Error: terminal filter named envoy.filters.network.echo of type envoy.filters.network.echo must be the last filter in a network filter chain.",
  ],
  [
    "no filter that ends the chain",
    filters([filter(LIMIT, { stat_prefix: "l", max_connections: 1 })]),
    "Error: non-terminal filter named envoy.filters.network.connection_limit of type envoy.filters.network.connection_limit is the last filter in a network filter chain.",
  ],
  [
    "a header in a policy over connections",
    filters([
      filter("network.rbac.v3.RBAC", {
        stat_prefix: "r",
        rules: {
          policies: {
            p: {
              permissions: [{ any: true }],
              principals: [{ not_id: { header: { name: "a", present_match: true } } }],
            },
          },
        },
      }),
      filter("network.echo.v3.Echo", {}),
    ]),
    'rules.policies["p"]: Found header rule, not supported by RBAC network filter',
  ],
  [
    "a connection limit without a number",
    filters([filter(LIMIT, { stat_prefix: "l" }), filter("network.echo.v3.Echo", {})]),
    "max_connections: is missing",
  ],
  [
    "a connection limit of none",
    filters([
      filter(LIMIT, { stat_prefix: "l", max_connections: 0 }),
      filter("network.echo.v3.Echo", {}),
    ]),
    "max_connections",
  ],
  ["no attempt", tcp({ cluster: "up", max_connect_attempts: 0 }), "must be at least 1"],
  [
    "a path of a tunnel that is no POST",
    tcp({ cluster: "up", tunneling_config: { hostname: "a:1", post_path: "/x" } }),
    "Can't set a post path when POST method isn't used",
  ],
  [
    "a tunnel with a format that is none",
    tcp({ cluster: "up", tunneling_config: { hostname: "%NOTHING%:1" } }),
    "tunneling_config.hostname",
  ],
  [
    "a dynamic forward proxy whose TLS names nobody",
    forward({}, { [HTTP_OPTIONS]: { "@type": TYPE + HTTP_OPTIONS, explicit_http_config: {} } }),
    "must have auto_sni and auto_san_validation",
  ],
  [
    "a dynamic forward proxy that balances by itself",
    forward({ lb_policy: "ROUND_ROBIN" }),
    "cluster provided LB not specified",
  ],
  [
    "more names than there is room for",
    forward({}, {}, { max_hosts: 1, preresolve_hostnames: [A_NAME, A_NAME] }),
    "larger than max_hosts=1",
  ],
  [
    "ALPN over a transport that has none",
    upstream(HTTP_OPTIONS, { auto_config: {} }),
    "ALPN configured for cluster up which has a non-ALPN transport socket",
  ],
  [
    "a cluster of weight 0",
    tcp({
      weighted_clusters: {
        clusters: [
          { name: "up", weight: 0 },
          { name: "up", weight: 1 },
        ],
      },
    }),
    "weighted_clusters.clusters[0].weight: must be at least 1",
  ],
  ["a negative wait", tcp({ cluster: "up", idle_timeout: "-1s" }), "must not be negative"],
];

export const REFUSED_BOOTSTRAPS: readonly RefusedBootstrap[] = TABLE.map(
  ([name, bootstrap, message]) => ({ name, bootstrap, message }),
);
