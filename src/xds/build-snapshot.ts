import { isSameList } from "../base/cells.ts";
import { memoise } from "../base/memo.ts";
import { PatchedMap } from "../base/patched-map.ts";
import { memoiseSuccessors } from "../base/successor.ts";
import type { Cluster, ClusterEndpoints } from "../model/cluster.ts";
import type { Listener } from "../model/listener.ts";
import type { ObjectIssue, Origin } from "../model/origin.ts";
import { proxySettings } from "../model/proxy-settings.ts";
import type { ProxyView } from "../model/proxy-view.ts";
import type { RouteConfiguration, VirtualHost } from "../model/route.ts";
import { encodeCluster } from "./cluster.ts";
import { encodeEndpoints } from "./endpoint.ts";
import { encodeListener } from "./listener.ts";
import { type ListenerSettings, listenerSettings } from "./listener-settings.ts";
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
export const buildSnapshot = memoise((view: ProxyView): SnapshotResult => {
  const { proxy, own, shared, issues } = view;
  const settings = listenerSettings(proxySettings(proxy, view.settings), view.telemetry);
  const { hasCertificates } = proxy;
  const clusters = sharedClusters(view.clusters, hasCertificates);
  const ownClusters = clusterResources(own.clusters, hasCertificates);
  const endpoints = endpointResources(view.endpoints);
  const listeners = listenerResources(shared.listeners, settings);
  const ownListeners = listenerResources(own.listeners, settings);
  const routes = routeResources(shared.routes, settings.countsAttempts);
  const ownRoutes = routeResources(own.routes, settings.countsAttempts);
  const virtualHosts = calledHostResources(view.virtualHosts, settings.countsAttempts);
  const all = [
    ownClusters,
    clusters,
    endpoints,
    ownListeners,
    listeners,
    ownRoutes,
    routes,
    virtualHosts,
  ];
  return {
    snapshot: {
      resources: {
        cluster: layeredMap(ownClusters.byName, clusters.byName),
        endpoint: endpoints.byName,
        listener: layeredMap(ownListeners.byName, listeners.byName),
        route: layeredMap(ownRoutes.byName, routes.byName),
        virtualHost: virtualHosts.byName,
      },
    },
    issues: [...issues, ...all.flatMap((encoded) => encoded.issues)],
  };
});

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
  (services: readonly (readonly Cluster[])[], hasCertificates: boolean) =>
    joinEncoded(services.map((clusters) => clusterResources(clusters, hasCertificates))),
);

const clusterResources = memoise((clusters: readonly Cluster[], hasCertificates: boolean) =>
  encodeAll(clusters, (cluster) => clusterResource(cluster, hasCertificates)),
);

const clusterResource = memoise((cluster: Cluster, hasCertificates: boolean) =>
  encodeCluster(cluster, { hasCertificates }),
);

type ServicesEndpoints = readonly (readonly ClusterEndpoints[])[];

/** Of endpoints few differ from one time to the next, and more often than anything else. */
const endpointResources = memoiseSuccessors(
  allEndpoints,
  (last, { byName, issues }, next, places) => {
    const patch = new Map<string, XdsResource>();
    for (const place of places) {
      const before = serviceEndpoints(last[place] ?? []);
      const after = serviceEndpoints(next[place] ?? []);
      const isSameShape = isSameList([...before.byName.keys()], [...after.byName.keys()]);
      if (!isSameShape || issues.length + after.issues.length > 0) return allEndpoints(next);
      for (const [name, resource] of after.byName) patch.set(name, resource);
    }
    return { byName: byName.with(patch), issues };
  },
);

function allEndpoints(
  services: ServicesEndpoints,
): Encoded & { readonly byName: PatchedMap<XdsResource> } {
  const { byName, issues } = joinEncoded(services.map((one) => serviceEndpoints(one)));
  return { byName: new PatchedMap(byName), issues };
}

const serviceEndpoints = memoise((endpoints: readonly ClusterEndpoints[]) =>
  encodeAll(endpoints, endpointResource),
);

const endpointResource = memoise(encodeEndpoints);

const listenerResources = memoise((listeners: readonly Listener[], settings: ListenerSettings) =>
  encodeAll(listeners, (one) => listenerResource(one, settings)),
);

const listenerResource = memoise((listener: Listener, settings: ListenerSettings) =>
  encodeListener(listener, settings),
);

const routeResources = memoise((routes: readonly RouteConfiguration[], countsAttempts: boolean) =>
  encodeAll(routes, (one) => routeResource(one, countsAttempts)),
);

const routeResource = memoise((routes: RouteConfiguration, countsAttempts: boolean) =>
  encodeRouteConfiguration(routes, countsAttempts),
);

const calledHostResources = memoise((hosts: readonly VirtualHost[], countsAttempts: boolean) =>
  encodeAll(hosts, (one) => calledHostResource(one, countsAttempts)),
);

const calledHostResource = memoise(encodeCalledHost);
/** Of each service, as one. */
function joinEncoded(parts: readonly Encoded[]): Encoded {
  const byName = new Map<string, XdsResource>();
  const issues: ObjectIssue[] = [];
  for (const part of parts) {
    for (const [name, resource] of part.byName) byName.set(name, resource);
    if (part.issues.length > 0) issues.push(...part.issues);
  }
  return { byName, issues };
}
