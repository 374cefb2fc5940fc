import { memoise } from "../base/memo.ts";
import type { Cluster, ClusterEndpoints } from "../model/cluster.ts";
import type { Listener } from "../model/listener.ts";
import type { ObjectIssue, Origin } from "../model/origin.ts";
import { type ProxySettings, proxySettings } from "../model/proxy-settings.ts";
import type { ProxyView } from "../model/proxy-view.ts";
import type { RouteConfiguration, VirtualHost } from "../model/route.ts";
import { encodeCluster } from "./cluster.ts";
import { encodeEndpoints } from "./endpoint.ts";
import { encodeListener } from "./listener.ts";
import { layeredMap } from "./resource-map.ts";
import { encodeCalledHost, encodeRouteConfiguration } from "./route-configuration.ts";
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
  const endpoints = endpointResources(view.endpoints);
  const own = encodeAll(view.ownClusters, (one) =>
    clusterResource(one, speaksHttp2, hasCertificates),
  );
  const listeners = encodeAll(view.listeners, (one) => listenerResource(one, settings));
  const routes = encodeAll(view.routes, (one) => routeResource(one, settings.countsAttempts));
  const virtualHosts = encodeAll(view.virtualHosts, (one) =>
    calledHostResource(one, settings.countsAttempts),
  );
  return {
    snapshot: {
      resources: {
        cluster: layeredMap(own.byName, shared.byName),
        endpoint: endpoints.byName,
        listener: listeners.byName,
        route: routes.byName,
        virtualHost: virtualHosts.byName,
      },
    },
    issues: [
      ...issues,
      ...[own, shared, endpoints, listeners, routes, virtualHosts].flatMap(
        (encoded) => encoded.issues,
      ),
    ],
  };
}

interface Encoded {
  readonly byName: ReadonlyMap<string, XdsResource>;
  readonly issues: readonly ObjectIssue[];
}

/**
 * Encodes one after the other. One that cannot be written, which would be a bug here, is left out
 * alone and said of the object that made it; all others go out.
 */
function encodeAll<T extends Named>(
  values: readonly T[],
  encode: (value: T) => XdsResource,
): Encoded {
  const byName = new Map<string, XdsResource>();
  const issues: ObjectIssue[] = [];
  for (const value of values) {
    try {
      const resource = encode(value);
      byName.set(resource.name, resource);
    } catch (error) {
      issues.push(unwritten(value, error));
    }
  }
  return { byName, issues };
}

type Named = Cluster | ClusterEndpoints | Listener | RouteConfiguration | VirtualHost;

/** Says it of the first object that made it; what nobody made is thrown on, for its proxy to keep the last good. */
function unwritten(value: Named, error: unknown): ObjectIssue {
  const [origin] = originsOf(value);
  if (origin === undefined) throw error;
  const name = "clusterName" in value ? value.clusterName : value.name;
  const why = error instanceof Error ? error.message : String(error);
  const message = `${name} cannot be written for proxies (${why}): it is left out`;
  return { object: origin.key, issue: { path: origin.path, message } };
}

function originsOf(value: Named): readonly Origin[] {
  if ("origins" in value) return value.origins;
  const hosts = "virtualHosts" in value ? value.virtualHosts : [value];
  return hosts.flatMap(({ routes }) => routes.flatMap(({ origin }) => origin ?? []));
}

const sharedClusters = memoise(
  (clusters: readonly Cluster[], speaksHttp2: boolean, hasCertificates: boolean) =>
    encodeAll(clusters, (cluster) => clusterResource(cluster, speaksHttp2, hasCertificates)),
);

const clusterResource = memoise(
  (cluster: Cluster, speaksHttp2: boolean, hasCertificates: boolean) =>
    encodeCluster(cluster, { speaksHttp2, hasCertificates }),
);

const endpointResources = memoise((endpoints: readonly ClusterEndpoints[]) =>
  encodeAll(endpoints, (one) => endpointResource(one)),
);

const endpointResource = memoise(encodeEndpoints);

const listenerResource = memoise((listener: Listener, settings: ProxySettings) =>
  encodeListener(listener, settings),
);

const routeResource = memoise((routes: RouteConfiguration, countsAttempts: boolean) =>
  encodeRouteConfiguration(routes, countsAttempts),
);

const calledHostResource = memoise(encodeCalledHost);
