import type { Issue, Result } from "../base/issue.ts";
import type { HttpMatch } from "../config/http-route.ts";
import { checkRegex } from "../config/regex.ts";
import type { StringMatch } from "../config/string-match.ts";
import { compareText } from "./origin.ts";

/** How a text is compared; always with case. `regex` is RE2 and must match all of it. */
export interface TextMatch {
  readonly type: "exact" | "prefix" | "regex";
  readonly value: string;
}

/** A condition on one header or query parameter; without `text` it only has to be there. */
export interface NamedMatch {
  /** A header's name, or one of `:method`, `:authority`, `:scheme`. */
  readonly name: string;
  readonly text: TextMatch | undefined;
  /** Whether the condition must not hold; a header that is missing counts as empty then. */
  readonly isInverted: boolean;
}

/** Which requests a route takes: all conditions hold. */
export interface RouteMatch {
  readonly path: TextMatch;
  readonly isPathCaseIgnored: boolean;
  readonly headers: readonly NamedMatch[];
  readonly queryParams: readonly NamedMatch[];
}

/** Takes every request. */
export const MATCH_ALL: RouteMatch = {
  path: { type: "prefix", value: "/" },
  isPathCaseIgnored: false,
  headers: [],
  queryParams: [],
};

/** Whether a route with this match leaves nothing to the routes after it. */
export function isCatchAll({ path, headers, queryParams }: RouteMatch): boolean {
  const isAnyPath =
    (path.type === "prefix" && path.value === "/") ||
    (path.type === "regex" && path.value === ".*");
  return isAnyPath && headers.length === 0 && queryParams.length === 0;
}

/** The request conditions of one `match` entry, or why a proxy would refuse them. */
export function buildRouteMatch(request: HttpMatch, path: string): Result<RouteMatch> {
  const issues: Issue[] = [];
  const text = (match: StringMatch | undefined, at: string): TextMatch | undefined =>
    buildTextMatch(match, `${path}.${at}`, issues);
  const named = (
    matches: Readonly<Record<string, StringMatch>> | undefined,
    at: string,
    isInverted: boolean,
  ): readonly NamedMatch[] =>
    Object.entries(matches ?? {}).map(([name, match]) => ({
      name: at === "queryParams" ? name : name.toLowerCase(),
      text: text(match, `${at}.${name}`),
      isInverted,
    }));
  const pseudo = (name: string, match: StringMatch | undefined): readonly NamedMatch[] =>
    match === undefined ? [] : [{ name: `:${name}`, text: text(match, name), isInverted: false }];
  const value: RouteMatch = {
    path: text(request.uri, "uri") ?? MATCH_ALL.path,
    isPathCaseIgnored: request.ignoreUriCase === true,
    headers: [
      ...[
        ...named(request.headers, "headers", false),
        ...named(request.withoutHeaders, "withoutHeaders", true),
      ].sort(byName),
      ...pseudo("method", request.method),
      ...pseudo("authority", request.authority),
      ...pseudo("scheme", request.scheme),
    ],
    queryParams: [...named(request.queryParams, "queryParams", false)].sort(byName),
  };
  return issues.length === 0 ? { ok: true, value } : { ok: false, issues };
}

function byName(a: NamedMatch, b: NamedMatch): number {
  return compareText(a.name, b.name) || Number(a.isInverted) - Number(b.isInverted);
}

/** `undefined` where anything will do. */
function buildTextMatch(
  match: StringMatch | undefined,
  path: string,
  issues: Issue[],
): TextMatch | undefined {
  if (match?.exact !== undefined) return { type: "exact", value: match.exact };
  // Everything starts with nothing, which Envoy does not let one say.
  if (match?.prefix !== undefined && match.prefix !== "") {
    return { type: "prefix", value: match.prefix };
  }
  if (match?.regex === undefined) return undefined;
  const problem = checkRegex(match.regex);
  if (problem !== undefined) issues.push({ path: `${path}.regex`, message: problem });
  return { type: "regex", value: match.regex };
}
