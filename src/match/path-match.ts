import type { RouteMatch } from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import type { Issue } from "../base/issue.ts";
import type { Criterion } from "./header-match.ts";
import type { MatchRequest } from "./match-request.ts";
import { joinPath } from "./refuse-fields.ts";
import { compileRegexMatch } from "./string-match.ts";

/** How a route looks at the path, and how much of it a prefix rewrite replaces. */
export interface PathMatch extends Criterion {
  /** Length of the part of `path` that matched, the query never being part of it. */
  readonly matchedLength: (path: string) => number;
}

/** Compiles the path specifier of a route. The query is not looked at. */
export function compilePathMatch(match: RouteMatch, path: string, issues: Issue[]): PathMatch {
  const { pathSpecifier: specifier } = match;
  const ignoreCase = match.caseSensitive === false;
  switch (specifier.case) {
    case "prefix":
      // Only what stands before the query is looked at, and no query mark stands there.
      if (specifier.value.includes("?")) return noPath(`prefix ${specifier.value}`);
      return prefixMatch(specifier.value, ignoreCase);
    case "path":
      if (specifier.value.includes("?")) return noPath(`path ${specifier.value}`);
      return {
        description: `path ${specifier.value}`,
        matches: exactPath(specifier.value, ignoreCase),
        matchedLength: lengthBeforeQuery,
      };
    case "pathSeparatedPrefix":
      if (!/^\/[^?#]*[^/?#]$/.test(specifier.value)) {
        const message = `"${specifier.value}" must begin with "/" and not end with it`;
        issues.push({ path: joinPath(path, "path_separated_prefix"), message });
      }
      return separatedPrefix(specifier.value, ignoreCase);
    case "safeRegex": {
      const test = compileRegexMatch(specifier.value, joinPath(path, "safe_regex"), issues);
      return {
        description: `regex ${specifier.value.regex}`,
        matches: (request) => test(beforeQuery(request.path)),
        matchedLength: lengthBeforeQuery,
      };
    }
    // Refused by name with the other fields.
    case "connectMatcher":
    case "pathMatchPolicy":
      return prefixMatch("/", false);
    case undefined:
      issues.push({ path, message: "has no path specifier" });
      return prefixMatch("/", false);
  }
}

function noPath(description: string): PathMatch {
  return { description, matchedLength: () => 0, matches: () => false };
}

function prefixMatch(prefix: string, ignoreCase: boolean): PathMatch {
  const description = `prefix ${prefix}`;
  const matchedLength = (): number => prefix.length;
  // Every path begins with a slash but for `*`, which Envoy's matcher refuses likewise.
  if (!ignoreCase) {
    return { description, matchedLength, matches: (request) => request.path.startsWith(prefix) };
  }
  const wanted = prefix.toLowerCase();
  return {
    description,
    matchedLength,
    matches: (request) => request.path.toLowerCase().startsWith(wanted),
  };
}

function separatedPrefix(prefix: string, ignoreCase: boolean): PathMatch {
  const wanted = ignoreCase ? prefix.toLowerCase() : prefix;
  return {
    description: `path separated prefix ${prefix}`,
    matchedLength: () => prefix.length,
    matches: (request) => {
      const whole = beforeQuery(request.path);
      const value = ignoreCase ? whole.toLowerCase() : whole;
      if (!value.startsWith(wanted)) return false;
      return value.length === wanted.length || value.charCodeAt(wanted.length) === 47;
    },
  };
}

function exactPath(wanted: string, ignoreCase: boolean): (request: MatchRequest) => boolean {
  if (ignoreCase) {
    const lower = wanted.toLowerCase();
    return (request) => beforeQuery(request.path).toLowerCase() === lower;
  }
  return (request) => {
    const { path } = request;
    if (!path.startsWith(wanted)) return false;
    return path.length === wanted.length || path.charCodeAt(wanted.length) === 63;
  };
}

function beforeQuery(path: string): string {
  const query = path.indexOf("?");
  return query === -1 ? path : path.substring(0, query);
}

function lengthBeforeQuery(path: string): number {
  const query = path.indexOf("?");
  return query === -1 ? path.length : query;
}
