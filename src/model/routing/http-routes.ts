import { memoise } from "../../base/memo.ts";
import type { HttpRetry } from "../../config/http-route.ts";
import { clusterName } from "../cluster.ts";
import { findRule, policyOf } from "../destination-rule.ts";
import { NO_OPERATIONS, NO_REWRITE, type Route } from "../route.ts";
import { isCatchAll, MATCH_ALL } from "../route-match.ts";
import type { Service, ServicePort } from "../service.ts";
import type { HashKey } from "../traffic-policy.ts";
import type {
  HttpMatch,
  HttpRule,
  RuleDestination,
  SourceMatch,
  VirtualService,
} from "../virtual-service.ts";
import { buildRoute, buildRouteParts, type RouteFacts, type RouteParts } from "./http-route.ts";
import { resolveDestination } from "./resolve-destination.ts";
import { buildRetryPolicy } from "./retry-policy.ts";
import type { RouteContext } from "./route-context.ts";
import { isForSource } from "./source-match.ts";

/** The route of a service port that no VirtualService speaks of. */
export function buildDefaultRoutes(
  service: Service,
  port: ServicePort,
  { mesh, proxy }: RouteContext,
): readonly Route[] {
  const rule = findRule(mesh.rules, service, proxy.namespace, proxy.labels);
  const { hashKey } = policyOf(rule, port.number, "");
  return defaultRoutes(service, port, mesh.settings.defaultRetry, hashKey);
}

const defaultRoutes = memoise(
  (
    service: Service,
    port: ServicePort,
    retry: HttpRetry | undefined,
    hashKey: HashKey | undefined,
  ): readonly Route[] => {
    const origin = { key: service.key, path: service.path };
    return [
      {
        name: "default",
        match: MATCH_ALL,
        action: {
          type: "forward",
          clusters: [
            {
              name: clusterName(port.number, "", service.hostname),
              weight: 100,
              requestHeaders: NO_OPERATIONS,
              responseHeaders: NO_OPERATIONS,
              origin,
            },
          ],
          timeoutMs: 0,
          retry: buildRetryPolicy(retry, false),
          rewrite: NO_REWRITE,
          mirrors: [],
          hashKeys: hashKey === undefined ? [] : [hashKey],
          isHostOfUpstream: false,
        },
        requestHeaders: NO_OPERATIONS,
        responseHeaders: NO_OPERATIONS,
        cors: undefined,
        fault: undefined,
        operation: `${service.hostname}:${port.number}/*`,
        statPrefix: "",
        origin,
      },
    ];
  },
);

/**
 * The routes that a VirtualService gives a host on a port of a gateway (`mesh` or its name) that
 * it is bound to, in order; those after one that takes everything are left out. The same value as
 * before when nothing that it depends on changed, and for all proxies for which that is the same.
 */
export function buildHttpRoutes(
  virtualService: VirtualService,
  context: RouteContext,
): readonly Route[] {
  const { sources, destinations } = needsOf(virtualService);
  const { listenPort, isTls = false, mesh } = context;
  const facts: RouteFacts = {
    listenPort,
    isTls,
    defaultRetry: mesh.settings.defaultRetry,
    applies: sources.map((source) => isForSource(source, context)),
    targets: destinations.map((destination) => resolveDestination(destination, context)),
  };
  // As text: few different ones per object.
  return buildRoutes(virtualService, JSON.stringify(facts));
}

/** What the routes of a VirtualService depend on besides the object; each thing once. */
interface Needs {
  readonly sources: readonly SourceMatch[];
  readonly sourceIndex: ReadonlyMap<HttpMatch, number>;
  readonly destinations: readonly RuleDestination[];
  readonly destinationIndex: ReadonlyMap<RuleDestination, number>;
}

const needsOf = memoise(({ rules }: VirtualService): Needs => {
  const matches = rules.flatMap((rule) => rule.matches);
  const named = rules.flatMap(namedBy);
  const sources = indexed(matches, ({ gateways, port, sourceLabels, sourceNamespace }) =>
    JSON.stringify([gateways, port, sourceLabels, sourceNamespace]),
  );
  const destinations = indexed(named, ({ host, subset, port }) => `${host}|${subset}|${port}`);
  return {
    sources: sources.distinct,
    sourceIndex: sources.index,
    destinations: destinations.distinct,
    destinationIndex: destinations.index,
  };
});

function namedBy({ destinations, mirrors }: HttpRule): readonly RuleDestination[] {
  return [...destinations, ...mirrors.map(({ destination }) => destination)];
}

/** Those that differ, and for each of all the place of the one that is like it. */
function indexed<T>(
  all: readonly T[],
  textOf: (value: T) => string,
): { readonly distinct: readonly T[]; readonly index: ReadonlyMap<T, number> } {
  const distinct: T[] = [];
  const places = new Map<string, number>();
  const index = new Map<T, number>();
  for (const value of all) {
    const text = textOf(value);
    const place = places.get(text) ?? distinct.length;
    if (place === distinct.length) {
      places.set(text, place);
      distinct.push(value);
    }
    index.set(value, place);
  }
  return { distinct, index };
}

const buildRoutes = memoise((virtualService: VirtualService, text: string): readonly Route[] => {
  const facts = JSON.parse(text) as RouteFacts;
  const { sourceIndex, destinationIndex } = needsOf(virtualService);
  const targetOf = (destination: RuleDestination) =>
    facts.targets[destinationIndex.get(destination) ?? -1];
  const routes: Route[] = [];
  for (const rule of virtualService.rules) {
    // What all alternatives of a rule have in common is one value.
    let parts: RouteParts | undefined;
    for (const match of rule.matches) {
      if (facts.applies[sourceIndex.get(match) ?? -1] !== true) continue;
      parts ??= buildRouteParts(virtualService, rule, facts, targetOf);
      const route = buildRoute(virtualService, rule, match, parts);
      routes.push(route);
      if (isCatchAll(route.match)) return routes;
    }
  }
  return routes;
});
