import {
  type PathMatcher,
  PathMatcherSchema,
} from "../../api/gen/envoy/type/matcher/v3/path_pb.js";
import type { Issue } from "../../base/issue.ts";
import type { MatchRequest } from "../match-request.ts";
import { joinPath, refuseFields } from "../refuse-fields.ts";
import { compileStringMatch } from "../string-match.ts";

/** A permission or principal, compiled. */
export type RequestTest = (request: MatchRequest) => boolean;

/** Stands in a policy that is refused anyway. */
export const NEVER: RequestTest = () => false;

/** All of them; of none, every request. */
export function allOf(tests: readonly RequestTest[]): RequestTest {
  return (request) => {
    for (const test of tests) if (!test(request)) return false;
    return true;
  };
}

/** One of them. */
export function oneOf(tests: readonly RequestTest[]): RequestTest {
  const [only] = tests;
  if (only !== undefined && tests.length === 1) return only;
  return (request) => {
    for (const test of tests) if (test(request)) return true;
    return false;
  };
}

/** Compiles a test of the path, of which query and fragment are no part. */
export function compileUrlPath(matcher: PathMatcher, path: string, issues: Issue[]): RequestTest {
  issues.push(...refuseFields(PathMatcherSchema, matcher, ["path"], path));
  const test = compileStringMatch(matcher.rule.value, joinPath(path, "path"), issues);
  return ({ path: asked }) => asked !== "" && test(asked.substring(0, pathEnd(asked)));
}

/** Where the query, or a fragment, begins. */
export function pathEnd(path: string): number {
  for (let at = 0; at < path.length; at++) {
    const code = path.charCodeAt(at);
    if (code === 63 || code === 35) return at;
  }
  return path.length;
}
