import { memoise } from "../../base/memo.ts";
import { formatKey } from "../../config/object.ts";
import { isWildcard, isWithin } from "../host.ts";
import type { Mesh } from "../mesh.ts";
import type { ObjectIssue, Origin } from "../origin.ts";
import { isRoutable } from "../protocol.ts";
import type { ProxyNode } from "../proxy.ts";
import type { Route, VirtualHost } from "../route.ts";
import { buildDefaultRoutes, buildHttpRoutes } from "../routing/http-routes.ts";
import type { RouteContext } from "../routing/route-context.ts";
import type { EgressListener } from "../scope.ts";
import { portOf, type Service } from "../service.ts";
import { MESH_GATEWAY, type VirtualService } from "../virtual-service.ts";
import { bracketed, type Domains, hostAndPort, serviceDomains, withPort } from "./domain.ts";
import { hostOwners, shareOf } from "./host-owner.ts";

/** Where requests to a host outside the registry are expected, as in Istio. */
const PORT_OF_FOREIGN_HOSTS = 80;

/** The virtual hosts of one or of all ports, and whose domains others have. */
export interface VirtualHosts {
  readonly virtualHosts: readonly VirtualHost[];
  readonly issues: readonly ObjectIssue[];
}

/** For which listener virtual hosts are made. */
export interface VirtualHostContext {
  readonly mesh: Mesh;
  readonly client: ProxyNode;
  readonly listener: EgressListener;
  /** All services that the proxy sees: where routes may lead. */
  readonly services: ReadonlyMap<string, Service>;
}

/** One virtual host before it is known which of its domains it gets. */
interface Wish {
  readonly host: string;
  /** Whether a VirtualService names it and no service of the port has it. */
  readonly isForeign: boolean;
  readonly name: string;
  readonly domains: Domains;
  readonly routes: readonly Route[];
  readonly origin: Origin;
}

/** The virtual hosts of a port: domains without ports, which are not compared there. */
export const virtualHostsOfPort = memoise(
  (context: VirtualHostContext, port: number): VirtualHosts =>
    grant(wishesOfPort(context, port, (domains) => domains)),
);

/** The virtual host of a port that has a domain. */
export function virtualHostOf(
  context: VirtualHostContext,
  port: number,
  domain: string,
): VirtualHost | undefined {
  return domainIndex(virtualHostsOfPort(context, port)).get(domain);
}

const domainIndex = memoise(
  ({ virtualHosts }: VirtualHosts): ReadonlyMap<string, VirtualHost> =>
    new Map(virtualHosts.flatMap((host) => host.domains.map((domain) => [domain, host] as const))),
);

/** The virtual hosts of all ports, for clients that ask a proxy: domains say the port. */
export function virtualHostsOfAllPorts(context: VirtualHostContext): VirtualHosts {
  const ports = [...servicesByPort(context.listener.services).keys(), PORT_OF_FOREIGN_HOSTS];
  const wishes = [...new Set(ports)]
    .sort((a, b) => a - b)
    .flatMap((port) => wishesOfPort(context, port, (domains) => withPort(domains, port)))
    // A service that does not have the port is not asked for on it.
    .filter(({ host, isForeign }) => !isForeign || !isOfRegistry(host, context.listener.services));
  // What somebody wrote down comes before the short forms that services have by themselves.
  return grant(wishes.toSorted((a, b) => rank(a) - rank(b)));
}

function rank({ origin }: Wish): number {
  return origin.key.kind === "VirtualService" ? 0 : 1;
}

function wishesOfPort(
  context: VirtualHostContext,
  port: number,
  onPort: (domains: Domains) => Domains,
): readonly Wish[] {
  const { client, listener } = context;
  const services = servicesByPort(listener.services).get(port) ?? NO_SERVICES;
  const owners = hostOwners(listener.virtualServices);
  const routeContext = routeContextOf(context, port);
  const routed = new Set<Service>();
  const wishes: Wish[] = [];
  const add = (wish: Omit<Wish, "name">): void => {
    const { host, domains } = wish;
    wishes.push({ ...wish, name: hostAndPort(host, port), domains: onPort(domains) });
  };
  for (const virtualService of listener.virtualServices) {
    const share = shareOf(virtualService, services, owners);
    if (!share.isRelated && port !== PORT_OF_FOREIGN_HOSTS) continue;
    const routable = share.services.filter((service) => isRoutableOn(service, port));
    if (routable.length === 0 && port !== PORT_OF_FOREIGN_HOSTS) continue;
    const routes = buildHttpRoutes(virtualService, routeContext);
    // One that has no route for this port does not take its hosts away.
    if (routes.length === 0) continue;
    for (const host of share.foreign) {
      const origin = hostOrigin(virtualService, host);
      add({ host, isForeign: true, domains: foreignDomains(host), routes, origin });
    }
    for (const service of routable) {
      routed.add(service);
      const origin = hostOrigin(virtualService, service.hostname);
      const domains = serviceDomains(service, client);
      add({ host: service.hostname, isForeign: false, domains, routes, origin });
    }
  }
  for (const service of services.values()) {
    const servicePort = portOf(service, port);
    if (servicePort === undefined || !isRoutable(servicePort.protocol) || routed.has(service)) {
      continue;
    }
    const routes = buildDefaultRoutes(service, servicePort, routeContext);
    const origin = { key: service.key, path: service.path };
    const domains = serviceDomains(service, client);
    add({ host: service.hostname, isForeign: false, domains, routes, origin });
  }
  return wishes;
}

/** Whether a host is a service, or a wildcard that some service is within. */
function isOfRegistry(host: string, services: ReadonlyMap<string, Service>): boolean {
  if (!isWildcard(host)) return services.has(host);
  for (const hostname of services.keys()) {
    if (isWithin(hostname, host)) return true;
  }
  return false;
}

function routeContextOf(
  { mesh, client, services }: VirtualHostContext,
  listenPort: number,
): RouteContext {
  return { mesh, proxy: client, gateway: MESH_GATEWAY, listenPort, services };
}

function isRoutableOn(service: Service, number: number): boolean {
  const port = portOf(service, number);
  return port !== undefined && isRoutable(port.protocol);
}

function hostOrigin({ key, hosts }: VirtualService, host: string): Origin {
  const index = hosts.indexOf(host);
  return { key, path: index < 0 ? "spec.hosts" : `spec.hosts[${index}]` };
}

function foreignDomains(host: string): Domains {
  return { all: [bracketed(host)], short: NO_NAMES };
}

const NO_NAMES: ReadonlySet<string> = new Set();
const NO_SERVICES: ReadonlyMap<string, Service> = new Map();

/** Services by the numbers of their ports, then by hostname. */
const servicesByPort = memoise(
  (services: ReadonlyMap<string, Service>): ReadonlyMap<number, ReadonlyMap<string, Service>> => {
    const byPort = new Map<number, Map<string, Service>>();
    for (const [hostname, service] of services) {
      for (const { number } of service.ports) {
        const list = byPort.get(number) ?? new Map<string, Service>();
        byPort.set(number, list.set(hostname, service));
      }
    }
    return byPort;
  },
);

/**
 * A proxy refuses all virtual hosts when two have a name or a domain in common, so the first that
 * asks gets it; but the full name of a service is nobody's short form.
 */
function grant(wishes: readonly Wish[]): VirtualHosts {
  const fullNames = new Set(wishes.flatMap(({ name, domains }) => [name, domains.all[0] ?? name]));
  const names = new Map<string, Wish>();
  const owners = new Map<string, Wish>();
  const virtualHosts: VirtualHost[] = [];
  const issues: ObjectIssue[] = [];
  for (const wish of wishes) {
    const { name, domains, routes } = wish;
    if (names.has(name)) continue;
    names.set(name, wish);
    const granted = domains.all.filter((domain) => {
      const lower = domain.toLowerCase();
      const owner = owners.get(lower);
      if (owner === undefined) {
        if (domains.short.has(domain) && fullNames.has(domain)) return false;
        owners.set(lower, wish);
        return true;
      }
      if (owner !== wish && isWorthAWord(wish, owner)) issues.push(lostDomain(wish, owner, domain));
      return false;
    });
    if (granted.length > 0) {
      virtualHosts.push(virtualHost(routes, name, granted.join(" ")));
    }
  }
  return { virtualHosts, issues };
}

/** Hosts of one object may share its addresses, and a host may be routed by another's words. */
function isWorthAWord(wish: Wish, owner: Wish): boolean {
  return (
    formatKey(wish.origin.key) !== formatKey(owner.origin.key) &&
    wish.origin.key.kind !== "VirtualService" &&
    owner.origin.key.kind !== "VirtualService"
  );
}

function lostDomain({ origin }: Wish, owner: Wish, domain: string): ObjectIssue {
  const message =
    `requests to "${domain}" go to ${formatKey(owner.origin.key)} (${owner.name}), ` +
    "which has that name or address too";
  return { object: origin.key, issue: { path: origin.path, message, severity: "warning" } };
}

const virtualHost = memoise(
  (routes: readonly Route[], name: string, domains: string): VirtualHost => ({
    name,
    domains: domains.split(" "),
    routes,
  }),
);
