import {
  type QueryParameterMatcher,
  QueryParameterMatcherSchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import type { Issue } from "../base/issue.ts";
import type { Criterion } from "./header-match.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { compileStringMatch, type StringPredicate } from "./string-match.ts";

/** Compiles one query parameter matcher. Names and values are compared as they came, not decoded. */
export function compileQueryMatch(
  matcher: QueryParameterMatcher,
  path: string,
  issues: Issue[],
): Criterion {
  const handled = ["name", "string_match", "present_match"];
  issues.push(...refuseFields(QueryParameterMatcherSchema, matcher, handled, path));
  if (matcher.name === "") issues.push({ path: joinPath(path, "name"), message: "is missing" });
  const { name, queryParameterMatchSpecifier: specifier } = matcher;
  const description = `query parameter ${name}`;
  if (specifier.case === "stringMatch") {
    const test = compileStringMatch(specifier.value, joinPath(path, "string_match"), issues);
    return { description, matches: (request) => matchesFirst(request.path, name, test) };
  }
  const wanted = specifier.case === undefined || specifier.value;
  return {
    description,
    matches: (request) => (findParameter(request.path, name) !== undefined) === wanted,
  };
}

function matchesFirst(path: string, name: string, test: StringPredicate): boolean {
  const value = findParameter(path, name);
  return value !== undefined && test(value);
}

/** The value of the first parameter of that name. */
export function findParameter(path: string, name: string): string | undefined {
  let at = path.indexOf("?");
  while (at !== -1) {
    const start = at + 1;
    at = path.indexOf("&", start);
    const end = at === -1 ? path.length : at;
    if (!path.startsWith(name, start)) continue;
    const nameEnd = start + name.length;
    if (nameEnd === end) return "";
    if (path.charCodeAt(nameEnd) === 61) return path.substring(nameEnd + 1, end);
  }
  return undefined;
}
