const HCM =
  "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const TCP = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";

/** An address of 127.0.0.1. */
export function socketAddress(port: number, address = "127.0.0.1"): object {
  return { socket_address: { address, port_value: port } };
}

/** A listener with one HTTP connection manager; `options` are merged into the manager's. */
export function httpListener(name: string, port: number, options: object): object {
  return {
    name,
    address: socketAddress(port),
    filter_chains: [
      {
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            typed_config: {
              "@type": HCM,
              stat_prefix: name,
              http_filters: [
                { name: "envoy.filters.http.router", typed_config: { "@type": ROUTER } },
              ],
              ...options,
            },
          },
        ],
      },
    ],
  };
}

/** A listener that passes bytes on to a cluster. */
export function tcpListener(name: string, port: number, options: object): object {
  const typedConfig = { "@type": TCP, stat_prefix: name, ...options };
  const filters = [{ name: "envoy.filters.network.tcp_proxy", typed_config: typedConfig }];
  return { name, address: socketAddress(port), filter_chains: [{ filters }] };
}

/** A filter, by what follows `envoy.extensions.filters.` in the name of its message. */
export function filter(type: string, options: object): object {
  const [kind = "", name = ""] = type.split(".");
  return {
    name: `envoy.filters.${kind}.${name}`,
    typed_config: { "@type": `type.googleapis.com/envoy.extensions.filters.${type}`, ...options },
  };
}

/** A listener with one filter chain. */
export function listenerOf(
  name: string,
  port: number,
  filters: readonly object[],
  options: object = {},
): object {
  return { name, address: socketAddress(port), filter_chains: [{ filters }], ...options };
}

/** A cluster of fixed addresses on 127.0.0.1. */
export function staticCluster(
  name: string,
  ports: readonly number[],
  options: object = {},
): object {
  const endpoints = ports.map((port) => ({ endpoint: { address: socketAddress(port) } }));
  return {
    name,
    type: "STATIC",
    connect_timeout: "2s",
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: endpoints }] },
    ...options,
  };
}

/** A cluster that is made of others. */
export function aggregateCluster(
  name: string,
  clusters: readonly string[],
  options: object = {},
): object {
  const type = "type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig";
  return {
    name,
    connect_timeout: "5s",
    lb_policy: "CLUSTER_PROVIDED",
    cluster_type: {
      name: "envoy.clusters.aggregate",
      typed_config: { "@type": type, clusters },
    },
    ...options,
  };
}

/** One virtual host for every name, with these routes. */
export function routeTable(routes: readonly object[]): object {
  return {
    name: "local",
    validate_clusters: false,
    virtual_hosts: [{ name: "all", domains: ["*"], routes }],
  };
}

/** Where nobody listens, on port 1: a port of 127.0.0.1 may be another test's by now. */
export const DEAD = "127.0.0.77";

/** A cluster with one more host, which comes first and cannot be reached. */
export function withDead(cluster: object): object {
  const { load_assignment: assignment } = cluster as { readonly load_assignment: Assignment };
  const [{ lb_endpoints: rest }] = assignment.endpoints;
  const dead = { endpoint: { address: socketAddress(1, DEAD) } };
  return {
    ...cluster,
    load_assignment: { ...assignment, endpoints: [{ lb_endpoints: [dead, ...rest] }] },
  };
}

interface Assignment {
  readonly endpoints: readonly [{ readonly lb_endpoints: readonly object[] }];
}
