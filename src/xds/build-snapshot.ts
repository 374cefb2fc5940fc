import { memoise } from "../base/memo.ts";
import type { Cluster, ClusterEndpoints } from "../model/cluster.ts";
import type { Listener } from "../model/listener.ts";
import type { ObjectIssue } from "../model/origin.ts";
import { type ProxySettings, proxySettings } from "../model/proxy-settings.ts";
import type { ProxyView } from "../model/proxy-view.ts";
import type { RouteConfiguration } from "../model/route.ts";
import { encodeCluster } from "./cluster.ts";
import { encodeEndpoints } from "./endpoint.ts";
import { encodeListener } from "./listener.ts";
import { encodeRouteConfiguration } from "./route-configuration.ts";
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
  const { proxy, scope, issues } = view;
  const settings = proxySettings(proxy, scope.settings);
  const { speaksHttp2, hasCertificates } = proxy;
  const shared = sharedClusters(view.clusters, speaksHttp2, hasCertificates);
  const own = view.ownClusters.map((one) => clusterResource(one, speaksHttp2, hasCertificates));
  return {
    snapshot: {
      resources: {
        cluster: own.length === 0 ? shared : byName([...own, ...shared.values()]),
        endpoint: endpointResources(view.endpoints),
        listener: byName(view.listeners.map((listener) => listenerResource(listener, settings))),
        route: byName(view.routes.map((routes) => routeResource(routes, settings.countsAttempts))),
      },
    },
    issues,
  };
}

function byName(resources: readonly XdsResource[]): ReadonlyMap<string, XdsResource> {
  return new Map(resources.map((resource) => [resource.name, resource]));
}

const sharedClusters = memoise(
  (clusters: readonly Cluster[], speaksHttp2: boolean, hasCertificates: boolean) =>
    byName(clusters.map((cluster) => clusterResource(cluster, speaksHttp2, hasCertificates))),
);

const clusterResource = memoise(
  (cluster: Cluster, speaksHttp2: boolean, hasCertificates: boolean) =>
    encodeCluster(cluster, { speaksHttp2, hasCertificates }),
);

const endpointResources = memoise((endpoints: readonly ClusterEndpoints[]) =>
  byName(endpoints.map((one) => endpointResource(one))),
);

const endpointResource = memoise(encodeEndpoints);

const listenerResource = memoise((listener: Listener, settings: ProxySettings) =>
  encodeListener(listener, settings),
);

const routeResource = memoise((routes: RouteConfiguration, countsAttempts: boolean) =>
  encodeRouteConfiguration(routes, countsAttempts),
);
