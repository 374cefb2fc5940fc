import { filter, httpListener, listenerOf, routeTable, staticCluster } from "./bootstrap-json.ts";
import type { RefusedBootstrap } from "./refused-bootstraps.ts";
import { upstreamTls } from "./tls-json.ts";

/** What control planes of meshes write as a rule, and what of it weft's proxy has not. */

const EXTENSION = "type.googleapis.com/envoy.extensions.";
const OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const UP = staticCluster("up", [9]);
const TO_UP = { match: { prefix: "/" }, route: { cluster: "up" } };
const TCP = filter("network.tcp_proxy.v3.TcpProxy", { stat_prefix: "t", cluster: "up" });

function typed(name: string, type: string, options: object = {}): object {
  return { name, typed_config: { "@type": EXTENSION + type, ...options } };
}

function bootstrap(listener: object, cluster: object = UP): object {
  return {
    node: { id: "a", cluster: "b" },
    static_resources: { listeners: [listener], clusters: [cluster] },
  };
}

function manager(options: object): object {
  return bootstrap(httpListener("in", 0, { route_config: routeTable([TO_UP]), ...options }));
}

function action(options: object, route: object = {}): object {
  const routes = [{ ...TO_UP, route: { cluster: "up", ...options }, ...route }];
  return manager({ route_config: routeTable(routes) });
}

function listener(options: object): object {
  return bootstrap(listenerOf("in", 0, [TCP], options));
}

function cluster(options: object): object {
  return bootstrap(listenerOf("in", 0, [TCP]), { ...UP, ...options });
}

function http(options: object): object {
  const one = { "@type": `type.googleapis.com/${OPTIONS}`, ...options };
  return { typed_extension_protocol_options: { [OPTIONS]: one } };
}

function httpFilter(type: string, options: object = {}): object {
  const router = filter("http.router.v3.Router", {});
  return manager({ http_filters: [filter(`http.${type}`, options), router] });
}

function portRange(start: number): object {
  return { destination_port_range: { start, end: start + 1 } };
}

/** Both take them. */
export const ACCEPTED_MESH: readonly (readonly [name: string, bootstrap: object])[] = [
  [
    "the options of a sidecar's connection manager",
    manager({
      forward_client_cert_details: "APPEND_FORWARD",
      set_current_client_cert_details: { subject: true, dns: true, uri: true },
      use_remote_address: false,
      xff_num_trusted_hops: 1,
      normalize_path: true,
      merge_slashes: true,
      path_with_escaped_slashes_action: "KEEP_UNCHANGED",
      server_name: "istio-envoy",
      server_header_transformation: "PASS_THROUGH",
      proxy_100_continue: true,
      stream_idle_timeout: "0s",
      upgrade_configs: [{ upgrade_type: "websocket" }],
      http_protocol_options: { accept_http_10: true },
      http2_protocol_options: { max_concurrent_streams: 100, allow_connect: true },
      common_http_protocol_options: { idle_timeout: "3600s" },
      internal_address_config: {},
      request_id_extension: {
        typed_config: {
          "@type": `${EXTENSION}request_id.uuid.v3.UuidRequestIdConfig`,
          use_request_id_for_trace_sampling: true,
        },
      },
    }),
  ],
  [
    "the inspectors of inbound ports",
    listener({
      traffic_direction: "INBOUND",
      listener_filters_timeout: "0s",
      continue_on_listener_filters_timeout: true,
      enable_reuse_port: true,
      max_connections_to_accept_per_socket_event: 1,
      connection_balance_config: { exact_balance: {} },
      listener_filters: [
        {
          ...filter("listener.tls_inspector.v3.TlsInspector", {}),
          filter_disabled: { or_match: { rules: [portRange(80), portRange(90)] } },
        },
        {
          ...filter("listener.http_inspector.v3.HttpInspector", {}),
          filter_disabled: { not_match: portRange(80) },
        },
      ],
    }),
  ],
  ["a listener that others hand connections to", listener({ bind_to_port: false })],
  [
    "the timeouts of a route",
    action({
      timeout: "0s",
      max_grpc_timeout: "0s",
      retry_policy: {
        retry_on: "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
        num_retries: 2,
        retriable_status_codes: [503],
        retry_host_predicate: [
          typed(
            "envoy.retry_host_predicates.previous_hosts",
            "retry.host.previous_hosts.v3.PreviousHostsPredicate",
          ),
        ],
        host_selection_retry_max_attempts: "5",
      },
    }),
  ],
  [
    "a mirror of half the requests",
    action({
      request_mirror_policies: [
        {
          cluster: "up",
          runtime_fraction: { default_value: { numerator: 50, denominator: "HUNDRED" } },
          trace_sampled: false,
          disable_shadow_host_suffix_append: true,
        },
      ],
    }),
  ],
  [
    "a route that names its operation and where it comes from",
    action(
      {},
      {
        name: "default",
        decorator: { operation: "reviews.default.svc.cluster.local:9080/*" },
        metadata: { filter_metadata: { istio: { config: "/apis/x" } } },
        stat_prefix: "reviews",
      },
    ),
  ],
  [
    "a cluster of names that are asked for at different times",
    cluster({
      type: "STRICT_DNS",
      dns_lookup_family: "V4_ONLY",
      dns_refresh_rate: "60s",
      dns_jitter: "0.1s",
      respect_dns_ttl: true,
    }),
  ],
  [
    "a cluster that speaks as its clients do",
    cluster({
      ...http({
        use_downstream_protocol_config: {
          http_protocol_options: {},
          http2_protocol_options: { max_concurrent_streams: 1_073_741_824 },
        },
      }),
      circuit_breakers: { thresholds: [{ max_retries: 4_294_967_295, track_remaining: true }] },
    }),
  ],
  [
    "a cluster whose TLS is named after requests",
    cluster({
      ...http({
        explicit_http_config: { http_protocol_options: {} },
        upstream_http_protocol_options: { auto_sni: true, auto_san_validation: true },
      }),
      transport_socket: upstreamTls({ alpn_protocols: ["h2", "http/1.1"] }),
    }),
  ],
  [
    "a cluster that leaves HTTP to ALPN",
    cluster({ ...http({ auto_config: {} }), transport_socket: upstreamTls({}) }),
  ],
];

/** Envoy takes these, and weft refuses them by name. */
export const UNBUILT_MESH: readonly RefusedBootstrap[] = [
  {
    name: "TPROXY",
    bootstrap: listener({ transparent: true }),
    message: "listeners[0].transparent: needs IP_TRANSPARENT",
  },
  {
    name: "an address that is not there yet",
    bootstrap: listener({ freebind: true }),
    message: "listeners[0].freebind: needs IP_FREEBIND",
  },
  {
    name: "socket options of a listener",
    bootstrap: listener({
      socket_options: [{ level: 1, name: 9, int_value: 1, state: "STATE_PREBIND" }],
    }),
    message: "listeners[0].socket_options: is not supported yet",
  },
  {
    name: "a tracer that is not built",
    bootstrap: manager({
      tracing: {
        provider: {
          name: "envoy.tracers.datadog",
          typed_config: {
            "@type": "type.googleapis.com/envoy.config.trace.v3.DatadogConfig",
            collector_cluster: "up",
            service_name: "shop",
          },
        },
      },
    }),
    message: "could not find @type 'type.googleapis.com/envoy.config.trace.v3.DatadogConfig'",
  },
  {
    name: "a cluster that sends METADATA frames",
    bootstrap: cluster(
      http({ explicit_http_config: { http2_protocol_options: { allow_metadata: true } } }),
    ),
    message: "http2_protocol_options.allow_metadata: is not supported yet",
  },
  {
    name: "more keep-alive probes than there can be",
    bootstrap: cluster({
      upstream_connection_options: { tcp_keepalive: { keepalive_probes: 128 } },
    }),
    message: "tcp_keepalive.keepalive_probes: 128 is not between 1 and 127",
  },
  {
    name: "a tunnel whose answer is kept",
    bootstrap: bootstrap(
      listenerOf("in", 0, [
        filter("network.tcp_proxy.v3.TcpProxy", {
          stat_prefix: "t",
          cluster: "up",
          tunneling_config: { hostname: "a:1", propagate_response_headers: true },
        }),
      ]),
    ),
    message: "tunneling_config.propagate_response_headers: is not supported yet",
  },
  ...["jwt_authn.v3.JwtAuthentication"].map((type) => ({
    name: type,
    bootstrap: httpFilter(type),
    message: `could not find @type '${EXTENSION}filters.http.${type}'`,
  })),
];
