import { CellMap } from "../../base/cell-map.ts";
import { type Cell, type CellGraph, type Family, isSameList } from "../../base/cells.ts";
import { memoise } from "../../base/memo.ts";
import type { Cluster } from "../cluster.ts";
import { lookupFamilyOf } from "../dns-lookup.ts";
import type { Listener } from "../listener.ts";
import type { Mesh } from "../mesh.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import type { ObjectIssue } from "../origin.ts";
import type { ProxyNode } from "../proxy.ts";
import type { RouteConfiguration } from "../route.ts";
import type { ScopeCells } from "../scope/scope-cells.ts";
import type { EgressListener, Scope } from "../scope.ts";
import type { Sidecar } from "../sidecar.ts";
import {
  allowAnyDynamicDnsCluster,
  BLACK_HOLE_CLUSTER,
  passthroughCluster,
} from "../standard-clusters.ts";
import type { ViewPart } from "../view-part.ts";
import { HTTP_PROXY_ROUTES, httpProxyListener, httpProxyPort } from "./http-proxy.ts";
import { reachesDynamicDns, takesGrpcWeb } from "./outbound-chains.ts";
import { buildListener, type ListenerEntry } from "./outbound-entry.ts";
import { OutboundBuilder, type RouteUse } from "./outbound-listeners.ts";
import {
  type BuiltRoutes,
  isSameRoutes,
  portRoutes,
  proxyRoutes,
  serviceRoutes,
} from "./outbound-routes.ts";
import { isPortable, OWN_ADDRESS } from "./service-address.ts";
import { closedTcp, unknownTcp } from "./unknown-hosts.ts";
import { VirtualHostCells } from "./virtual-hosts.ts";
import { virtualOutbound } from "./virtual-outbound.ts";

/** What sidecars that are alike do with what their apps send out. */
export interface SharedOutbound {
  readonly listeners: readonly Listener[];
  readonly routes: readonly RouteConfiguration[];
  readonly issues: readonly ObjectIssue[];
}

/** Listeners, and what the routes are for that they ask for, by name. */
interface Frame {
  readonly listeners: readonly Listener[];
  readonly uses: ReadonlyMap<string, RouteUse>;
  readonly issues: readonly ObjectIssue[];
}

/**
 * The listeners and routes of the sidecars of one scope that are alike. Listeners are made anew when
 * services or rules for connections change; of routes only those that a change touches.
 */
export class OutboundCells {
  readonly #mesh: Mesh;
  readonly #scope: ScopeCells;
  readonly #client: ProxyNode;
  readonly #frame: Cell<Frame>;
  readonly #hosts: Family<number, VirtualHostCells>;
  readonly #routes: Family<string, BuiltRoutes | undefined>;
  readonly #explicit: Cell<BuiltRoutes>;
  readonly #shared: Cell<SharedOutbound>;

  constructor(graph: CellGraph, mesh: Mesh, scope: ScopeCells, client: ProxyNode) {
    this.#mesh = mesh;
    this.#scope = scope;
    this.#client = client;
    this.#frame = graph.cell(() => this.#buildFrame());
    this.#hosts = graph.family((index: number) => {
      const listener = graph.cell(() => scope.whole.get().egress[index] ?? NOTHING);
      return new VirtualHostCells(graph, { mesh, scope, client, listener });
    });
    const uses = new CellMap(
      graph,
      graph.cell(() => this.#frame.get().uses),
      isSameUse,
    );
    this.#routes = graph.family((name: string) => {
      const use = uses.get(name);
      return use === undefined ? undefined : this.#buildRoutes(name, use);
    }, isSameIfAny);
    this.#explicit = graph.cell(() => {
      const { egress } = scope.withoutHttp.get();
      const index = egress.findIndex(({ port }) => port === undefined);
      return proxyRoutes(this.#hosts.get(index), scope.rules.get(), HTTP_PROXY_ROUTES);
    }, isSameRoutes);
    this.#shared = graph.cell(() => {
      const { listeners, uses: all, issues } = this.#frame.get();
      const built = [...all.keys()].flatMap((name) => this.#routes.get(name) ?? []);
      return {
        listeners,
        routes: built.map(({ routes }) => routes),
        issues: [...issues, ...built.flatMap((one) => one.issues)],
      };
    });
  }

  /** What all of them have. */
  shared(): SharedOutbound {
    return this.#shared.get();
  }

  /** Of the explicit proxy, where there is one. */
  explicitRoutes(): BuiltRoutes {
    return this.#explicit.get();
  }

  #buildFrame(): Frame {
    const scope = this.#scope.withoutHttp.get();
    const builder = new OutboundBuilder(this.#mesh, scope, this.#client);
    const { entries, routes, issues } = builder.build();
    const isPortable = this.#client.interceptionMode === "NONE";
    const listeners = [
      ...listenersOf(entries, scope),
      ...(isPortable ? [] : [capturing(this.#client, scope.settings, scope.sidecar)]),
    ];
    const asked = askedBy(listeners);
    return {
      listeners,
      uses: new Map([...routes].filter(([name]) => asked.has(name))),
      issues,
    };
  }

  #buildRoutes(name: string, use: RouteUse): BuiltRoutes {
    const hosts = this.#hosts.get(use.egress);
    const scope = this.#scope.rules.get();
    switch (use.type) {
      case "port":
        return portRoutes(hosts, scope, use);
      case "service":
        return serviceRoutes(hosts, use.hostname, use.port);
      case "proxy":
        return proxyRoutes(hosts, scope, name);
    }
  }
}

function isSameUse(last: RouteUse, next: RouteUse): boolean {
  return JSON.stringify(last) === JSON.stringify(next);
}

function isSameIfAny(last: BuiltRoutes | undefined, next: BuiltRoutes | undefined): boolean {
  return last !== undefined && next !== undefined && isSameRoutes(last, next);
}

/** What one sidecar does with what its app sends out. */
export function sidecarOutbound(
  cells: OutboundCells,
  proxy: ProxyNode,
  scope: Scope,
): { readonly own: ViewPart; readonly shared: ViewPart } {
  const port = httpProxyPort(proxy, scope.settings);
  const explicit = port === undefined ? undefined : cells.explicitRoutes();
  const { listeners, routes, issues } = cells.shared();
  const moved = listeners.flatMap((listener) => ofProxy(listener, proxy));
  const isShared = isSameList(moved, listeners);
  const isShorter = moved.length < listeners.length;
  const asked = isShorter ? askedBy(moved) : undefined;
  const used = asked === undefined ? routes : routes.filter(({ name }) => asked.has(name));
  return {
    own: {
      listeners: [
        ...(isShared ? [] : moved),
        ...(port === undefined ? [] : [explicitListener(proxy, port, scope)]),
      ],
      routes: [...(isShorter ? used : []), ...(explicit === undefined ? [] : [explicit.routes])],
      clusters: standardClusters(scope, proxy),
      issues: explicit === undefined ? issues : [...issues, ...explicit.issues],
    },
    shared: {
      listeners: isShared ? listeners : NO_LISTENERS,
      routes: isShorter ? NO_ROUTES : routes,
      clusters: [],
      issues: [],
    },
  };
}

function explicitListener(proxy: ProxyNode, port: number, scope: Scope): Listener {
  return httpProxyListener(proxy, port, reachesDynamicDns(scope), takesGrpcWeb(scope, undefined));
}

const NO_LISTENERS: readonly Listener[] = [];
const NO_ROUTES: readonly RouteConfiguration[] = [];

/** The routes that listeners ask for: those of a chain that was left out are nobody's. */
function askedBy(listeners: readonly Listener[]): ReadonlySet<string> {
  const asked = new Set<string>();
  for (const { chains, defaultChain } of listeners) {
    for (const { filter } of defaultChain === undefined ? chains : [...chains, defaultChain]) {
      if (filter.type === "http" && typeof filter.routes === "string") asked.add(filter.routes);
    }
  }
  return asked;
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
