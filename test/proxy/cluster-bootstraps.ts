import { socketAddress, staticCluster } from "./bootstrap-json.ts";
import type { RefusedBootstrap } from "./refused-bootstraps.ts";

const TYPE = "type.googleapis.com/envoy.";
const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const ENDPOINT = { endpoint: { address: socketAddress(9) } };

/** Together, not each by itself. */
const TOO_HEAVY = ["a", "b"].map((zone) => ({
  locality: { zone },
  lb_endpoints: [{ ...ENDPOINT, load_balancing_weight: 4_294_967_290 }],
}));

/** A bootstrap with one cluster. */
export function bootstrap(cluster: object): object {
  return { static_resources: { clusters: [cluster] } };
}

/** A cluster of one fixed address, and something besides. */
export function fixed(changes: object): object {
  return bootstrap({ ...staticCluster("up", [9]), ...changes });
}

function dns(changes: object): object {
  const address = socketAddress(9, "a.test");
  const endpoints = [{ lb_endpoints: [{ endpoint: { address } }] }];
  const assignment = { cluster_name: "up", endpoints };
  return fixed({ type: "STRICT_DNS", load_assignment: assignment, ...changes });
}

function originalDst(changes: object): object {
  return bootstrap({
    name: "up",
    type: "ORIGINAL_DST",
    connect_timeout: "1s",
    lb_policy: "CLUSTER_PROVIDED",
    ...changes,
  });
}

function attemptFilter(kind: string, type: string): { name: string; typed_config: object } {
  const typedConfig = { "@type": `${TYPE}extensions.filters.http.${kind}.v3.${type}` };
  return { name: `envoy.filters.http.${kind}`, typed_config: typedConfig };
}

const CODEC = attemptFilter("upstream_codec", "UpstreamCodec");
const FAULT = attemptFilter("fault", "HTTPFault");
const ROUTER = attemptFilter("router", "Router");

/** What sees each attempt of a request. */
function attemptFilters(...filters: readonly object[]): object {
  return options({ ...HTTP1, http_filters: filters });
}

function assignment(changes: object): object {
  const endpoints = [{ lb_endpoints: [ENDPOINT] }];
  return fixed({ load_assignment: { cluster_name: "up", endpoints, ...changes } });
}

function endpoint(changes: object): object {
  return assignment({ endpoints: [{ lb_endpoints: [{ ...ENDPOINT, ...changes }] }] });
}

/** Typed policies, by what follows their package. */
export function policies(...configs: readonly (readonly [name: string, config: object])[]): object {
  return {
    policies: configs.map(([name, config]) => ({
      typed_extension_config: {
        name,
        typed_config: {
          "@type": `${TYPE}extensions.load_balancing_policies.${name}`,
          ...config,
        },
      },
    })),
  };
}

/** A cluster with these policies. */
export function typed(...configs: readonly (readonly [name: string, config: object])[]): object {
  return fixed({ load_balancing_policy: policies(...configs) });
}

function subsets(selector: object, changes: object = {}): object {
  return fixed({ lb_subset_config: { subset_selectors: [selector], ...changes } });
}

function options(changes: object): object {
  const config = { "@type": `type.googleapis.com/${HTTP_OPTIONS}`, ...changes };
  return fixed({ typed_extension_protocol_options: { [HTTP_OPTIONS]: config } });
}

function thresholds(changes: object): object {
  return fixed({ circuit_breakers: { thresholds: [changes] } });
}

function outliers(changes: object): object {
  return fixed({ outlier_detection: changes });
}

function cares(changes: object): object {
  const config = {
    "@type": `${TYPE}extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig`,
  };
  const typedConfig = { ...config, resolvers: [socketAddress(53)], ...changes };
  const resolver = { name: "envoy.network.dns_resolver.cares", typed_config: typedConfig };
  return dns({ typed_dns_resolver_config: resolver });
}

/** The simplest of them. */
export const ROUND_ROBIN = ["round_robin.v3.RoundRobin", {}] as const;
const HTTP1 = { explicit_http_config: { http_protocol_options: {} } };

/** Clusters that are fit to run, in both proxies' eyes. */
export const ACCEPTED_CLUSTERS: readonly (readonly [name: string, bootstrap: object])[] = [
  ["two thresholds for one priority", fixed({ circuit_breakers: { thresholds: [{}, {}] } })],
  ["a budget of retries", thresholds({ retry_budget: { budget_percent: { value: 50 } } })],
  [
    "thresholds of a host",
    fixed({ circuit_breakers: { per_host_thresholds: [{ max_connections: 1 }] } }),
  ],
  ["a codec among its filters", attemptFilters(CODEC)],
  ["a Unix socket", endpoint({ endpoint: { address: { pipe: { path: "/tmp/x" } } } })],
  ["a heavy endpoint", endpoint({ load_balancing_weight: 4_294_967_295 })],
  ["an address twice", assignment({ endpoints: [{ lb_endpoints: [ENDPOINT, ENDPOINT] }] })],
  ["no endpoints", assignment({ endpoints: [] })],
  ["endpoints that go stale", assignment({ policy: { endpoint_stale_after: "1s" } })],
  ["LOGICAL_DNS", dns({ type: "LOGICAL_DNS", dns_lookup_family: "ALL", respect_dns_ttl: true })],
  ["name servers", cares({})],
  [
    "name servers that are asked in need only",
    cares({ use_resolvers_as_fallback: true, filter_unroutable_families: true }),
  ],
  ["a type by name", fixed({ type: undefined, cluster_type: { name: "envoy.cluster.static" } })],
  ["ORIGINAL_DST", originalDst({ cleanup_interval: "1s" })],
  [
    "ORIGINAL_DST by header",
    originalDst({ original_dst_lb_config: { use_http_header: true, upstream_port_override: 1 } }),
  ],
  ["a typed policy", typed(ROUND_ROBIN)],
  ...acceptedHashing(),
  [
    "a typed policy with its options",
    typed([
      "least_request.v3.LeastRequest",
      { choice_count: 3, active_request_bias: { default_value: 2, runtime_key: "x" } },
    ]),
  ],
  [
    "typed subsets",
    typed([
      "subset.v3.Subset",
      { subset_selectors: [{ keys: ["a"] }], subset_lb_policy: policies(ROUND_ROBIN) },
    ]),
  ],
  ["a selector without keys", subsets({})],
  ["subsets without selectors", fixed({ lb_subset_config: {} })],
  [
    "selectors with the same keys",
    fixed({ lb_subset_config: { subset_selectors: [{ keys: ["a"] }, { keys: ["a"] }] } }),
  ],
  [
    "fewer keys to fall back to",
    subsets({ keys: ["a", "b"], fallback_policy: "KEYS_SUBSET", fallback_keys_subset: ["a"] }),
  ],
  ["options of the downstream protocol", options({ use_downstream_protocol_config: {} })],
  [
    "bounds of connections",
    options({
      ...HTTP1,
      common_http_protocol_options: {
        max_connection_duration: "1s",
        max_stream_duration: "1s",
        max_headers_count: 5,
        max_requests_per_connection: 3,
      },
    }),
  ],
  [
    "a source address",
    fixed({ upstream_bind_config: { source_address: { address: "127.0.0.2", port_value: 0 } } }),
  ],
  [
    "outlier detection",
    outliers({
      consecutive_5xx: 0,
      max_ejection_time_jitter: "1s",
      success_rate_stdev_factor: 0,
      failure_percentage_threshold: 100,
      split_external_local_origin_errors: true,
      successful_active_health_check_uneject_host: false,
      always_eject_one_host: true,
      monitors: [],
    }),
  ],
  ["ejections longer than the longest by default", outliers({ base_ejection_time: "600s" })],
  ["keep-alive", fixed({ upstream_connection_options: { tcp_keepalive: { keepalive_time: 10 } } })],
];

const TABLE: readonly (readonly [string, object, string])[] = [
  [
    "endpoints of ORIGINAL_DST",
    originalDst({ load_assignment: { cluster_name: "up" } }),
    "load_assignment: ORIGINAL_DST clusters must have no load assignment configured",
  ],
  [
    "ORIGINAL_DST with another policy",
    originalDst({ lb_policy: "ROUND_ROBIN" }),
    "Only 'CLUSTER_PROVIDED' is allowed with cluster type 'ORIGINAL_DST'",
  ],
  [
    "a header that is not used",
    originalDst({ original_dst_lb_config: { http_header_name: "x" } }),
    "has an http_header_name, and use_http_header is false",
  ],
  [
    "a port past all ports",
    originalDst({ original_dst_lb_config: { upstream_port_override: 65_536 } }),
    "upstream_port_override: must be at most 65535",
  ],
  [
    "ejections longer than the longest",
    outliers({ base_ejection_time: "2s", max_ejection_time: "1s" }),
    "outlier detector's max_ejection_time cannot be smaller than base_ejection_time",
  ],
  ["an interval of nothing", outliers({ interval: "0s" }), "must be greater than 0s"],
  [
    "ejections of more than all",
    outliers({ max_ejection_percent: 101 }),
    "outlier_detection.max_ejection_percent: must be at most 100",
  ],
  ["no time to clean up", originalDst({ cleanup_interval: "0s" }), "must be greater than 0s"],
  [
    "hosts from nowhere",
    fixed({ lb_policy: "CLUSTER_PROVIDED" }),
    "cluster provided LB specified but cluster 'up' did not provide one",
  ],
  [
    "a ring that must be larger than it may",
    fixed({ lb_policy: "RING_HASH", ring_hash_lb_config: { maximum_ring_size: 1023 } }),
    "ring hash: minimum_ring_size (1024) > maximum_ring_size (1023)",
  ],
  [
    "a typed ring that must be larger than it may",
    typed(["ring_hash.v3.RingHash", { minimum_ring_size: 4, maximum_ring_size: 3 }]),
    "ring hash: minimum_ring_size (4) > maximum_ring_size (3)",
  ],
  [
    "a ring that is too large",
    fixed({ ring_hash_lb_config: { minimum_ring_size: 8_388_609 } }),
    "minimum_ring_size: must be at most 8388608",
  ],
  [
    "a Maglev table whose size is not prime",
    fixed({ lb_policy: "MAGLEV", maglev_lb_config: { table_size: 65_536 } }),
    "The table size of maglev must be prime number",
  ],
  [
    "a typed Maglev table whose size is not prime",
    typed(["maglev.v3.Maglev", { table_size: 9 }]),
    "The table size of maglev must be prime number",
  ],
  [
    "a Maglev table that is too large",
    fixed({ maglev_lb_config: { table_size: 5_000_077 } }),
    "table_size: must be at most 5000011",
  ],
  [
    "less than the mean load for everybody",
    fixed({ common_lb_config: { consistent_hashing_lb_config: { hash_balance_factor: 99 } } }),
    "hash_balance_factor: must be at least 100",
  ],
  [
    "hosts of a ring that weigh more than can be counted",
    fixed({
      lb_policy: "RING_HASH",
      load_assignment: { cluster_name: "up", endpoints: TOO_HEAVY },
    }),
    "The sum of weights of all upstream hosts in a locality exceeds 4294967295",
  ],
  [
    "names to hash by where there are none",
    fixed({
      common_lb_config: { consistent_hashing_lb_config: { use_hostname_for_hashing: true } },
    }),
    "Cannot use hostname for consistent hashing loadbalancing for cluster of type: 'envoy.cluster.static'",
  ],
  [
    "two names of LOGICAL_DNS",
    dns({
      type: "LOGICAL_DNS",
      load_assignment: {
        cluster_name: "up",
        endpoints: [{ lb_endpoints: [ENDPOINT, ENDPOINT] }],
      },
    }),
    "LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single lb_endpoint",
  ],
  [
    "no name of LOGICAL_DNS",
    bootstrap({ name: "up", type: "LOGICAL_DNS", connect_timeout: "1s" }),
    "LOGICAL_DNS clusters must have a single",
  ],
  [
    "a type that nobody knows",
    fixed({ type: undefined, cluster_type: { name: "envoy.clusters.static" } }),
    "Didn't find a registered cluster factory implementation for name: 'envoy.clusters.static'",
  ],
  [
    "names that are asked for all the time",
    dns({ dns_refresh_rate: "0.001s" }),
    "dns_refresh_rate: must be greater than 0.001s",
  ],
  [
    "a back-off that ends before it starts",
    dns({ dns_failure_refresh_rate: { base_interval: "2s", max_interval: "1s" } }),
    "must have max_interval greater than or equal to the base_interval",
  ],
  [
    "a back-off without a base",
    dns({ dns_failure_refresh_rate: { max_interval: "1s" } }),
    "dns_failure_refresh_rate.base_interval: is missing",
  ],
  [
    "a name server by name",
    cares({ resolvers: [socketAddress(53, "dns.test")] }),
    "malformed IP address: dns.test",
  ],
  [
    "a typed policy without its type",
    fixed({ lb_policy: "LOAD_BALANCING_POLICY_CONFIG" }),
    "load_balancing_policy: is missing",
  ],
  [
    "no policy that is known",
    fixed({ load_balancing_policy: { policies: [] } }),
    "load_balancing_policy: Didn't find a registered load balancer factory with names from []",
  ],
  [
    "a typed policy beside subsets",
    fixed({
      load_balancing_policy: policies(ROUND_ROBIN),
      lb_subset_config: { subset_selectors: [{ keys: ["a"] }] },
    }),
    "lb_subset_config: cannot be combined with load_balancing_policy",
  ],
  [
    "typed subsets of nothing",
    typed(["subset.v3.Subset", { subset_selectors: [{ keys: ["a"] }] }]),
    "subset_lb_policy",
  ],
  [
    "fewer keys than none",
    subsets({ keys: ["a"], fallback_policy: "KEYS_SUBSET" }),
    "fallback_keys_subset: is missing",
  ],
  [
    "other keys to fall back to",
    subsets({ keys: ["a", "b"], fallback_policy: "KEYS_SUBSET", fallback_keys_subset: ["c"] }),
    "fallback_keys_subset: must be a part of keys",
  ],
  [
    "the same keys to fall back to",
    subsets({ keys: ["a"], fallback_policy: "KEYS_SUBSET", fallback_keys_subset: ["a"] }),
    "fallback_keys_subset: must not be all of keys",
  ],
  [
    "keys to fall back to that nobody uses",
    subsets({ keys: ["a", "b"], fallback_keys_subset: ["a"] }),
    "fallback_keys_subset: is only for",
  ],
  [
    "an empty path of a Unix socket",
    endpoint({ endpoint: { address: { pipe: { path: "" } } } }),
    "pipe.path",
  ],
  [
    "an endpoint by name",
    endpoint({ endpoint: { address: socketAddress(9, "a.test") } }),
    "malformed IP address: a.test",
  ],
  [
    "stale at once",
    assignment({ policy: { endpoint_stale_after: "0s" } }),
    "endpoint_stale_after: must be greater than 0s",
  ],
  [
    "half of what is healthy counts",
    assignment({ policy: { overprovisioning_factor: 0 } }),
    "overprovisioning_factor: must be greater than 0",
  ],
  [
    "a budget of more than all",
    thresholds({ retry_budget: { budget_percent: { value: 101 } } }),
    "budget_percent.value: must be at most 100",
  ],
  [
    "an upstream without headers",
    options({ ...HTTP1, common_http_protocol_options: { max_headers_count: 0 } }),
    "max_headers_count: must be at least 1",
  ],
  [
    "a source by name",
    fixed({ upstream_bind_config: { source_address: { address: "a.test", port_value: 0 } } }),
    "source_address: malformed IP address: a.test",
  ],
  [
    "two sources of one IP version",
    fixed({
      upstream_bind_config: {
        source_address: { address: "127.0.0.2", port_value: 0 },
        extra_source_addresses: [{ address: { address: "127.0.0.3", port_value: 0 } }],
      },
    }),
    "extra_source_addresses: may have one address besides source_address",
  ],
  ["a codec that is not the last", attemptFilters(CODEC, CODEC), "must be the last filter"],
  [
    "filters without a codec",
    attemptFilters(FAULT),
    "the only valid terminal upstream HTTP filter",
  ],
  ["a router among its filters", attemptFilters(ROUTER), "Didn't find a registered implementation"],
  [
    "a fault that slows bodies down, of attempts",
    attemptFilters(
      {
        ...FAULT,
        typed_config: {
          ...FAULT.typed_config,
          response_rate_limit: { fixed_limit: { limit_kbps: "1" } },
        },
      },
      CODEC,
    ),
    "response_rate_limit: is not supported yet for the attempts of a cluster",
  ],
  [
    "a negative time to keep",
    options({ ...HTTP1, common_http_protocol_options: { idle_timeout: "-1s" } }),
    "idle_timeout: must not be negative",
  ],
];

/** Clusters that neither proxy takes. */
export const REFUSED_CLUSTERS: readonly RefusedBootstrap[] = TABLE.map(
  ([name, refused, message]) => ({ name, bootstrap: refused, message }),
);

/** What may be said of policies that hash. */
function acceptedHashing(): readonly (readonly [name: string, bootstrap: object])[] {
  const common = { use_hostname_for_hashing: true, hash_balance_factor: 100 };
  const ring = { minimum_ring_size: 3, maximum_ring_size: 3, hash_function: "MURMUR_HASH_2" };
  const isPrime = { table_size: 5_000_011 };
  return [
    [
      "heavy hosts of another policy",
      fixed({ load_assignment: { cluster_name: "up", endpoints: TOO_HEAVY } }),
    ],
    ["a ring", fixed({ lb_policy: "RING_HASH", ring_hash_lb_config: ring })],
    ["a Maglev table", fixed({ lb_policy: "MAGLEV", maglev_lb_config: { table_size: 2 } })],
    [
      "both with what they have in common",
      dns({ lb_policy: "MAGLEV", common_lb_config: { consistent_hashing_lb_config: common } }),
    ],
    [
      "a ring of another policy, whatever it says",
      fixed({ ring_hash_lb_config: { maximum_ring_size: 1 } }),
    ],
    ["a typed ring", typed(["ring_hash.v3.RingHash", { ...ring, ...common }])],
    [
      "a typed Maglev table",
      typed(["maglev.v3.Maglev", { ...isPrime, consistent_hashing_lb_config: common }]),
    ],
    [
      "typed subsets of a ring",
      typed(["subset.v3.Subset", { subset_lb_policy: policies(["ring_hash.v3.RingHash", ring]) }]),
    ],
  ];
}
