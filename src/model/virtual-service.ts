import type { Issue } from "../base/issue.ts";
import { memoise } from "../base/memo.ts";
import type { Destination } from "../config/destination.ts";
import type { HttpMatch as HttpMatchRequest, HttpRoute } from "../config/http-route.ts";
import { keyOf, type ObjectKey } from "../config/object.ts";
import type { VirtualService as VirtualServiceObject } from "../config/virtual-service.ts";
import { resolveHost } from "./host.ts";
import { buildRouteMatch, MATCH_ALL, type RouteMatch } from "./route-match.ts";

/** The word for all sidecars, where a gateway's name may stand. */
export const MESH_GATEWAY = "mesh";

/** One VirtualService: names in full, matches checked, what cannot be served left out. */
export interface VirtualService {
  readonly key: ObjectKey;
  readonly object: VirtualServiceObject;
  readonly namespace: string;
  readonly hosts: readonly string[];
  /** `namespace/name`, or `mesh`. */
  readonly gateways: readonly string[];
  readonly rules: readonly HttpRule[];
  /** Why rules were left out. */
  readonly issues: readonly Issue[];
}

/** One entry of `http`. */
export interface HttpRule {
  readonly path: string;
  readonly name: string;
  /** Alternatives, in order; never empty. */
  readonly matches: readonly HttpMatch[];
  /** Where to; never empty, and of several each has a weight. */
  readonly destinations: readonly RuleDestination[];
}

/** One entry of `match`; a rule without any has one that takes all. */
export interface HttpMatch {
  /** The place of the entry, or of the rule when it has none. */
  readonly path: string;
  readonly name: string;
  readonly match: RouteMatch;
  /** Gateways that the entry is for; absent: those of the whole object. */
  readonly gateways: readonly string[] | undefined;
  readonly port: number | undefined;
}

/** One weighted destination. */
export interface RuleDestination {
  readonly path: string;
  readonly host: string;
  /** "" for all endpoints. */
  readonly subset: string;
  /** Absent: the service's only port, else the port that was asked for. */
  readonly port: number | undefined;
  readonly weight: number;
}

/** The VirtualService of an object. */
export const buildVirtualService = memoise((object: VirtualServiceObject): VirtualService => {
  const namespace = object.metadata.namespace ?? "";
  const { hosts, gateways, http } = object.spec;
  const issues: Issue[] = [];
  return {
    key: keyOf(object),
    object,
    namespace,
    hosts: (hosts ?? []).map((host) => resolveHost(host, namespace)),
    gateways: resolveGateways(gateways ?? [], namespace, [MESH_GATEWAY]),
    rules: (http ?? []).flatMap((route, index) =>
      buildRule(route, `spec.http[${index}]`, namespace, issues),
    ),
    issues,
  };
});

/** Gateways' names in full: without a namespace it is the object's own. */
function resolveGateways(
  names: readonly string[],
  namespace: string,
  whenNone: readonly string[],
): readonly string[] {
  if (names.length === 0) return whenNone;
  return names.map((name) => resolveGateway(name, namespace));
}

/** One gateway's name in full. */
export function resolveGateway(name: string, namespace: string): string {
  if (name === MESH_GATEWAY) return name;
  if (name.includes("/")) return name.startsWith("./") ? `${namespace}${name.slice(1)}` : name;
  return `${namespace}/${name}`;
}

function buildRule(
  route: HttpRoute,
  path: string,
  namespace: string,
  issues: Issue[],
): readonly HttpRule[] {
  const destinations = buildDestinations(route, path, namespace);
  if (destinations.length === 0) {
    const message = "no destination has a weight above 0: the rule is left out";
    issues.push({ path: `${path}.route`, message });
    return [];
  }
  const matches =
    route.match === undefined || route.match.length === 0
      ? [{ ...matchOf({}, namespace), path, match: MATCH_ALL }]
      : route.match.flatMap((request, index) => {
          const at = `${path}.match[${index}]`;
          const match = buildRouteMatch(request, at);
          if (match.ok) return [{ ...matchOf(request, namespace), path: at, match: match.value }];
          // Left out alone: with it a proxy would refuse the routes of all other hosts too.
          issues.push(...match.issues);
          return [];
        });
  if (matches.length === 0) return [];
  return [{ path, name: route.name ?? "", matches, destinations }];
}

function matchOf(request: HttpMatchRequest, namespace: string): Omit<HttpMatch, "path" | "match"> {
  return {
    name: request.name ?? "",
    gateways:
      request.gateways === undefined || request.gateways.length === 0
        ? undefined
        : resolveGateways(request.gateways, namespace, []),
    port: request.port,
  };
}

function buildDestinations(
  { route }: HttpRoute,
  path: string,
  namespace: string,
): readonly RuleDestination[] {
  const all = (route ?? []).map(({ destination, weight }, index) => ({
    ...destinationOf(destination, namespace),
    path: `${path}.route[${index}].destination`,
    weight: weight ?? 0,
  }));
  // One destination gets everything, whatever its weight; of several, weight 0 gets nothing.
  return all.length === 1 ? all : all.filter(({ weight }) => weight > 0);
}

function destinationOf(
  { host, subset, port }: Destination,
  namespace: string,
): Omit<RuleDestination, "path" | "weight"> {
  return { host: resolveHost(host, namespace), subset: subset ?? "", port: port?.number };
}
