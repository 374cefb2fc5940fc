import { socketAddress, staticCluster } from "./bootstrap-json.ts";

/** "Ask the control plane for it." */
const ADS = { ads: {}, resource_api_version: "V3" };

/** A bootstrap that has everything from a control plane, in either variant of the protocol. */
export function dynamicBootstrap(
  adsPort: number,
  adminPort = 0,
  apiType: "GRPC" | "DELTA_GRPC" = "GRPC",
) {
  return {
    node: { id: "n", cluster: "c" },
    admin: { address: socketAddress(adminPort) },
    dynamic_resources: {
      lds_config: ADS,
      cds_config: ADS,
      ads_config: {
        api_type: apiType,
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "xds" } }],
      },
    },
    static_resources: {
      clusters: [staticCluster("xds", [adsPort], { http2_protocol_options: {} })],
    },
  };
}

/** A bootstrap with its own listeners, whose clusters come from a control plane. */
export function clustersOf(adsPort: number, adminPort: number, listeners: readonly object[]) {
  const { dynamic_resources, static_resources, ...rest } = dynamicBootstrap(adsPort, adminPort);
  const { lds_config: _none, ...dynamic } = dynamic_resources;
  return {
    ...rest,
    dynamic_resources: dynamic,
    static_resources: { ...static_resources, listeners },
  };
}

/** A cluster whose endpoints come from the control plane. */
export function edsCluster(name: string, options: object = {}): object {
  return {
    name,
    type: "EDS",
    connect_timeout: "1s",
    eds_cluster_config: { eds_config: ADS },
    ...options,
  };
}

/** The endpoints of a cluster, on 127.0.0.1. */
export function assignment(name: string, ports: readonly number[]): object {
  const endpoints = ports.map((port) => ({ endpoint: { address: socketAddress(port) } }));
  return { cluster_name: name, endpoints: [{ lb_endpoints: endpoints }] };
}

/** Routes that come from the control plane, for a connection manager. */
export function rds(name: string): object {
  return { rds: { route_config_name: name, config_source: ADS } };
}

/** A route for everything. */
export function toCluster(cluster: string, timeout = "0s"): object {
  return { match: { prefix: "/" }, route: { cluster, timeout } };
}
