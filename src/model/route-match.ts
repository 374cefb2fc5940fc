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

/** How a path is compared. A separated prefix ends where a segment ends: `/a` takes `/a/b`, not `/ab`. */
export type PathMatch = TextMatch | { readonly type: "separated-prefix"; readonly value: string };

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
  readonly path: PathMatch;
  readonly isPathCaseIgnored: boolean;
  readonly headers: readonly NamedMatch[];
  readonly queryParams: readonly NamedMatch[];
}

const ANY_PATH: TextMatch = { type: "prefix", value: "/" };

/** Takes every request. */
export const MATCH_ALL: RouteMatch = {
  path: ANY_PATH,
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

/** Headers of this kind are claims of the token that a request came with. */
const CLAIMS = "@request.auth.claims";

/**
 * The request conditions of one `match` entry, or why a proxy would refuse them. With
 * `hasSeparatedPrefixes` a prefix takes whole segments of a path only.
 */
export function buildRouteMatch(
  request: HttpMatch,
  path: string,
  hasSeparatedPrefixes = false,
): Result<RouteMatch> {
  const issues: Issue[] = [];
  const text = (match: StringMatch | undefined, at: string): TextMatch | undefined =>
    buildTextMatch(match, `${path}.${at}`, issues);
  const named = (
    matches: Readonly<Record<string, StringMatch>> | undefined,
    at: string,
    isInverted: boolean,
  ): readonly NamedMatch[] =>
    Object.entries(matches ?? {}).map(([name, match]) => {
      const problem = nameProblem(name, at);
      if (problem !== undefined) issues.push({ path: `${path}.${at}[${name}]`, message: problem });
      return {
        name: at === "queryParams" ? name : name.toLowerCase(),
        text: isAnything(match) ? undefined : text(match, `${at}[${name}]`),
        isInverted,
      };
    });
  const pseudo = (name: string, match: StringMatch | undefined): readonly NamedMatch[] =>
    match === undefined
      ? []
      : [
          {
            name: `:${name}`,
            text: isAnything(match) ? undefined : text(match, name),
            isInverted: false,
          },
        ];
  const uri = text(request.uri, "uri") ?? ANY_PATH;
  const pathMatch = hasSeparatedPrefixes ? separated(uri) : uri;
  if (pathMatch.type === "separated-prefix" && !SEPARATED_PREFIX.test(pathMatch.value)) {
    const message = `${JSON.stringify(pathMatch.value)} cannot be compared by segments`;
    issues.push({ path: `${path}.uri.prefix`, message });
  }
  const value: RouteMatch = {
    path: pathMatch,
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

/** What Istio takes for "whatever its value", though it is no regular expression. */
function isAnything({ regex }: StringMatch): boolean {
  return regex === "*";
}

/** What a proxy takes for one. */
const SEPARATED_PREFIX = /^[^?#]+[^?#/]$/;

function separated(path: TextMatch): PathMatch {
  if (path.type !== "prefix" || path.value === "/") return path;
  return { type: "separated-prefix", value: path.value.replace(/\/$/, "") };
}

/** Why a proxy would refuse the name of a header or parameter, with all of its routes. */
function nameProblem(name: string, field: string): string | undefined {
  if (name === "") return "must have a name";
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) {
    return `the name must have at most ${NAME_BYTES_MAX} bytes`;
  }
  if (field === "queryParams" || !name.startsWith(CLAIMS)) return undefined;
  return "claims of tokens cannot be matched yet: match a header that the app sets";
}

const NAME_BYTES_MAX = 1024;

function byName(a: NamedMatch, b: NamedMatch): number {
  return compareText(a.name, b.name) || Number(a.isInverted) - Number(b.isInverted);
}

/** A written match; `undefined` where anything will do. */
export function buildTextMatch(
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
