import type { HttpMatch, HttpRoute } from "../../config/http-route.ts";
import type { StringMatch } from "../../config/string-match.ts";
import { resolveHost } from "../host.ts";
import { resolveGateway } from "../virtual-service.ts";
import type { WrittenMatch } from "./http-rule.ts";

/** Fields that the rules of a delegate have from the rule that delegates, where they say nothing. */
const INHERITED = [
  "rewrite",
  "directResponse",
  "timeout",
  "retries",
  "fault",
  "mirror",
  "mirrorPercent",
  "mirror_percent",
  "mirrorPercentage",
  "mirrors",
  "corsPolicy",
  "headers",
] as const satisfies readonly (keyof HttpRoute)[];

/** A rule of a delegate with all that it has from the rule that delegates to it. */
export function mergeRoute(root: HttpRoute, rootNamespace: string, own: HttpRoute): HttpRoute {
  const inherited = Object.fromEntries(
    Object.entries(withFullHosts(root, rootNamespace)).filter(
      ([field, value]) => value !== undefined && INHERITED.some((one) => one === field),
    ),
  );
  const name = joinNames(root.name, own.name);
  return { ...inherited, ...own, ...(name === "" ? {} : { name }) };
}

/** Short names mean services of the namespace that they are written in. */
function withFullHosts(route: HttpRoute, namespace: string): HttpRoute {
  const { mirror, mirrors } = route;
  return {
    ...route,
    ...(mirror !== undefined && {
      mirror: { ...mirror, host: resolveHost(mirror.host, namespace) },
    }),
    ...(mirrors !== undefined && {
      mirrors: mirrors.map(({ destination, ...rest }) => ({
        ...rest,
        destination: { ...destination, host: resolveHost(destination.host, namespace) },
      })),
    }),
  };
}

function joinNames(root = "", own = ""): string {
  return root === "" || own === "" ? `${root}${own}` : `${root}-${own}`;
}

/**
 * What both a rule and its delegate's rule ask for: every pair of their entries that does not
 * contradict itself. `undefined` where an entry of the delegate is within none of the root's,
 * which makes the whole rule of the delegate void, as in Istio. `ownPath` is the delegate's rule.
 */
export function mergeMatches(
  root: readonly WrittenMatch[],
  own: readonly WrittenMatch[],
  ownPath: string,
): readonly WrittenMatch[] | undefined {
  if (root.length === 0) return own;
  if (own.length === 0) return root.map(({ request }) => ({ request, path: ownPath }));
  const merged: WrittenMatch[] = [];
  for (const { request, path } of own) {
    const pairs = root.filter((outer) => !isConflict(outer.request, request));
    if (pairs.length === 0) return undefined;
    for (const outer of pairs) merged.push({ request: mergeMatch(outer.request, request), path });
  }
  return merged;
}

/** The entries of `match` with the gateways' names in full. */
export function writtenMatches(
  { match = [] }: HttpRoute,
  path: string,
  namespace: string,
): readonly WrittenMatch[] {
  return match.map((request, index) => ({
    path: `${path}.match[${index}]`,
    request:
      request.gateways === undefined
        ? request
        : {
            ...request,
            gateways: request.gateways.map((name) => resolveGateway(name, namespace)),
          },
  }));
}

const MAPS = ["headers", "withoutHeaders", "queryParams", "sourceLabels"] as const;

function mergeMatch(root: HttpMatch, own: HttpMatch): HttpMatch {
  const maps = MAPS.filter((field) => root[field] !== undefined || own[field] !== undefined).map(
    (field) => [field, { ...root[field], ...own[field] }],
  );
  const name = joinNames(root.name, own.name);
  const gateways = isEmpty(own.gateways) ? root.gateways : own.gateways;
  return {
    ...root,
    ...own,
    ...Object.fromEntries(maps),
    ...(gateways !== undefined && { gateways }),
    ...(own.port === 0 && root.port !== undefined && { port: root.port }),
    ...(name !== "" && { name }),
  };
}

function isEmpty(list: readonly unknown[] | undefined): boolean {
  return list === undefined || list.length === 0;
}

/** Whether no request that one asks for can be one that the other asks for. */
function isConflict(root: HttpMatch, own: HttpMatch): boolean {
  const isTextConflict = (["uri", "scheme", "method", "authority"] as const).some((field) =>
    isOutside(own[field], root[field]),
  );
  const isMapConflict = (["headers", "withoutHeaders", "queryParams"] as const).some((field) =>
    Object.entries(own[field] ?? {}).some(([name, match]) => isOutside(match, root[field]?.[name])),
  );
  return (
    isTextConflict ||
    isMapConflict ||
    (root.ignoreUriCase ?? false) !== (own.ignoreUriCase ?? false) ||
    isOtherPort(root.port ?? 0, own.port ?? 0) ||
    isOtherSource(root, own)
  );
}

function isOtherPort(root: number, own: number): boolean {
  return root !== 0 && own !== 0 && root !== own;
}

function isOtherSource(root: HttpMatch, own: HttpMatch): boolean {
  const { sourceNamespace = "", sourceLabels = {}, gateways = [] } = root;
  if (sourceNamespace !== "" && own.sourceNamespace !== sourceNamespace) return true;
  const isOtherLabel = Object.entries(own.sourceLabels ?? {}).some(
    ([name, value]) => (sourceLabels[name] ?? value) !== value,
  );
  if (isOtherLabel) return true;
  return gateways.length > 0 && (own.gateways ?? []).some((name) => !gateways.includes(name));
}

/**
 * Whether a text that `own` takes may be one that `root` does not. Regular expressions are not
 * compared: beside one, nothing else may be said.
 */
function isOutside(own: StringMatch | undefined, root: StringMatch | undefined): boolean {
  if (own === undefined || root === undefined) return false;
  const { exact = "", prefix = "", regex = "" } = own;
  if (regex !== "" || (root.regex ?? "") !== "") return true;
  if ((root.exact ?? "") !== "") return prefix !== "" || exact !== root.exact;
  const within = root.prefix ?? "";
  return within === "" || !(prefix === "" ? exact : prefix).startsWith(within);
}
