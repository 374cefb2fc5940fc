import type { Issue } from "../../base/issue.ts";
import type {
  L4Match as L4MatchRequest,
  RouteDestination,
  TcpRoute,
  TlsRoute,
} from "../../config/l4-route.ts";
import type { L4Match, RuleDestination, TcpRule, TlsMatch, TlsRule } from "../virtual-service.ts";
import { sourceOf, targetOf, weightProblem, withWeight } from "./names.ts";

/** One entry of `tls`, or none when nothing of it can be served. */
export function buildTlsRule(
  route: TlsRoute,
  path: string,
  namespace: string,
  issues: Issue[],
): readonly TlsRule[] {
  const destinations = buildDestinations(route.route, path, namespace, issues);
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

/** One entry of `tcp`, or none when nothing of it can be served. */
export function buildTcpRule(
  route: TcpRoute,
  path: string,
  namespace: string,
  issues: Issue[],
): readonly TcpRule[] {
  const destinations = buildDestinations(route.route, path, namespace, issues);
  if (destinations.length === 0) return [];
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
  route: readonly RouteDestination[] = [],
  path: string,
  namespace: string,
  issues: Issue[],
): readonly RuleDestination[] {
  const all = route.map(({ destination, weight }, index) => ({
    ...targetOf(destination, namespace),
    path: `${path}.route[${index}].destination`,
    weight: weight ?? 0,
  }));
  const problem = weightProblem(all.map(({ weight }) => weight));
  if (problem === undefined) return withWeight(all);
  issues.push({ path: `${path}.route`, message: problem });
  return [];
}
