import type { Cluster, ClusterEndpoints } from "./cluster.ts";
import { buildGatewayView } from "./gateway-part/gateway-view.ts";
import type { Listener } from "./listener.ts";
import type { Mesh } from "./mesh.ts";
import type { ObjectIssue } from "./origin.ts";
import { buildOutboundClusters } from "./outbound-clusters.ts";
import type { ProxyNode } from "./proxy.ts";
import type { RouteConfiguration, VirtualHost } from "./route.ts";
import { scopeOf } from "./scope/build-scope.ts";
import type { Scope } from "./scope.ts";
import { buildSidecarInbound } from "./sidecar/inbound.ts";
import { buildSidecarOutbound } from "./sidecar/outbound.ts";
import type { ViewPart } from "./view-part.ts";

/** What one proxy sees of the mesh. Parts that several proxies see alike are the same value. */
export interface ProxyView {
  readonly proxy: ProxyNode;
  readonly scope: Scope;
  readonly listeners: readonly Listener[];
  readonly routes: readonly RouteConfiguration[];
  /** Of routes that the proxy asks for on demand; each is named `route configuration/host`. */
  readonly virtualHosts: readonly VirtualHost[];
  /** Clusters of services first; the proxy's own after them. */
  readonly clusters: readonly Cluster[];
  readonly ownClusters: readonly Cluster[];
  /** For the clusters whose discovery is `eds`. */
  readonly endpoints: readonly ClusterEndpoints[];
  /** What concerns this proxy alone; see `meshIssues` for the rest. */
  readonly issues: readonly ObjectIssue[];
}

/** Builds the view of one proxy; pure, and cheap for the second proxy of a namespace. */
export function buildProxyView(mesh: Mesh, proxy: ProxyNode): ProxyView {
  const scope = scopeOf(mesh, proxy);
  const { clusters, endpoints, issues } = buildOutboundClusters(mesh, proxy, scope);
  const parts: readonly ViewPart[] =
    proxy.type === "router"
      ? [buildGatewayView(mesh, proxy, scope)]
      : [buildSidecarOutbound(mesh, proxy, scope), buildSidecarInbound(mesh, proxy, scope)];
  return {
    proxy,
    scope,
    listeners: parts.flatMap((part) => part.listeners),
    routes: parts.flatMap((part) => part.routes),
    virtualHosts: [],
    clusters,
    ownClusters: parts.flatMap((part) => part.clusters),
    endpoints,
    issues: [...scope.issues, ...issues, ...parts.flatMap((part) => part.issues)],
  };
}
