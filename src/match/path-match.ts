import {
  type RouteMatch,
  RouteMatch_ConnectMatcherSchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import {
  type UriTemplateMatchConfig,
  UriTemplateMatchConfigSchema,
} from "../api/gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.js";
import type { Issue } from "../base/issue.ts";
import type { Criterion } from "./header-match.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { compileRegexMatch } from "./string-match.ts";
import { unpackOf } from "./unpack.ts";
import { compileUriTemplate, type UriTemplate } from "./uri-template.ts";
import { lowerAscii, wireText } from "./wire-text.ts";

/** How a route looks at the path, and how much of it a prefix rewrite replaces. */
export interface PathMatch extends Criterion {
  /** Puts something in the place of what matched; the query is no part of that. */
  readonly replaceMatched: (path: string, by: string) => string;
  /** The URI template that it matches with: a rewrite by template needs its variables. */
  readonly template: UriTemplate | undefined;
}

/** A test of the path; `path` is "" for a CONNECT, which none of them takes. */
interface PathTest {
  readonly description: string;
  /** Length of the part of `path` that matched. */
  readonly matchedLength: (path: string) => number;
  readonly test: (path: string) => boolean;
  readonly template?: UriTemplate;
}

/**
 * Compiles the path specifier of a route. The query is not looked at, nor, if
 * `ignoresParameters`, what stands behind a `;` in a segment.
 */
export function compilePathMatch(
  match: RouteMatch,
  {
    ignoresParameters,
    path,
    issues,
  }: { ignoresParameters: boolean; path: string; issues: Issue[] },
): PathMatch {
  const { pathSpecifier: specifier } = match;
  if (specifier.case === "connectMatcher") {
    const at = joinPath(path, "connect_matcher");
    issues.push(...refuseFields(RouteMatch_ConnectMatcherSchema, specifier.value, [], at));
    return {
      description: "method is CONNECT",
      matches: ({ method }) => method === "CONNECT",
      replaceMatched: (asked, by) => by + asked.substring(lengthBeforeQuery(asked)),
      template: undefined,
    };
  }
  const { test, description, template, matchedLength } = compileTest(match, path, issues);
  const replaceMatched: PathMatch["replaceMatched"] = (asked, by) =>
    by + asked.substring(matchedLength(asked));
  const rest = { description, template, replaceMatched };
  // Templates always see all of it.
  if (ignoresParameters && template === undefined) {
    return {
      ...rest,
      matches: (request) => test(withoutParameters(request.path)),
      replaceMatched: replaceLiteral(match) ?? replaceMatched,
    };
  }
  if (specifier.case !== "prefix" || match.caseSensitive === false || specifier.value === "") {
    return { ...rest, matches: (request) => test(request.path) };
  }
  // What most routes ask, without a call in between.
  const prefix = wireText(specifier.value);
  if (prefix.includes("?")) return { ...rest, matches: () => false };
  return { ...rest, matches: (request) => request.path.startsWith(prefix) };
}

function compileTest(match: RouteMatch, path: string, issues: Issue[]): PathTest {
  const { pathSpecifier: specifier } = match;
  const ignoreCase = match.caseSensitive === false;
  switch (specifier.case) {
    case "prefix":
      return prefixTest(wireText(specifier.value), ignoreCase);
    case "path":
      return exactTest(wireText(specifier.value), ignoreCase);
    case "pathSeparatedPrefix":
      if (!/^\/[^?#]*[^/?#]$/.test(specifier.value)) {
        const message = `"${specifier.value}" must begin with "/" and not end with it`;
        issues.push({ path: joinPath(path, "path_separated_prefix"), message });
      }
      return separatedTest(wireText(specifier.value), ignoreCase);
    case "safeRegex": {
      const test = compileRegexMatch(specifier.value, joinPath(path, "safe_regex"), issues);
      return {
        description: `path is regex ${specifier.value.regex}`,
        test: (asked) => asked !== "" && test(beforeQuery(asked)),
        matchedLength: lengthBeforeQuery,
      };
    }
    case "pathMatchPolicy": {
      const { name, typedConfig: any } = specifier.value;
      const at = joinPath(path, "path_match_policy");
      const config = unpackOf(UriTemplateMatchConfigSchema, { name, any, path: at }, issues);
      return config === undefined ? NO_PATH : templateTest(config, at, issues);
    }
    // Done before; another one was refused with the fields.
    case "connectMatcher":
      return NO_PATH;
    case undefined:
      issues.push({ path, message: "has no path specifier" });
      return NO_PATH;
  }
}

/**
 * What matched without its parameters may not stand in the path as it is; then the path stays. A
 * regular expression always stands for all of it (`undefined`).
 */
function replaceLiteral({
  pathSpecifier: specifier,
  caseSensitive,
}: RouteMatch): PathMatch["replaceMatched"] | undefined {
  if (typeof specifier.value !== "string") return undefined;
  const literal = wireText(specifier.value);
  const wanted = lowerAscii(literal);
  return (asked, by) => {
    const isThere =
      caseSensitive === false ? lowerAscii(asked).startsWith(wanted) : asked.startsWith(literal);
    return isThere ? by + asked.substring(literal.length) : asked;
  };
}

const NO_PATH: PathTest = { description: "no path", matchedLength: () => 0, test: () => false };

function prefixTest(prefix: string, ignoreCase: boolean): PathTest {
  const description = `path is prefix ${prefix}`;
  const matchedLength = (): number => prefix.length;
  // Only what stands before the query is looked at, and no query mark stands there.
  if (prefix.includes("?")) return { ...NO_PATH, description };
  if (prefix === "") return { description, matchedLength, test: (path) => path !== "" };
  // Every path begins with a slash but for `*`, which Envoy's matcher refuses likewise.
  if (!ignoreCase) return { description, matchedLength, test: (path) => path.startsWith(prefix) };
  const wanted = lowerAscii(prefix);
  return { description, matchedLength, test: (path) => lowerAscii(path).startsWith(wanted) };
}

function separatedTest(prefix: string, ignoreCase: boolean): PathTest {
  const wanted = ignoreCase ? lowerAscii(prefix) : prefix;
  return {
    description: `path is path separated prefix ${prefix}`,
    matchedLength: () => prefix.length,
    test: (path) => {
      const whole = beforeQuery(path);
      const value = ignoreCase ? lowerAscii(whole) : whole;
      if (!value.startsWith(wanted)) return false;
      return value.length === wanted.length || value.charCodeAt(wanted.length) === 47;
    },
  };
}

function exactTest(wanted: string, ignoreCase: boolean): PathTest {
  const description = `path is ${wanted}`;
  const matchedLength = lengthBeforeQuery;
  if (wanted.includes("?")) return { ...NO_PATH, description };
  if (ignoreCase) {
    const lower = lowerAscii(wanted);
    return {
      description,
      matchedLength,
      test: (path) => path !== "" && lowerAscii(beforeQuery(path)) === lower,
    };
  }
  return {
    description,
    matchedLength,
    test: (path) => {
      if (path === "" || !path.startsWith(wanted)) return false;
      return path.length === wanted.length || path.charCodeAt(wanted.length) === 63;
    },
  };
}

function templateTest(config: UriTemplateMatchConfig, path: string, issues: Issue[]): PathTest {
  const at = joinPath(path, "typed_config");
  const handled = ["path_template"];
  issues.push(...refuseFields(UriTemplateMatchConfigSchema, config, handled, at));
  const compiled = compileUriTemplate(config.pathTemplate);
  if (!compiled.ok) {
    for (const { message } of compiled.issues) issues.push({ path: at, message });
    return NO_PATH;
  }
  const template = compiled.value;
  return {
    description: `path is template ${config.pathTemplate}`,
    matchedLength: lengthBeforeQuery,
    test: (asked) => asked !== "" && template.test(beforeQuery(asked)),
    template,
  };
}

/** The path without its query. */
export function beforeQuery(path: string): string {
  return path.substring(0, lengthBeforeQuery(path));
}

/** The path, without its query, of whose segments only what stands before a `;` counts. */
function withoutParameters(path: string): string {
  const whole = beforeQuery(path);
  if (!whole.includes(";")) return whole;
  return whole
    .split("/")
    .map((segment) => segment.split(";", 1)[0] ?? "")
    .join("/");
}

function lengthBeforeQuery(path: string): number {
  const query = path.indexOf("?");
  return query === -1 ? path.length : query;
}
