import { memoise } from "../../base/memo.ts";
import { isWildcard, narrowest } from "../host.ts";
import type { Mesh } from "../mesh.ts";
import { compareText } from "../origin.ts";
import { isRoutable } from "../protocol.ts";
import type { ProxyNode } from "../proxy.ts";
import type { Route, VirtualHost } from "../route.ts";
import { buildDefaultRoutes, buildHttpRoutes } from "../routing/http-routes.ts";
import type { RouteContext } from "../routing/route-context.ts";
import type { Scope } from "../scope.ts";
import type { Service } from "../service.ts";
import { MESH_GATEWAY, type VirtualService } from "../virtual-service.ts";
import { hostDomains, serviceDomains } from "./domain.ts";

/** Where requests to a host outside the registry are expected, as in Istio. */
const PORT_OF_FOREIGN_HOSTS = 80;

/**
 * The virtual hosts of an explicit proxy (`http_proxy`): every routable port of every service,
 * and the hosts that VirtualServices add. A host belongs to the oldest VirtualService that names
 * it, or else to the one with the narrowest wildcard.
 */
export function buildVirtualHosts(
  mesh: Mesh,
  proxy: ProxyNode,
  scope: Scope,
): readonly VirtualHost[] {
  const contextOf = (listenPort: number): RouteContext => ({
    mesh,
    proxy,
    gateway: MESH_GATEWAY,
    listenPort,
    services: scope.services,
  });
  const owners = hostOwners(scope.virtualServices);
  const wildcards = [...owners.keys()].filter(isWildcard);
  const foreignPorts = new Map<VirtualService, Set<number>>();
  const services: VirtualHost[] = [];
  for (const service of scope.services.values()) {
    const pattern = owners.has(service.hostname)
      ? service.hostname
      : narrowest(service.hostname, wildcards);
    const owner = pattern === undefined ? undefined : owners.get(pattern);
    for (const port of service.ports) {
      if (!isRoutable(port.protocol)) continue;
      if (owner !== undefined) {
        foreignPorts.set(owner, (foreignPorts.get(owner) ?? new Set()).add(port.number));
      }
      const own = owner === undefined ? [] : buildHttpRoutes(owner, contextOf(port.number));
      // A VirtualService that has no route for this port does not take it away.
      const routes =
        own.length === 0 ? buildDefaultRoutes(service, port, contextOf(port.number)) : own;
      services.push(serviceVirtualHost(service, routes, port.number, proxy.namespace));
    }
  }
  const foreign: VirtualHost[] = [];
  for (const [host, owner] of owners) {
    if (isOfRegistry(host, scope)) continue;
    for (const port of foreignPorts.get(owner) ?? [PORT_OF_FOREIGN_HOSTS]) {
      const routes = buildHttpRoutes(owner, contextOf(port));
      if (routes.length > 0) foreign.push(foreignVirtualHost(routes, host, port));
    }
  }
  // What somebody wrote down comes before the short forms that services have by themselves.
  return withoutDuplicates([...foreign, ...services]).toSorted((a, b) =>
    compareText(a.name, b.name),
  );
}

/** Each host that VirtualServices of the mesh name, and the one that it belongs to. */
function hostOwners(
  virtualServices: readonly VirtualService[],
): ReadonlyMap<string, VirtualService> {
  const owners = new Map<string, VirtualService>();
  for (const virtualService of virtualServices) {
    if (!virtualService.gateways.includes(MESH_GATEWAY)) continue;
    for (const host of virtualService.hosts) {
      if (!owners.has(host)) owners.set(host, virtualService);
    }
  }
  return owners;
}

/** Whether a host is a service, or a wildcard that some service is within. */
function isOfRegistry(host: string, { services }: Scope): boolean {
  if (!isWildcard(host)) return services.has(host);
  return [...services.keys()].some((hostname) => narrowest(hostname, [host]) !== undefined);
}

const serviceVirtualHost = memoise(
  (
    service: Service,
    routes: readonly Route[],
    port: number,
    fromNamespace: string,
  ): VirtualHost => ({
    name: `${service.hostname}:${port}`,
    domains: serviceDomains(service, port, fromNamespace),
    routes,
  }),
);

const foreignVirtualHost = memoise(
  (routes: readonly Route[], host: string, port: number): VirtualHost => ({
    name: `${host}:${port}`,
    domains: hostDomains(host, port),
    routes,
  }),
);

/**
 * A proxy refuses all virtual hosts when two have a name or domain in common, so the first keeps
 * it; but the full name of a service stays with the service.
 */
function withoutDuplicates(hosts: readonly VirtualHost[]): readonly VirtualHost[] {
  const names = new Set<string>();
  const domains = new Set<string>();
  // A full hostname counts before another host's shorter form of the same text.
  const full = new Set(hosts.map(({ name }) => name));
  return hosts.flatMap((host) => {
    if (names.has(host.name)) return [];
    names.add(host.name);
    const own = host.domains.filter(
      (domain) => !domains.has(domain) && (domain === host.name || !full.has(domain)),
    );
    for (const domain of own) domains.add(domain);
    if (own.length === 0) return [];
    return [own.length === host.domains.length ? host : { ...host, domains: own }];
  });
}
