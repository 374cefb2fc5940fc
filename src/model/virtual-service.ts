import type { Issue } from "../base/issue.ts";
import { memoise } from "../base/memo.ts";
import type { Destination } from "../config/destination.ts";
import type { HttpMatch as HttpMatchRequest, HttpRoute } from "../config/http-route.ts";
import type { L4Match as L4MatchRequest, TcpRoute, TlsRoute } from "../config/l4-route.ts";
import { keyOf, type ObjectKey } from "../config/object.ts";
import type { VirtualService as VirtualServiceObject } from "../config/virtual-service.ts";
import { resolveHost } from "./host.ts";
import type { Labels } from "./labels.ts";
import { DEFAULT_SETTINGS } from "./mesh-settings.ts";
import { buildRouteMatch, MATCH_ALL, type RouteMatch } from "./route-match.ts";
import { resolveVisibility, type Visibility } from "./visibility.ts";

/** The word for all sidecars, where a gateway's name may stand. */
export const MESH_GATEWAY = "mesh";

/** One VirtualService: names in full, matches checked, what cannot be served left out. */
export interface VirtualService {
  readonly key: ObjectKey;
  readonly object: VirtualServiceObject;
  readonly namespace: string;
  /** Who may see it, and so is routed by it. */
  readonly visibility: Visibility;
  readonly hosts: readonly string[];
  /** `namespace/name`, or `mesh`. */
  readonly gateways: readonly string[];
  readonly rules: readonly HttpRule[];
  /** For TLS that is passed on as it is. */
  readonly tlsRules: readonly TlsRule[];
  /** For connections of any protocol. */
  readonly tcpRules: readonly TcpRule[];
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
export interface HttpMatch extends SourceMatch {
  /** The place of the entry, or of the rule when it has none. */
  readonly path: string;
  readonly name: string;
  readonly match: RouteMatch;
}

/** Which clients a `match` entry is for, and where. */
export interface SourceMatch {
  /** Gateways that the entry is for; absent: those of the whole object, for the clients below. */
  readonly gateways: readonly string[] | undefined;
  /** The port that the client asks for; absent: every port. */
  readonly port: number | undefined;
  /** Labels that the client has; looked at only without `gateways`, as in Istio. */
  readonly sourceLabels: Labels;
  /** Looked at only without `gateways`, as in Istio. */
  readonly sourceNamespace: string | undefined;
}

/** One entry of `tls`. */
export interface TlsRule {
  readonly path: string;
  /** Alternatives; never empty. */
  readonly matches: readonly TlsMatch[];
  /** Never empty, and of several each has a weight. */
  readonly destinations: readonly RuleDestination[];
}

/** One entry of `tcp`. */
export interface TcpRule {
  readonly path: string;
  /** Alternatives; never empty: without any in the object, one that takes all connections. */
  readonly matches: readonly L4Match[];
  /** Never empty, and of several each has a weight. */
  readonly destinations: readonly RuleDestination[];
}

/** Which connections a rule is for. */
export interface L4Match extends SourceMatch {
  readonly path: string;
  /** Addresses or CIDR ranges as written; empty: every address. */
  readonly destinationSubnets: readonly string[];
}

/** Which TLS connections a rule is for. */
export interface TlsMatch extends L4Match {
  /** Names or wildcards in lower case; never empty. */
  readonly sniHosts: readonly string[];
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

/**
 * The VirtualService of an object; `exportTo` is what the mesh says where the object says nothing.
 */
export function buildVirtualService(
  object: VirtualServiceObject,
  exportTo: readonly string[] = DEFAULT_SETTINGS.exportTo.virtualService,
): VirtualService {
  return build(object, exportTo);
}

const build = memoise(
  (object: VirtualServiceObject, exportTo: readonly string[]): VirtualService => {
    const namespace = object.metadata.namespace ?? "";
    const { hosts, gateways, http, tls, tcp } = object.spec;
    const issues: Issue[] = [];
    return {
      key: keyOf(object),
      object,
      namespace,
      visibility: resolveVisibility(object.spec.exportTo, namespace, exportTo),
      hosts: (hosts ?? []).map((host) => resolveHost(host, namespace)),
      gateways: resolveGateways(gateways ?? [], namespace, [MESH_GATEWAY]),
      rules: (http ?? []).flatMap((route, index) =>
        buildRule(route, `spec.http[${index}]`, namespace, issues),
      ),
      tlsRules: (tls ?? []).flatMap((route, index) =>
        buildTlsRule(route, `spec.tls[${index}]`, namespace, issues),
      ),
      tcpRules: (tcp ?? []).flatMap((route, index) =>
        buildTcpRule(route, `spec.tcp[${index}]`, namespace, issues),
      ),
      issues,
    };
  },
);

/** Gateways' names in full: without a namespace it is the object's own. */
function resolveGateways(
  names: readonly string[],
  namespace: string,
  whenNone: readonly string[],
): readonly string[] {
  if (names.length === 0) return whenNone;
  return names.map((name) => resolveGateway(name, namespace));
}

/** One gateway's name in full; `name.namespace`, with more behind it or not, is an older form. */
export function resolveGateway(name: string, namespace: string): string {
  if (name === MESH_GATEWAY) return name;
  if (name.includes("/")) return name.startsWith("./") ? `${namespace}${name.slice(1)}` : name;
  const [own = name, other = namespace] = name.split(".");
  return `${other}/${own}`;
}

function buildRule(
  route: HttpRoute,
  path: string,
  namespace: string,
  issues: Issue[],
): readonly HttpRule[] {
  const destinations = buildDestinations(route, path, namespace);
  if (destinations.length === 0) {
    issues.push({ path: `${path}.route`, message: NO_DESTINATION });
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
    ...sourceOf(request, namespace),
  };
}

function sourceOf(
  { gateways = [], port, sourceLabels = {}, sourceNamespace }: HttpMatchRequest | L4MatchRequest,
  namespace: string,
): SourceMatch {
  return {
    gateways: gateways.length === 0 ? undefined : resolveGateways(gateways, namespace, []),
    port: port === 0 ? undefined : port,
    sourceLabels,
    sourceNamespace: sourceNamespace === "" ? undefined : sourceNamespace,
  };
}

const NO_DESTINATION = "no destination has a weight above 0: the rule is left out";

function buildTlsRule(
  route: TlsRoute,
  path: string,
  namespace: string,
  issues: Issue[],
): readonly TlsRule[] {
  const destinations = buildDestinations(route, path, namespace);
  if (destinations.length === 0) issues.push({ path: `${path}.route`, message: NO_DESTINATION });
  const matches = route.match.flatMap((match, index): readonly TlsMatch[] => {
    const at = `${path}.match[${index}]`;
    const sniHosts = match.sniHosts.map((host) => host.toLowerCase());
    if (sniHosts.length > 0) return [{ ...l4MatchOf(match, at, namespace), sniHosts }];
    const message = "must name the hosts that clients ask for: the match is left out";
    issues.push({ path: `${at}.sniHosts`, message });
    return [];
  });
  if (matches.length === 0 || destinations.length === 0) return [];
  return [{ path, matches, destinations }];
}

function buildTcpRule(
  route: TcpRoute,
  path: string,
  namespace: string,
  issues: Issue[],
): readonly TcpRule[] {
  const destinations = buildDestinations(route, path, namespace);
  if (destinations.length === 0) {
    issues.push({ path: `${path}.route`, message: NO_DESTINATION });
    return [];
  }
  const { match = [] } = route;
  for (const [index, { sourceSubnet = "" }] of match.entries()) {
    if (sourceSubnet === "") continue;
    const message = "has no effect, as in Istio: use sourceLabels or sourceNamespace";
    issues.push({ path: `${path}.match[${index}].sourceSubnet`, message, severity: "warning" });
  }
  const matches =
    match.length === 0
      ? [l4MatchOf({}, path, namespace)]
      : match.map((one, index) => l4MatchOf(one, `${path}.match[${index}]`, namespace));
  return [{ path, matches, destinations }];
}

function l4MatchOf(match: L4MatchRequest, path: string, namespace: string): L4Match {
  const { destinationSubnets = [] } = match;
  return { ...sourceOf(match, namespace), path, destinationSubnets };
}

function buildDestinations(
  { route }: Pick<HttpRoute | TlsRoute, "route">,
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
