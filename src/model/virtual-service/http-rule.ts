import type { Issue } from "../../base/issue.ts";
import type { HttpMatch as HttpMatchRequest, HttpRoute } from "../../config/http-route.ts";
import type { ObjectKey } from "../../config/object.ts";
import { buildRouteMatch, MATCH_ALL } from "../route-match.ts";
import type { HttpDestination, HttpMatch, HttpRule, RuleMirror } from "../virtual-service.ts";
import { buildCorsPolicy } from "./cors-policy.ts";
import { buildHeaders } from "./header-operations.ts";
import { buildHttpFault, perMillionOf, perMillionOfPercent } from "./http-fault.ts";
import { sourceOf, targetOf, weightProblem, withWeight } from "./names.ts";
import { buildAction } from "./rule-action.ts";

/** A rule as it is written, and where. */
export interface WrittenRule {
  readonly route: HttpRoute;
  /** What its `match` holds, each with its place. */
  readonly matches: readonly WrittenMatch[];
  readonly key: ObjectKey;
  readonly path: string;
  readonly delegatedAt: string | undefined;
  /** Whether a prefix takes whole segments of a path only. */
  readonly hasSeparatedPrefixes: boolean;
}

/** One entry of `match`, and where it stands. */
export interface WrittenMatch {
  readonly request: HttpMatchRequest;
  readonly path: string;
}

/** The rule, or none when a proxy would refuse a part of it: the rules beside it go on. */
export function buildHttpRule(written: WrittenRule, issues: Issue[]): readonly HttpRule[] {
  const { route, key, path, delegatedAt } = written;
  const { namespace } = key;
  const wrong: Issue[] = [];
  const headers = buildHeaders(route.headers, `${path}.headers`, wrong);
  const action = buildAction(route, path, headers.authority, wrong);
  const destinations =
    action.type === "forward" ? buildDestinations(route, path, namespace, wrong) : [];
  const rule: HttpRule = {
    key,
    path,
    delegatedAt,
    name: route.name ?? "",
    matches: buildMatches(written, namespace, issues),
    action,
    destinations,
    mirrors: action.type === "forward" ? buildMirrors(route, path, namespace) : [],
    requestHeaders: headers.request,
    responseHeaders: headers.response,
    cors: buildCorsPolicy(route.corsPolicy, `${path}.corsPolicy`, wrong),
    fault: buildHttpFault(route.fault, `${path}.fault`, wrong),
  };
  issues.push(...wrong);
  const isRefused = wrong.some(({ severity }) => severity !== "warning");
  return isRefused || rule.matches.length === 0 ? [] : [rule];
}

function buildMatches(
  { matches, path, hasSeparatedPrefixes }: WrittenRule,
  namespace: string,
  issues: Issue[],
): readonly HttpMatch[] {
  if (matches.length === 0) {
    return [{ ...sourceOf({}, namespace), path, name: "", match: MATCH_ALL, statPrefix: "" }];
  }
  return matches.flatMap(({ request, path: at }): readonly HttpMatch[] => {
    const match = buildRouteMatch(request, at, hasSeparatedPrefixes);
    if (!match.ok) {
      // Left out alone: with it a proxy would refuse the routes of all other hosts too.
      issues.push(...match.issues);
      return [];
    }
    const { name = "", statPrefix = "" } = request;
    return [{ ...sourceOf(request, namespace), path: at, name, match: match.value, statPrefix }];
  });
}

function buildDestinations(
  { route = [] }: HttpRoute,
  path: string,
  namespace: string,
  issues: Issue[],
): readonly HttpDestination[] {
  const all = route.map(({ destination, weight, headers: written }, index): HttpDestination => {
    const at = `${path}.route[${index}]`;
    const headers = buildHeaders(written, `${at}.headers`, issues);
    return {
      ...targetOf(destination, namespace),
      path: `${at}.destination`,
      weight: weight ?? 0,
      requestHeaders: headers.request,
      responseHeaders: headers.response,
      authority: headers.authority,
    };
  });
  const problem = weightProblem(all.map(({ weight }) => weight));
  if (problem === undefined) return withWeight(all);
  issues.push({ path: `${path}.route`, message: problem });
  return [];
}

/** `mirror` first, then `mirrors`; those of 0 percent are none. */
function buildMirrors(route: HttpRoute, path: string, namespace: string): readonly RuleMirror[] {
  const { mirror, mirrors = [] } = route;
  const older =
    mirror === undefined
      ? []
      : [
          {
            destination: { ...targetOf(mirror, namespace), path: `${path}.mirror`, weight: 0 },
            perMillion: mirrorPerMillion(route),
          },
        ];
  const newer = mirrors.map(({ destination, percentage }, index) => ({
    destination: {
      ...targetOf(destination, namespace),
      path: `${path}.mirrors[${index}].destination`,
      weight: 0,
    },
    perMillion: percentage === undefined ? perMillionOfPercent(100) : perMillionOf(percentage),
  }));
  return [...older, ...newer].filter(({ perMillion }) => perMillion > 0);
}

function mirrorPerMillion(route: HttpRoute): number {
  const { mirrorPercentage, mirrorPercent = route.mirror_percent ?? 100 } = route;
  return mirrorPercentage === undefined
    ? perMillionOfPercent(mirrorPercent)
    : perMillionOf(mirrorPercentage);
}
