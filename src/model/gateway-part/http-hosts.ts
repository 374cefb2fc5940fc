import { memoise } from "../../base/memo.ts";
import { type GatewayServer, hostsFor } from "../gateway.ts";
import { compareHosts, intersectHosts } from "../host.ts";
import type { Mesh } from "../mesh.ts";
import type { ProxyNode } from "../proxy.ts";
import type { Route, VirtualHost } from "../route.ts";
import { isCatchAll } from "../route-match.ts";
import { buildHttpRoutes } from "../routing/http-routes.ts";
import type { RouteContext } from "../routing/route-context.ts";
import type { Scope } from "../scope.ts";
import type { VirtualService } from "../virtual-service.ts";
import { isVisible } from "../visibility.ts";

/** What is gathered for one host before it is put together. */
interface HostParts {
  /** The first server's port: what the virtual host is called. */
  readonly port: number;
  readonly parts: (readonly Route[])[];
  requiresTls: boolean;
}

/** The VirtualServices that are bound to a server's Gateway and that the proxy sees, the oldest first. */
export function boundTo(
  { virtualServices }: Mesh,
  { namespace }: ProxyNode,
  { gateway }: GatewayServer,
): readonly VirtualService[] {
  const bound = byGateway(virtualServices).get(gateway) ?? [];
  return bound.filter(({ visibility }) => isVisible(visibility, namespace));
}

const byGateway = memoise((virtualServices: readonly VirtualService[]) => {
  const index = new Map<string, VirtualService[]>();
  for (const virtualService of virtualServices) {
    for (const gateway of new Set(virtualService.gateways)) {
      const list = index.get(gateway);
      if (list === undefined) index.set(gateway, [virtualService]);
      else list.push(virtualService);
    }
  }
  return index;
});

/** What routes of a gateway's server are made for. */
export function serverContext(
  mesh: Mesh,
  proxy: ProxyNode,
  scope: Scope,
  { gateway, port, kind }: GatewayServer,
): RouteContext {
  const isTls = kind === "https";
  return { mesh, proxy, gateway, listenPort: port, isTls, services: scope.services };
}

/**
 * The virtual hosts of servers that share their routes: each host that a server and a
 * VirtualService bound to its Gateway have in common. Routes of several VirtualServices for one
 * host add up, the oldest first, with those that take everything last. A host of a server that
 * redirects to https is there without a VirtualService too.
 */
export function buildServerHosts(
  mesh: Mesh,
  proxy: ProxyNode,
  scope: Scope,
  servers: readonly GatewayServer[],
): readonly VirtualHost[] {
  const hosts = new Map<string, HostParts>();
  const partsOf = (host: string, port: number): HostParts => {
    const known = hosts.get(host);
    if (known !== undefined) return known;
    const made: HostParts = { port, parts: [], requiresTls: false };
    hosts.set(host, made);
    return made;
  };
  for (const server of servers) {
    const context = serverContext(mesh, proxy, scope, server);
    for (const virtualService of boundTo(mesh, proxy, server)) {
      const routes = buildHttpRoutes(virtualService, context);
      if (routes.length === 0) continue;
      const own = hostsFor(server, virtualService.namespace);
      for (const host of intersectHosts(own, virtualService.hosts)) {
        const entry = partsOf(host, server.port);
        // Two servers of one port may both be what it is bound to.
        if (!entry.parts.includes(routes)) entry.parts.push(routes);
        entry.requiresTls ||= server.redirectsToHttps;
      }
    }
    if (!server.redirectsToHttps) continue;
    for (const { host } of server.hosts) partsOf(host, server.port).requiresTls = true;
  }
  if (hosts.size === 0) return [blackhole(servers[0]?.port ?? 0)];
  return [...hosts]
    .sort(([a], [b]) => compareHosts(a, b))
    .map(([host, { port, parts, requiresTls }]) =>
      virtualHost(mergeRoutes(parts), `${host}:${port}`, host, requiresTls),
    );
}

/** Listens, and knows nobody: 404 for all. */
function blackhole(port: number): VirtualHost {
  return { name: `blackhole:${port}`, domains: ["*"], routes: [] };
}

const virtualHost = memoise(
  (routes: readonly Route[], name: string, host: string, requiresTls: boolean): VirtualHost => ({
    name,
    domains: [host],
    routes,
    ...(requiresTls && { requiresTls }),
  }),
);

const NONE: readonly Route[] = [];

function mergeRoutes([first, ...others]: readonly (readonly Route[])[]): readonly Route[] {
  return first === undefined ? NONE : mergeParts(first, ...others);
}

const mergeParts = memoise(
  (first: readonly Route[], ...others: readonly (readonly Route[])[]): readonly Route[] => {
    const routes = [first, ...others].flat();
    const isLast = ({ match }: Route): boolean => isCatchAll(match);
    return [...routes.filter((route) => !isLast(route)), ...routes.filter(isLast)];
  },
);
