/**
 * Automatic scope: what a proxy sees of the mesh, cut to what its workload was seen to call. Routes
 * lose their virtual hosts, which the proxy asks for on demand; of those that it did ask for it has
 * the virtual host, and the clusters with their endpoints that this leads to. A host is answered as
 * the whole routes would answer it, because it is looked up in them.
 */
import { keepIdentity, memoise } from "../base/memo.ts";
import { automaticScopeOf } from "./automatic-scope.ts";
import { type CalledHosts, parseCalledHost } from "./called-hosts.ts";
import type { Cluster, ClusterEndpoints } from "./cluster.ts";
import type { FilterChain, Listener } from "./listener.ts";
import type { Mesh } from "./mesh.ts";
import { compareText } from "./origin.ts";
import type { ProxyNode } from "./proxy.ts";
import { buildProxyView, type ProxyView } from "./proxy-view.ts";
import { clustersOf, type RouteConfiguration, type VirtualHost } from "./route.ts";
import {
  calledVirtualHost,
  firstVirtualHost,
  isForDemand,
  onDemandRoutes,
  virtualHostFor,
} from "./scope/on-demand-routes.ts";
import { isForUnknownHosts } from "./sidecar/unknown-hosts.ts";
import type { ViewPart } from "./view-part.ts";

/** A view that was cut. */
export interface CalledView {
  readonly view: ProxyView;
  /** The hosts among those called that are no service's: where they lead, unknown hosts do. */
  readonly unknown: ReadonlySet<string>;
  /** Of the others: the host of a service or of a rule that each is another form of. */
  readonly known: ReadonlyMap<string, string>;
  /** The route configurations whose hosts are asked for. */
  readonly demanded: ReadonlySet<string>;
  /** How many clusters of services were left out. */
  readonly omitted: number;
}

/** The view of a proxy by itself: cut, where it is in automatic scope, to what it says that it calls. */
export function buildCalledView(mesh: Mesh, proxy: ProxyNode): ProxyView {
  const view = buildProxyView(mesh, proxy);
  const { isAsked, obstacle } = automaticScopeOf(mesh, proxy);
  return isAsked && obstacle === undefined
    ? cutToCalls(view, new Set(proxy.calledHosts)).view
    : view;
}

/**
 * Cuts the view of a sidecar. Only what goes out over HTTP is cut: listeners that are for one
 * address or for other protocols stay with their clusters, since no proxy could ask for them.
 */
export const cutToCalls = memoise((view: ProxyView, called: CalledHosts): CalledView => {
  const demanded = demandedRoutes(view);
  const asked = [...demanded.keys()].join("\n");
  const { hosts, unknown, known } = calledHostsOf(demanded, called);
  const [own, shared] = [cutPart(view.own, asked), cutPart(view.shared, asked)];
  const { clusterNames } = view.telemetry;
  const needed = [...new Set([...neededClusters([own, shared], hosts), ...clusterNames])].sort(
    compareText,
  );
  const first = [...demanded.values()].map((one) => firstVirtualHost(one));
  const cut = keepLast(called, {
    clusters: clustersNamed(view.clusters, needed),
    endpoints: endpointsNamed(view.endpoints, needed),
    hosts: [...first, ...hosts],
  });
  return {
    view: {
      ...view,
      own,
      shared,
      virtualHosts: cut.hosts,
      clusters: cut.clusters,
      endpoints: cut.endpoints,
    },
    unknown,
    known,
    demanded: new Set(demanded.keys()),
    omitted: clusterLists(view.clusters).size - cut.clusters.flat().length,
  };
});

const cutPart = memoise((part: ViewPart, asked: string): ViewPart => {
  const demanded = new Set(asked.split("\n"));
  return {
    ...part,
    routes: part.routes.map((one) => (demanded.has(one.name) ? onDemandRoutes(one) : one)),
    listeners: part.listeners.map((one) => onDemandListener(one, demanded)),
  };
});

/** The route configurations whose hosts are asked for, by name, as they are in whole. */
function demandedRoutes({ own, shared }: ProxyView): ReadonlyMap<string, RouteConfiguration> {
  const listeners = [...shared.listeners, ...own.listeners];
  const routes = [...shared.routes, ...own.routes];
  const outbound = new Set(
    listeners
      .filter(({ direction }) => direction === "outbound")
      .flatMap((listener) => chainsOf(listener).flatMap(routesAskedFor)),
  );
  return new Map(
    routes
      .filter((one) => outbound.has(one.name) && isForDemand(one))
      .map((one) => [one.name, one] as const),
  );
}

function chainsOf({ chains, defaultChain }: Listener): readonly FilterChain[] {
  return defaultChain === undefined ? chains : [...chains, defaultChain];
}

function routesAskedFor({ filter }: FilterChain): readonly string[] {
  return filter.type === "http" && typeof filter.routes === "string" ? [filter.routes] : [];
}

/** In the order of their names, whatever order they were called in. */
function calledHostsOf(
  demanded: ReadonlyMap<string, RouteConfiguration>,
  called: CalledHosts,
): Pick<CalledView, "known" | "unknown"> & { readonly hosts: readonly VirtualHost[] } {
  const hosts: VirtualHost[] = [];
  const known = new Map<string, string>();
  const unknown = new Set<string>();
  for (const name of [...called].sort(compareText)) {
    const parsed = parseCalledHost(name);
    const whole = parsed && demanded.get(parsed.routes);
    if (parsed === undefined || whole === undefined) continue;
    const host = virtualHostFor(whole, parsed.host);
    if (host === undefined) continue;
    if (isForUnknownHosts(host)) unknown.add(name);
    // The name of a virtual host is its host and port.
    else known.set(name, host.name.replace(/:\d+$/, ""));
    hosts.push(calledVirtualHost(host, parsed));
  }
  return { hosts, unknown, known };
}

/** The listener with a filter that asks, wherever its routes are asked for. */
function onDemandListener(listener: Listener, demanded: ReadonlySet<string>): Listener {
  if (listener.direction !== "outbound") return listener;
  const asked = chainsOf(listener)
    .flatMap(routesAskedFor)
    .filter((name) => demanded.has(name));
  return asked.length === 0 ? listener : asking(listener, asked.join("\n"));
}

const asking = memoise((listener: Listener, names: string): Listener => {
  const demanded = new Set(names.split("\n"));
  const chain = (one: FilterChain): FilterChain => {
    const { filter } = one;
    if (filter.type !== "http" || typeof filter.routes !== "string") return one;
    return demanded.has(filter.routes) ? { ...one, filter: { ...filter, isOnDemand: true } } : one;
  };
  const { chains, defaultChain } = listener;
  return {
    ...listener,
    chains: chains.map(chain),
    defaultChain: defaultChain === undefined ? undefined : chain(defaultChain),
  };
});

/** The clusters that something of the cut view leads to. */
function neededClusters(
  parts: readonly ViewPart[],
  hosts: readonly VirtualHost[],
): ReadonlySet<string> {
  const listeners = parts.flatMap((part) => part.listeners);
  const routes = parts.flatMap((part) => part.routes);
  const needed = new Set<string>();
  const add = (virtualHosts: readonly VirtualHost[]): void => {
    for (const host of virtualHosts) {
      for (const route of host.routes) {
        for (const name of clustersOf(route)) needed.add(name);
      }
    }
  };
  add(hosts);
  for (const { virtualHosts } of routes) add(virtualHosts);
  for (const listener of listeners) {
    for (const { filter } of chainsOf(listener)) {
      if (filter.type === "tcp") for (const { name } of filter.clusters) needed.add(name);
      else if (typeof filter.routes !== "string") add(filter.routes.virtualHosts);
    }
  }
  return needed;
}

/** Of each service one. */
type Lists<T> = readonly (readonly T[])[];

/** What a cut was made of last, for those who call the same: much of it is as it was. */
interface LastCut {
  clusters?: Lists<Cluster>;
  endpoints?: Lists<ClusterEndpoints>;
  hosts?: readonly VirtualHost[];
}

const lastCuts = new WeakMap<CalledHosts, LastCut>();

/**
 * The same lists as for the last one who called the same, where they hold the same: so that they are
 * written once for all replicas, and not again for a change that does not concern them.
 */
function keepLast(called: CalledHosts, cut: Required<LastCut>): Required<LastCut> {
  const { clusters, endpoints, hosts } = lastCuts.get(called) ?? {};
  const kept = {
    clusters: keepIdentity(clusters, cut.clusters),
    endpoints: keepIdentity(endpoints, cut.endpoints),
    hosts: keepIdentity(hosts, cut.hosts),
  };
  lastCuts.set(called, kept);
  return kept;
}

function clustersNamed(clusters: Lists<Cluster>, names: readonly string[]): Lists<Cluster> {
  return pickLists(clusterLists(clusters), names, clustersOfList);
}

function endpointsNamed(
  endpoints: Lists<ClusterEndpoints>,
  names: readonly string[],
): Lists<ClusterEndpoints> {
  return pickLists(endpointLists(endpoints), names, endpointsOfList);
}

const clusterLists = memoise((lists: Lists<Cluster>) => indexLists(lists, ({ name }) => name));
const endpointLists = memoise((lists: Lists<ClusterEndpoints>) =>
  indexLists(lists, ({ clusterName }) => clusterName),
);

/** The list that each name is in: made once for all who see the same. */
function indexLists<T>(
  lists: Lists<T>,
  nameOf: (value: T) => string,
): ReadonlyMap<string, readonly T[]> {
  return new Map(lists.flatMap((list) => list.map((one) => [nameOf(one), list] as const)));
}

/** Of every list that has some of the names, those; costs what is picked, not what there is. */
function pickLists<T>(
  index: ReadonlyMap<string, readonly T[]>,
  names: readonly string[],
  pick: (list: readonly T[], names: string) => readonly T[],
): Lists<T> {
  const wanted = new Map<readonly T[], string[]>();
  for (const name of names) {
    const list = index.get(name);
    if (list === undefined) continue;
    const known = wanted.get(list);
    if (known === undefined) wanted.set(list, [name]);
    else known.push(name);
  }
  return [...wanted].map(([list, own]) =>
    own.length === list.length ? list : pick(list, own.join("\n")),
  );
}

const clustersOfList = memoise((list: readonly Cluster[], names: string): readonly Cluster[] => {
  const wanted = new Set(names.split("\n"));
  return list.filter(({ name }) => wanted.has(name));
});

const endpointsOfList = memoise(
  (list: readonly ClusterEndpoints[], names: string): readonly ClusterEndpoints[] => {
    const wanted = new Set(names.split("\n"));
    return list.filter(({ clusterName }) => wanted.has(clusterName));
  },
);
