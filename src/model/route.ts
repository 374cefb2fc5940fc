import { memoise } from "../base/memo.ts";
import { clusterName } from "./cluster.ts";
import type { Origin } from "./origin.ts";
import { isCatchAll, MATCH_ALL, type RouteMatch } from "./route-match.ts";
import type { Service, ServicePort } from "./service.ts";
import type { HttpMatch, HttpRule, RuleDestination, VirtualService } from "./virtual-service.ts";

/** One route of a virtual host: requests that match go to the clusters, by weight. */
export interface Route {
  /** "" for a rule without a name. */
  readonly name: string;
  readonly match: RouteMatch;
  /** Never empty. Clusters need not exist: their requests are answered 503 then. */
  readonly clusters: readonly { readonly name: string; readonly weight: number }[];
  /** What traces call the request: `reviews.default.svc.cluster.local:9080/*`. */
  readonly operation: string;
  readonly origin: Origin;
}

/** The routes for some hosts. */
export interface VirtualHost {
  readonly name: string;
  readonly domains: readonly string[];
  readonly routes: readonly Route[];
}

/** The route of a service port that no VirtualService speaks of. */
export const defaultRoute = memoise((service: Service, port: ServicePort): readonly Route[] => [
  {
    name: "default",
    match: MATCH_ALL,
    clusters: [{ name: clusterName(port.number, "", service.hostname), weight: 100 }],
    operation: `${service.hostname}:${port.number}/*`,
    origin: { key: service.key, path: "" },
  },
]);

/**
 * The routes that a VirtualService gives a host on a port of a gateway (`mesh` or its name) that
 * it is bound to, in order; those after one that takes
 * everything are left out. The same value as before when nothing that it depends on changed.
 */
export function routesOf(
  virtualService: VirtualService,
  port: number,
  gateway: string,
  services: ReadonlyMap<string, Service>,
): readonly Route[] {
  const applies = virtualService.rules.map((rule) =>
    rule.matches.map((match) => isFor(match, port, gateway)),
  );
  const ports = virtualService.rules.map((rule) =>
    rule.destinations.map((destination) => destinationPort(destination, port, services)),
  );
  // What the routes depend on besides the object, as text: few different ones per object.
  return buildRoutes(virtualService, port, JSON.stringify({ applies, ports }));
}

const buildRoutes = memoise(
  (virtualService: VirtualService, port: number, resolved: string): readonly Route[] => {
    const { applies, ports } = JSON.parse(resolved) as {
      applies: readonly (readonly boolean[])[];
      ports: readonly (readonly number[])[];
    };
    const routes: Route[] = [];
    for (const [ruleIndex, rule] of virtualService.rules.entries()) {
      for (const [matchIndex, match] of rule.matches.entries()) {
        if (applies[ruleIndex]?.[matchIndex] !== true) continue;
        const route = buildRoute(virtualService, rule, match, ports[ruleIndex] ?? [], port);
        routes.push(route);
        if (isCatchAll(route.match)) return routes;
      }
    }
    return routes;
  },
);

function buildRoute(
  { key, object }: VirtualService,
  rule: HttpRule,
  match: HttpMatch,
  ports: readonly number[],
  listenPort: number,
): Route {
  const clusters = rule.destinations.map(({ host, subset, weight }, index) => ({
    name: clusterName(ports[index] ?? listenPort, subset, host),
    weight,
  }));
  const [first] = rule.destinations;
  // With several destinations there is no one host to name: the object stands for them.
  const target =
    clusters.length === 1 && first !== undefined
      ? `${first.host}:${ports[0] ?? listenPort}`
      : `${object.metadata.name}:${listenPort}`;
  return {
    name: match.name === "" ? rule.name : `${rule.name}.${match.name}`,
    match: match.match,
    clusters,
    operation: `${target}${pathText(match.match)}`,
    origin: { key, path: match.path },
  };
}

function pathText({ path }: RouteMatch): string {
  return path.type === "prefix" ? `${path.value}*` : path.value;
}

function isFor({ gateways, port }: HttpMatch, listenPort: number, gateway: string): boolean {
  if (port !== undefined && port !== listenPort) return false;
  return gateways === undefined || gateways.includes(gateway);
}

/** The port of a destination that names none: the service's only one, else the one asked for. */
function destinationPort(
  { host, port }: RuleDestination,
  listenPort: number,
  services: ReadonlyMap<string, Service>,
): number {
  if (port !== undefined) return port;
  const ports = services.get(host)?.ports ?? [];
  return (ports.length === 1 ? ports[0]?.number : undefined) ?? listenPort;
}
