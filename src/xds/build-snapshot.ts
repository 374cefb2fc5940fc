import { memoise } from "../base/memo.ts";
import type { GatewayPort } from "../model/gateway-routes.ts";
import type { ServiceTarget } from "../model/inbound.ts";
import type { ObjectIssue } from "../model/origin.ts";
import type { ProxyNode } from "../model/proxy.ts";
import type { Outbound, ProxyView } from "../model/proxy-view.ts";
import type { VirtualHost } from "../model/route.ts";
import { BLACK_HOLE_CLUSTER, encodeInboundCluster, encodeOutboundCluster } from "./cluster.ts";
import { encodeEndpoints } from "./endpoint.ts";
import {
  encodeGatewayListener,
  encodeHttpProxyListener,
  encodeInboundListener,
  HTTP_PROXY_ROUTES,
} from "./listener.ts";
import { BLOCK_ALL, encodeVirtualHost } from "./route.ts";
import { assembleRouteConfiguration } from "./route-configuration.ts";
import type { XdsResource, XdsSnapshot } from "./snapshot.ts";

/** What one proxy is to have, and what was left out on the way. */
export interface SnapshotResult {
  readonly snapshot: XdsSnapshot;
  readonly issues: readonly ObjectIssue[];
}

/**
 * Everything one proxy is to have. Pure: the same view gives the same bytes. What was encoded
 * for the same model values before, for this proxy or another, is used again.
 */
export function buildSnapshot(view: ProxyView): SnapshotResult {
  const { proxy, inbound, outbound, virtualHosts, gatewayPorts, issues } = view;
  const shared = encodeOutbound(outbound, proxy.speaksHttp2);
  const own = inbound.map((target) => inboundResources(proxy, target));
  const routes = gatewayPorts.map((port) => gatewayRoutes(port.virtualHosts, port.routeName));
  const listeners = gatewayPorts.map((port) => encodeGatewayListener(proxy, port));
  if (virtualHosts !== undefined) {
    routes.push(proxyRoutes(virtualHosts));
    listeners.push(httpProxyListener(proxy), ...own.map(({ listener }) => listener));
  }
  const clusters =
    own.length === 0
      ? shared.clusters
      : byName([...own.map(({ cluster }) => cluster), ...shared.clusters.values()]);
  return {
    snapshot: {
      resources: {
        cluster: clusters,
        endpoint: shared.endpoints,
        listener: byName(listeners),
        route: byName(routes),
      },
    },
    issues,
  };
}

function byName(resources: readonly XdsResource[]): ReadonlyMap<string, XdsResource> {
  return new Map(resources.map((resource) => [resource.name, resource]));
}

const encodeOutbound = memoise(({ clusters, endpoints }: Outbound, speaksHttp2: boolean) => ({
  clusters: byName([
    BLACK_HOLE_CLUSTER,
    ...clusters.map((cluster) => outboundCluster(cluster, speaksHttp2)),
  ]),
  endpoints: byName(
    clusters.map((cluster, index) => clusterEndpoints(cluster, endpoints[index]?.endpoints ?? [])),
  ),
}));

const outboundCluster = memoise(encodeOutboundCluster);
const clusterEndpoints = memoise(encodeEndpoints);

const httpProxyListener = memoise(encodeHttpProxyListener);

/** Keyed by the parts of a target, which is made anew for each view. */
function inboundResources(proxy: ProxyNode, { service, port, targetPort }: ServiceTarget) {
  return inboundOf(proxy, service, port, targetPort);
}

const inboundOf = memoise(
  (
    proxy: ProxyNode,
    service: ServiceTarget["service"],
    port: ServiceTarget["port"],
    targetPort: number,
  ) => {
    const target = { service, port, targetPort };
    return {
      cluster: encodeInboundCluster(proxy, target),
      listener: encodeInboundListener(proxy, target),
    };
  },
);

/** The routes of an explicit proxy, with an answer for hosts that nobody knows. */
const proxyRoutes = memoise((virtualHosts: readonly VirtualHost[]): XdsResource => {
  const hosts = virtualHosts.map((host) => encodeVirtualHost(host));
  const isAllTaken = virtualHosts.some(({ domains }) => domains.includes("*"));
  return assembleRouteConfiguration(
    // Domains say their ports: one listener serves the services of all ports.
    { name: HTTP_PROXY_ROUTES, ignoresPort: false },
    isAllTaken ? hosts : [...hosts, BLOCK_ALL],
  );
});

function gatewayRoutes(
  virtualHosts: readonly VirtualHost[],
  name: GatewayPort["routeName"],
): XdsResource {
  const hosts = virtualHosts.map((host) => encodeVirtualHost(host));
  // Clients outside reach the gateway by ports that it does not know of.
  return assembleRouteConfiguration({ name, ignoresPort: true }, hosts);
}
