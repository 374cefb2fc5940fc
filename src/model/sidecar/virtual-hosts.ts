import { CellMap } from "../../base/cell-map.ts";
import { type Cell, type CellGraph, type Family, isSameList } from "../../base/cells.ts";
import { memoise } from "../../base/memo.ts";
import { isWildcard, isWithin } from "../host.ts";
import type { Mesh } from "../mesh.ts";
import type { Origin } from "../origin.ts";
import { isRoutable } from "../protocol.ts";
import type { ProxyNode } from "../proxy.ts";
import type { Route, VirtualHost } from "../route.ts";
import { buildDefaultRoutes, buildHttpRoutes } from "../routing/http-routes.ts";
import type { RouteContext } from "../routing/route-context.ts";
import type { ScopeCells } from "../scope/scope-cells.ts";
import type { EgressListener } from "../scope.ts";
import { portOf, type Service } from "../service.ts";
import { MESH_GATEWAY, type VirtualService } from "../virtual-service.ts";
import { bracketed, hostAndPort, serviceDomains, withPort } from "./domain.ts";
import { HostGrants, type VirtualHosts, type Wish } from "./host-grants.ts";
import { hostOwners, type PortServices, shareOf } from "./host-owner.ts";
import { relatedOf } from "./related-services.ts";

/** Where requests to a host outside the registry are expected, as in Istio. */
const PORT_OF_FOREIGN_HOSTS = 80;

/** What a listener's virtual hosts are made from. */
export interface VirtualHostInput {
  readonly mesh: Mesh;
  readonly scope: ScopeCells;
  readonly client: ProxyNode;
  /** The listener as it is at the moment. */
  readonly listener: Cell<EgressListener>;
}

/** The virtual hosts of one way out, for clients that are alike. */
export class VirtualHostCells {
  readonly #input: VirtualHostInput;
  /** By port. */
  readonly #wishes: Family<number, readonly Wish[]>;
  readonly #ofPort: Family<number, VirtualHosts>;
  readonly #ofAllPorts: Cell<VirtualHosts>;

  constructor(graph: CellGraph, input: VirtualHostInput) {
    this.#input = input;
    const ports = graph.family((port: number) => new PortCells(graph, input, port));
    this.#wishes = graph.family((port: number) => ports.get(port).wishes(), isSameList);
    const grants = graph.family((_port: number) => new HostGrants());
    this.#ofPort = graph.family((port: number) => grants.get(port).grant(this.#wishes.get(port)));
    const all = new HostGrants();
    this.#ofAllPorts = graph.cell(() => all.grant(this.#wishesOfAllPorts()));
  }

  /** The virtual hosts of a port: domains without ports, which are not compared there. */
  ofPort(port: number): VirtualHosts {
    return this.#ofPort.get(port);
  }

  /** The virtual host of a port that has a domain. */
  withDomain(port: number, domain: string): VirtualHost | undefined {
    return domainIndex(this.ofPort(port)).get(domain);
  }

  /** The virtual hosts of all ports, for clients that ask a proxy: domains say the port. */
  ofAllPorts(): VirtualHosts {
    return this.#ofAllPorts.get();
  }

  #wishesOfAllPorts(): readonly Wish[] {
    const { services } = this.#input.listener.get();
    const ports = [...servicesByPort(services).keys(), PORT_OF_FOREIGN_HOSTS];
    const wishes = [...new Set(ports)]
      .sort((a, b) => a - b)
      .flatMap((port) => this.#wishes.get(port).map((wish) => onPort(wish, port)))
      // A service that does not have the port is not asked for on it.
      .filter(({ claim: { host, isForeign } }) => !isForeign || !isOfRegistry(host, services));
    // What somebody wrote down comes before the short forms that services have by themselves.
    return wishes.sort((a, b) => rank(a) - rank(b));
  }
}

const domainIndex = memoise(
  ({ virtualHosts }: VirtualHosts): ReadonlyMap<string, VirtualHost> =>
    new Map(virtualHosts.flatMap((host) => host.domains.map((domain) => [domain, host] as const))),
);

const onPort = memoise(
  ({ claim, routes }: Wish, port: number): Wish => ({ claim: claimOnPort(claim, port), routes }),
);

const claimOnPort = memoise((claim: Wish["claim"], port: number): Wish["claim"] => ({
  ...claim,
  domains: withPort(claim.domains, port),
}));

function rank({ claim: { origin } }: Wish): number {
  return origin.key.kind === "VirtualService" ? 0 : 1;
}

/** The wishes of one port, each computed anew when something of its own changes. */
class PortCells {
  readonly #input: VirtualHostInput;
  readonly #port: number;
  readonly #services: Cell<ReadonlyMap<string, Service>>;
  readonly #byRule: Family<VirtualService, readonly Wish[]>;
  readonly #byService: Family<Service, readonly Wish[]>;

  constructor(graph: CellGraph, input: VirtualHostInput, port: number) {
    this.#input = input;
    this.#port = port;
    this.#services = graph.cell(
      () => servicesByPort(input.listener.get().services).get(port) ?? NO_SERVICES,
    );
    const byName = new CellMap(graph, this.#services);
    const wildcards = graph.cell(() => wildcardsOf(this.#services.get()), isSameList);
    const portServices: PortServices = {
      get: (host) => byName.get(host),
      whole: () => this.#services.get(),
      get wildcards() {
        return wildcards.get();
      },
    };
    const isOwner = (hostname: string, virtualService: VirtualService): boolean =>
      hostOwners(input.listener.get().virtualServices).ownerOf(hostname) === virtualService;
    this.#byRule = graph.family((virtualService: VirtualService) => {
      const share = shareOf(virtualService, portServices, isOwner);
      if (!share.isRelated && port !== PORT_OF_FOREIGN_HOSTS) return NO_WISHES;
      const routable = share.services.filter((service) => isRoutableOn(service, port));
      if (routable.length === 0 && port !== PORT_OF_FOREIGN_HOSTS) return NO_WISHES;
      const routes = buildHttpRoutes(virtualService, this.#context);
      // One that has no route for this port does not take its hosts away.
      if (routes.length === 0) return NO_WISHES;
      return [
        ...share.foreign.map((host) => this.#foreignWish(virtualService, host, routes)),
        ...routable.map((service) => this.#routedWish(virtualService, service, routes)),
      ];
    }, isSameWishes);
    this.#byService = graph.family(
      (service: Service) => this.#defaultWishes(service),
      isSameWishes,
    );
  }

  wishes(): readonly Wish[] {
    const { virtualServices } = this.#input.listener.get();
    const services = this.#services.get();
    const routed = new Set<Service>();
    const wishes: Wish[] = [];
    const related =
      this.#port === PORT_OF_FOREIGN_HOSTS ? virtualServices : relatedOf(virtualServices, services);
    for (const virtualService of related) {
      for (const wish of this.#byRule.get(virtualService)) {
        wishes.push(wish);
        if (wish.claim.service !== undefined) routed.add(wish.claim.service);
      }
    }
    for (const service of services.values()) {
      if (!routed.has(service)) wishes.push(...this.#byService.get(service));
    }
    return wishes;
  }

  get #context(): RouteContext {
    const { mesh, client, scope } = this.#input;
    return {
      mesh,
      proxy: client,
      gateway: MESH_GATEWAY,
      listenPort: this.#port,
      services: scope.services,
    };
  }

  #foreignWish(virtualService: VirtualService, host: string, routes: readonly Route[]): Wish {
    return {
      claim: {
        host,
        service: undefined,
        isForeign: true,
        name: hostAndPort(host, this.#port),
        domains: { all: [bracketed(host)], short: NO_NAMES },
        origin: hostOrigin(virtualService, host),
      },
      routes,
    };
  }

  #routedWish(virtualService: VirtualService, service: Service, routes: readonly Route[]): Wish {
    return { claim: this.#claim(service, hostOrigin(virtualService, service.hostname)), routes };
  }

  #defaultWishes(service: Service): readonly Wish[] {
    const servicePort = portOf(service, this.#port);
    if (servicePort === undefined || !isRoutable(servicePort.protocol)) return NO_WISHES;
    const routes = buildDefaultRoutes(service, servicePort, this.#context);
    return [{ claim: this.#claim(service, { key: service.key, path: service.path }), routes }];
  }

  #claim(service: Service, origin: Origin): Wish["claim"] {
    return {
      host: service.hostname,
      service,
      isForeign: false,
      name: hostAndPort(service.hostname, this.#port),
      domains: serviceDomains(service, this.#input.client),
      origin,
    };
  }
}

const NO_WISHES: readonly Wish[] = [];

/** Claims of one VirtualService and service follow from the two, which the cell is for. */
function isSameWishes(last: readonly Wish[], next: readonly Wish[]): boolean {
  return (
    last.length === next.length &&
    last.every(
      ({ claim, routes }, index) =>
        next[index]?.routes === routes &&
        next[index]?.claim.service === claim.service &&
        next[index]?.claim.name === claim.name,
    )
  );
}

/** Whether a host is a service, or a wildcard that some service is within. */
function isOfRegistry(host: string, services: ReadonlyMap<string, Service>): boolean {
  if (!isWildcard(host)) return services.has(host);
  for (const hostname of services.keys()) {
    if (isWithin(hostname, host)) return true;
  }
  return false;
}

function isRoutableOn(service: Service, number: number): boolean {
  const port = portOf(service, number);
  return port !== undefined && isRoutable(port.protocol);
}

function hostOrigin({ key, hosts }: VirtualService, host: string): Origin {
  const index = hosts.indexOf(host);
  return { key, path: index < 0 ? "spec.hosts" : `spec.hosts[${index}]` };
}

const NO_NAMES: ReadonlySet<string> = new Set();
const NO_SERVICES: ReadonlyMap<string, Service> = new Map();

const wildcardsOf = memoise((services: ReadonlyMap<string, Service>): readonly string[] =>
  [...services.keys()].filter(isWildcard),
);

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
