import { describe, expect, test } from "vitest";
import { formatIssue } from "../base/issue.ts";
import { parseBootstrap } from "./bootstrap.ts";

function issuesOf(text: string, overlay?: string): string[] {
  const parsed = parseBootstrap(text, overlay);
  return parsed.ok ? [] : parsed.issues.map(formatIssue);
}

const HCM =
  "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";

/** A listener whose connection manager has these further lines, indented by ten. */
function withManager(lines: string, routes = "direct_response: { status: 200 }"): string {
  return `
static_resources:
  listeners:
  - name: in
    address: { socket_address: { address: 127.0.0.1, port_value: 1 } }
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": ${HCM}
          stat_prefix: in
          route_config: { name: r, virtual_hosts: [ { name: v, domains: ["*"], routes: [ { match: { prefix: / }, ${routes} } ] } ] }
          http_filters: [ { name: envoy.filters.http.router, typed_config: { "@type": ${ROUTER} } } ]
${lines.replace(/^/gm, "          ")}
`;
}

const CLUSTER = (lines: string): string => `
static_resources:
  clusters:
  - name: c
${lines.replace(/^/gm, "    ")}
`;

const AT = "static_resources.listeners[0].filter_chains[0].filters[0]";
const C = "static_resources.clusters[0]";

describe("parseBootstrap()", () => {
  test("takes YAML and JSON, snake and camel case", () => {
    expect(issuesOf(withManager("server_name: x"))).toEqual([]);
    expect(issuesOf('{"staticResources": {"clusters": [{"name": "c"}]}}')).toEqual([]);
  });

  const refused: [string, string, string][] = [
    [
      "a field that does not exist, with its path and what was meant",
      withManager("stream_idle_timout: 1s"),
      `${AT}.typed_config.stream_idle_timout: no such field in envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, did you mean "stream_idle_timeout"?`,
    ],
    [
      "a field that is not built",
      withManager("add_user_agent: true"),
      `${AT}.add_user_agent: is not supported yet`,
    ],
    [
      "an unknown type",
      CLUSTER('transport_socket: { name: t, typed_config: { "@type": type.googleapis.com/x.Y } }'),
      `${C}.transport_socket.typed_config: could not find @type 'type.googleapis.com/x.Y': it is unknown or not supported yet`,
    ],
    [
      "an HTTP filter that is not built",
      withManager("").replace(
        "http_filters: [",
        'http_filters: [ { name: envoy.filters.http.lua, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua } }, ',
      ),
      `${AT}.typed_config.http_filters[0].typed_config: could not find @type 'type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua': it is unknown or not supported yet`,
    ],
    [
      "a route to a cluster that is not there",
      withManager("", "route: { cluster: nowhere }"),
      "static_resources.listeners[0]: route: unknown cluster 'nowhere'",
    ],
    [
      "a value of the wrong kind",
      CLUSTER("connect_timeout: soon"),
      `${C}.connect_timeout: cannot be "soon"`,
    ],
    [
      "a timeout of nothing",
      CLUSTER("connect_timeout: 0s"),
      `${C}.connect_timeout: must be greater than 0s`,
    ],
    [
      "a type of cluster that is not built",
      CLUSTER("cluster_type: { name: envoy.clusters.redis }"),
      `${C}.cluster_type: Didn't find a registered cluster factory implementation for name: 'envoy.clusters.redis'`,
    ],
    [
      "names asked for over TCP only",
      CLUSTER("type: STRICT_DNS\nuse_tcp_for_dns_lookups: true"),
      `${C}.use_tcp_for_dns_lookups: is not supported yet`,
    ],
    [
      "names asked for over TCP only, in a newer place",
      CLUSTER(
        "type: STRICT_DNS\ndns_resolution_config: { resolvers: [{ socket_address: { address: 127.0.0.1, port_value: 53 } }], dns_resolver_options: { use_tcp_for_dns_lookups: true } }",
      ),
      `${C}.dns_resolution_config.dns_resolver_options.use_tcp_for_dns_lookups: is not supported yet`,
    ],
    [
      "a new socket after so many questions",
      CLUSTER(
        `type: STRICT_DNS\ntyped_dns_resolver_config: { name: x, typed_config: { "@type": type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig, udp_max_queries: 1 } }`,
      ),
      `${C}.typed_dns_resolver_config.udp_max_queries: is not supported yet`,
    ],
    [
      "a Maglev table whose size is not prime",
      CLUSTER("lb_policy: MAGLEV\nmaglev_lb_config: { table_size: 1 }"),
      `${C}.maglev_lb_config: The table size of maglev must be prime number`,
    ],
    [
      "a name where an address must be",
      CLUSTER(
        "load_assignment: { cluster_name: c, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: a.test, port_value: 1 } } } } ] } ] }",
      ),
      `${C}.load_assignment.endpoints[0].lb_endpoints[0].endpoint.address: malformed IP address: a.test`,
    ],
    [
      "what judges outliers in a way of its own",
      CLUSTER("outlier_detection: { monitors: [ { name: m } ] }"),
      `${C}.outlier_detection.monitors: is not supported yet`,
    ],
    [
      "a service that is told of ejections",
      "cluster_manager: { outlier_detection: { event_service: {} } }",
      "cluster_manager.outlier_detection.event_service: is not supported yet",
    ],
    [
      "EDS without a control plane",
      CLUSTER("type: EDS\neds_cluster_config: { eds_config: { ads: {} } }"),
      "static_resources.clusters(c): asks for endpoints over ADS, and there is no ads_config",
    ],
    [
      "a control plane's cluster that is not there",
      "node: { id: a, cluster: b }\ndynamic_resources: { ads_config: { api_type: GRPC, grpc_services: [ { envoy_grpc: { cluster_name: x } } ] } }",
      "dynamic_resources.ads_config: names cluster 'x', which static_resources does not have",
    ],
    [
      "discovery by REST",
      "dynamic_resources: { ads_config: { api_type: REST, grpc_services: [ { envoy_grpc: { cluster_name: x } } ] } }",
      "dynamic_resources.ads_config.api_type: REST is not supported yet, only GRPC and DELTA_GRPC",
    ],
    [
      "google_grpc",
      "dynamic_resources: { ads_config: { api_type: GRPC, grpc_services: [ { google_grpc: { target_uri: x, stat_prefix: y } } ] } }",
      "dynamic_resources.ads_config.grpc_services[0].google_grpc: is not supported yet",
    ],
    [
      "a value of an enumeration that does not exist",
      CLUSTER("lb_policy: FASTEST"),
      `${C}.lb_policy: cannot be "FASTEST"`,
    ],
    [
      "text where a mapping must be",
      CLUSTER("load_assignment: x"),
      `${C}.load_assignment: cannot be "x"`,
    ],
    [
      "more probes than there can be",
      CLUSTER("upstream_connection_options: { tcp_keepalive: { keepalive_probes: 128 } }"),
      `${C}.upstream_connection_options.tcp_keepalive.keepalive_probes: 128 is not between 1 and 127`,
    ],
    [
      "EDS where endpoints are fixed",
      CLUSTER("eds_cluster_config: {}"),
      `${C}.eds_cluster_config: cannot be set in a non-EDS cluster.`,
    ],
    [
      "a log of the admin port",
      "admin: { access_log_path: /tmp/admin.log }",
      "admin.access_log_path: is not supported yet",
    ],
    [
      "a runtime from files",
      "layered_runtime: { layers: [{ name: a, disk_layer: { symlink_root: /a } }] }",
      "layered_runtime.layers[0].disk_layer: is not supported yet",
    ],
    [
      "a runtime key",
      "layered_runtime: { layers: [{ name: a, static_layer: { envoy.reloadable_features.x: true } }] }",
      'layered_runtime.layers[0].static_layer: the key "envoy.reloadable_features.x" is not supported yet',
    ],
    ["YAML that is broken", "a: [", "line 1, column 5"],
    ["a key twice", "admin: {}\nadmin: {}", "line 2, column 1: Map keys must be unique"],
    ["a list", "- a", "is not a mapping"],
  ];
  test.each(refused)("refuses %s", (_what, text, issue) => {
    expect(issuesOf(text).join("\n")).toContain(issue);
  });

  test("says everything that is wrong, not the first thing only", () => {
    expect(issuesOf(withManager("add_user_agent: true\nappend_local_overload: true"))).toEqual([
      `${AT}.add_user_agent: is not supported yet`,
      `${AT}.append_local_overload: is not supported yet`,
    ]);
  });

  test("merges an overlay: mappings by key, lists one after the other", () => {
    const parsed = parseBootstrap(
      CLUSTER("connect_timeout: 1s"),
      CLUSTER("").replace(" c\n", " d\n"),
    );
    const names = parsed.ok ? parsed.value.clusters.map(({ name }) => name) : [];
    expect(names).toEqual(["c", "d"]);
  });
});
