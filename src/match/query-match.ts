import {
  type QueryParameterMatcher,
  QueryParameterMatcherSchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import type { Issue } from "../base/issue.ts";
import type { Criterion } from "./header-match.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { compileStringMatch } from "./string-match.ts";

/**
 * Compiles one query parameter matcher. Names and values are compared as they came, unless `find`
 * decodes them.
 */
export function compileQueryMatch(
  matcher: QueryParameterMatcher,
  path: string,
  issues: Issue[],
  find: ParameterSearch = findParameter,
): Criterion {
  const handled = ["name", "string_match", "present_match"];
  issues.push(...refuseFields(QueryParameterMatcherSchema, matcher, handled, path));
  if (matcher.name === "") issues.push({ path: joinPath(path, "name"), message: "is missing" });
  const { name, queryParameterMatchSpecifier: specifier } = matcher;
  const description = `query parameter ${name}`;
  if (specifier.case === "stringMatch") {
    const test = compileStringMatch(specifier.value, joinPath(path, "string_match"), issues);
    return {
      description,
      matches: (request) => {
        const value = find(request.path, name);
        return value !== undefined && test(value);
      },
    };
  }
  const wanted = specifier.case === undefined || specifier.value;
  return {
    description,
    matches: (request) => (find(request.path, name) !== undefined) === wanted,
  };
}

/** The value of the first parameter of a name in a path; `undefined` when there is none. */
type ParameterSearch = (path: string, name: string) => string | undefined;

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

/** The same with names and values decoded; what is no escape stays as it is, and so does `+`. */
export function findDecodedParameter(path: string, name: string): string | undefined {
  const query = path.indexOf("?");
  if (query === -1) return undefined;
  for (const pair of path.substring(query + 1).split("&")) {
    const equals = pair.indexOf("=");
    const key = equals === -1 ? pair : pair.substring(0, equals);
    if (decodePercent(key) !== name) continue;
    return equals === -1 ? "" : decodePercent(pair.substring(equals + 1));
  }
  return undefined;
}

/** What is no escape stays as it is. */
export function decodePercent(text: string): string {
  if (!text.includes("%")) return text;
  return text.replace(/%([\da-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
}
