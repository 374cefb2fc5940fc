import { memoise } from "../../base/memo.ts";
import { clusterName } from "../cluster.ts";
import type { Origin } from "../origin.ts";
import { NO_OPERATIONS, NO_REWRITE, type RetryPolicy, type Route } from "../route.ts";
import { isCatchAll, MATCH_ALL, type RouteMatch } from "../route-match.ts";
import type { Service, ServicePort } from "../service.ts";
import type { HttpMatch, HttpRule, RuleDestination, VirtualService } from "../virtual-service.ts";
import type { RouteContext } from "./route-context.ts";
import { isForSource } from "./source-match.ts";

/** Istio's default: what failed before it reached an app is tried again, elsewhere. */
const DEFAULT_RETRY: RetryPolicy = {
  conditions: "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
  statusCodes: [],
  attempts: 2,
  perTryTimeoutMs: 0,
  backoffMs: undefined,
  isElsewhere: true,
  isInOtherLocalities: false,
};

/** The route of a service port that no VirtualService speaks of. */
export function buildDefaultRoutes(
  service: Service,
  port: ServicePort,
  _context: RouteContext,
): readonly Route[] {
  return defaultRoutes(service, port);
}

const defaultRoutes = memoise((service: Service, port: ServicePort): readonly Route[] => {
  const origin = { key: service.key, path: service.path };
  const name = clusterName(port.number, "", service.hostname);
  return [
    {
      ...PLAIN,
      name: "default",
      match: MATCH_ALL,
      action: forward([{ name, weight: 100, origin }]),
      operation: `${service.hostname}:${port.number}/*`,
      origin,
    },
  ];
});

const PLAIN = {
  requestHeaders: NO_OPERATIONS,
  responseHeaders: NO_OPERATIONS,
  cors: undefined,
  fault: undefined,
  statPrefix: "",
};

function forward(
  clusters: readonly { name: string; weight: number; origin: Origin }[],
): Route["action"] {
  return {
    type: "forward",
    clusters: clusters.map((cluster) => ({
      ...cluster,
      requestHeaders: NO_OPERATIONS,
      responseHeaders: NO_OPERATIONS,
    })),
    timeoutMs: 0,
    retry: DEFAULT_RETRY,
    rewrite: NO_REWRITE,
    mirrors: [],
    hashKeys: [],
    isHostOfUpstream: false,
  };
}

/**
 * The routes that a VirtualService gives a host on a port of a gateway (`mesh` or its name) that
 * it is bound to, in order; those after one that takes everything are left out. The same value as
 * before when nothing that it depends on changed.
 */
export function buildHttpRoutes(
  virtualService: VirtualService,
  context: RouteContext,
): readonly Route[] {
  const { listenPort, services } = context;
  const applies = virtualService.rules.map((rule) =>
    rule.matches.map((match) => isForSource(match, context)),
  );
  const ports = virtualService.rules.map((rule) =>
    rule.destinations.map((destination) => destinationPort(destination, listenPort, services)),
  );
  // What the routes depend on besides the object, as text: few different ones per object.
  return buildRoutes(virtualService, listenPort, JSON.stringify({ applies, ports }));
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
  const clusters = rule.destinations.map(({ host, subset, weight, path }, index) => ({
    name: clusterName(ports[index] ?? listenPort, subset, host),
    weight,
    origin: { key, path },
  }));
  const [first] = rule.destinations;
  // With several destinations there is no one host to name: the object stands for them.
  const target =
    clusters.length === 1 && first !== undefined
      ? `${first.host}:${ports[0] ?? listenPort}`
      : `${object.metadata.name}:${listenPort}`;
  return {
    ...PLAIN,
    name: match.name === "" ? rule.name : `${rule.name}.${match.name}`,
    match: match.match,
    action: forward(clusters),
    operation: `${target}${pathText(match.match)}`,
    origin: { key, path: match.path },
  };
}

function pathText({ path }: RouteMatch): string {
  return path.type === "prefix" ? `${path.value}*` : path.value;
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
