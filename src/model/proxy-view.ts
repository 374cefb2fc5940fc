import { memoise } from "../base/memo.ts";
import {
  buildClusterEndpoints,
  buildOutboundClusters,
  type ClusterEndpoints,
  type OutboundCluster,
} from "./cluster.ts";
import { findRule } from "./destination-rule.ts";
import { buildGatewayVirtualHosts, type GatewayPort, gatewayPorts } from "./gateway-routes.ts";
import { inboundTargets, type ServiceTarget, serviceTargets } from "./inbound.ts";
import type { Mesh } from "./mesh.ts";
import type { ObjectIssue } from "./origin.ts";
import type { ProxyNode } from "./proxy.ts";
import type { VirtualHost } from "./route.ts";
import { buildSidecarVirtualHosts } from "./sidecar-routes.ts";

/** What one proxy sees of the mesh. Parts that several proxies see alike are the same value. */
export interface ProxyView {
  readonly proxy: ProxyNode;
  /** Ports of the pod that services lead to; none for a gateway. */
  readonly inbound: readonly ServiceTarget[];
  readonly outbound: Outbound;
  /** What an explicit proxy routes; absent for a gateway. */
  readonly virtualHosts: readonly VirtualHost[] | undefined;
  /** What a gateway listens on; none for a sidecar. */
  readonly gatewayPorts: readonly (GatewayPort & {
    readonly virtualHosts: readonly VirtualHost[];
  })[];
  /** What concerns this proxy alone; see `meshIssues` for the rest. */
  readonly issues: readonly ObjectIssue[];
}

/** Whom the proxies of one namespace may send to. */
export interface Outbound {
  readonly clusters: readonly OutboundCluster[];
  /** One entry per cluster, in the same order. */
  readonly endpoints: readonly ClusterEndpoints[];
}

/** Builds the view of one proxy; pure, and cheap for the second proxy of a namespace. */
export function buildProxyView(mesh: Mesh, proxy: ProxyNode): ProxyView {
  const targets = serviceTargets(mesh, proxy);
  const outbound = outboundOf(mesh, proxy.namespace);
  if (proxy.type === "router") {
    const { ports, issues } = gatewayPorts(mesh, proxy, targets);
    return {
      proxy,
      inbound: [],
      outbound,
      virtualHosts: undefined,
      gatewayPorts: ports.map((port) => ({
        ...port,
        virtualHosts: buildGatewayVirtualHosts(mesh, port),
      })),
      issues,
    };
  }
  return {
    proxy,
    ...inboundTargets(targets),
    outbound,
    virtualHosts: sidecarHosts(mesh, proxy.namespace),
    gatewayPorts: [],
  };
}

const outboundOf = memoise((mesh: Mesh, namespace: string): Outbound => {
  const clusters: OutboundCluster[] = [];
  const endpoints: ClusterEndpoints[] = [];
  for (const service of mesh.services.values()) {
    const answering = mesh.endpoints.get(service.hostname) ?? new Map();
    const rule = findRule(mesh.rules, service, namespace);
    for (const cluster of buildOutboundClusters(service, rule)) {
      clusters.push(cluster);
      endpoints.push(buildClusterEndpoints(cluster, answering));
    }
  }
  return { clusters, endpoints };
});

const sidecarHosts = memoise(buildSidecarVirtualHosts);
