import { memoise } from "../../base/memo.ts";
import type { Cluster } from "../cluster.ts";
import { lookupFamilyOf } from "../dns-lookup.ts";
import type { Listener } from "../listener.ts";
import type { Mesh } from "../mesh.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import type { ObjectIssue } from "../origin.ts";
import type { ProxyNode } from "../proxy.ts";
import type { RouteConfiguration } from "../route.ts";
import type { EgressListener, Scope } from "../scope.ts";
import type { Sidecar } from "../sidecar.ts";
import {
  allowAnyDynamicDnsCluster,
  BLACK_HOLE_CLUSTER,
  passthroughCluster,
} from "../standard-clusters.ts";
import type { ViewPart } from "../view-part.ts";
import { clientOf } from "./client.ts";
import { HTTP_PROXY_ROUTES, httpProxyListener, httpProxyPort } from "./http-proxy.ts";
import { reachesDynamicDns } from "./outbound-chains.ts";
import { buildListener, type ListenerEntry } from "./outbound-entry.ts";
import { OutboundBuilder, type RouteUse } from "./outbound-listeners.ts";
import { type BuiltRoutes, portRoutes, proxyRoutes, serviceRoutes } from "./outbound-routes.ts";
import { isPortable, OWN_ADDRESS } from "./service-address.ts";
import { closedTcp, unknownTcp } from "./unknown-hosts.ts";
import type { VirtualHostContext } from "./virtual-hosts.ts";
import { virtualOutbound } from "./virtual-outbound.ts";

/** What a sidecar does with what its app sends out. */
export function buildSidecarOutbound(mesh: Mesh, proxy: ProxyNode, scope: Scope): ViewPart {
  const client = clientOf(mesh, scope, proxy);
  const port = httpProxyPort(proxy, scope.settings);
  const { listeners, routes, proxyRoutes: forProxy, issues } = outboundOf(mesh, scope, client);
  const explicit =
    port === undefined ? [] : [httpProxyListener(proxy, port, reachesDynamicDns(scope))];
  const own = listeners.flatMap((listener) => ofProxy(listener, proxy));
  const used = own.length === listeners.length ? routes : routesOf(own, routes);
  return {
    listeners: [...own, ...explicit],
    routes: port === undefined ? used : [...used, forProxy.routes],
    clusters: standardClusters(scope, proxy),
    issues: port === undefined ? issues : [...issues, ...forProxy.issues],
  };
}

/** What all proxies of one kind of client have alike. */
interface SharedOutbound {
  readonly listeners: readonly Listener[];
  readonly routes: readonly RouteConfiguration[];
  /** Of the explicit proxy, where there is one. */
  readonly proxyRoutes: BuiltRoutes;
  readonly issues: readonly ObjectIssue[];
}

const outboundOf = memoise((mesh: Mesh, scope: Scope, client: ProxyNode): SharedOutbound => {
  const { entries, routes, issues } = new OutboundBuilder(mesh, scope, client).build();
  const contexts = new Map<EgressListener, VirtualHostContext>();
  const contextOf = (listener: EgressListener): VirtualHostContext => {
    const known = contexts.get(listener);
    if (known !== undefined) return known;
    const context = { mesh, client, listener, services: scope.services };
    contexts.set(listener, context);
    return context;
  };
  const built = [...routes].map(([name, use]) =>
    buildRoutes(name, use, contextOf(use.listener), scope),
  );
  const listeners = [
    ...listenersOf(entries, scope),
    ...(client.interceptionMode === "NONE"
      ? []
      : [capturing(client, scope.settings, scope.sidecar)]),
  ];
  const everything = scope.egress.find(({ port }) => port === undefined) ?? NOTHING;
  return {
    listeners,
    routes: routesOf(
      listeners,
      built.map((one) => one.routes),
    ),
    proxyRoutes: proxyRoutes(contextOf(everything), scope, HTTP_PROXY_ROUTES),
    issues: [...issues, ...built.flatMap((one) => one.issues)],
  };
});

/** The routes that listeners ask for: those of a chain that was left out are nobody's. */
function routesOf(
  listeners: readonly Listener[],
  routes: readonly RouteConfiguration[],
): readonly RouteConfiguration[] {
  const asked = new Set<string>();
  for (const { chains, defaultChain } of listeners) {
    for (const { filter } of defaultChain === undefined ? chains : [...chains, defaultChain]) {
      if (filter.type === "http" && typeof filter.routes === "string") asked.add(filter.routes);
    }
  }
  return routes.filter(({ name }) => asked.has(name));
}

/** A Sidecar may leave nothing to the explicit proxy. */
const NOTHING: EgressListener = {
  port: undefined,
  bind: "",
  captureMode: "DEFAULT",
  services: new Map(),
  virtualServices: [],
  origin: undefined,
};

/** The same for as long as nothing changes that it depends on, whatever services come and go. */
const capturing = memoise(
  (client: ProxyNode, settings: MeshSettings, sidecar: Sidecar | undefined): Listener =>
    virtualOutbound(client, {
      settings,
      sidecar,
      outboundMode: sidecar?.outboundMode ?? settings.outboundMode,
      egressProxy: sidecar?.egressProxy,
    }),
);

function buildRoutes(
  name: string,
  use: RouteUse,
  context: VirtualHostContext,
  scope: Scope,
): BuiltRoutes {
  switch (use.type) {
    case "port":
      return portRoutes(context, scope, use);
    case "service":
      return serviceRoutes(context, use.hostname, use.port);
    case "proxy":
      return proxyRoutes(context, scope, name);
  }
}

function listenersOf(entries: readonly ListenerEntry[], scope: Scope): readonly Listener[] {
  const primaries = new Set(entries.map(({ binds, port }) => `${binds[0]} ${port}`));
  const { protocolDetectionTimeoutMs: detectionTimeoutMs } = scope.settings;
  return entries.map((entry) => {
    const [primary, ...extra] = entry.binds;
    // Of two listeners on one address a proxy would refuse one: that of its own keeps it.
    const free = extra.filter((bind) => !primaries.has(`${bind} ${entry.port}`));
    const unknown = entry.isBound ? closedTcp(scope) : unknownTcp(scope);
    return buildListener({ ...entry, binds: [primary, ...free] }, { unknown, detectionTimeoutMs });
  });
}

/**
 * A listener as it is for one proxy. What an app sends to its own pod's address does not come
 * here, and what comes in for it there has a listener already.
 */
function ofProxy(listener: Listener, proxy: ProxyNode): readonly Listener[] {
  if (!("address" in listener.address)) return [listener];
  const { address } = listener.address;
  if (address === OWN_ADDRESS) return [placed(listener, proxy.ip)];
  return !listener.isBound && address === proxy.ip ? [] : [listener];
}

/** A listener of the pod's own address. */
const placed = memoise((listener: Listener, ip: string): Listener => {
  if (!("address" in listener.address)) return listener;
  const { port } = listener.address;
  const name = `${ip}_${port}`;
  const chains = listener.chains.map((chain) =>
    chain.filter.type === "http"
      ? { ...chain, filter: { ...chain.filter, statPrefix: `outbound_${name}` } }
      : chain,
  );
  return { ...listener, name, address: { address: ip, port }, chains };
});

/** The clusters of no service. */
function standardClusters(scope: Scope, proxy: ProxyNode): readonly Cluster[] {
  const { outboundMode, settings } = scope;
  return [
    BLACK_HOLE_CLUSTER,
    // Nothing is captured in portable mode, so that there is no address that a client had meant.
    ...(isPortable(proxy) ? [] : [passthroughCluster(settings)]),
    ...(outboundMode === "ALLOW_ANY_DYNAMIC_DNS"
      ? [allowAnyDynamicDnsCluster(settings, lookupFamilyOf(proxy))]
      : []),
  ];
}
