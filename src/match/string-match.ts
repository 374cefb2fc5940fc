import {
  type RegexMatcher,
  RegexMatcher_GoogleRE2Schema,
  RegexMatcherSchema,
} from "../api/gen/envoy/type/matcher/v3/regex_pb.js";
import type { StringMatcher } from "../api/gen/envoy/type/matcher/v3/string_pb.js";
import type { Issue } from "../base/issue.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { compileRegex } from "./regex.ts";
import { lowerAscii, wireText } from "./wire-text.ts";

/** Whether a value matches; pure. */
export type StringPredicate = (value: string) => boolean;

/** Compiles a string matcher; what is wrong is added to `issues`. */
export function compileStringMatch(
  matcher: StringMatcher | undefined,
  path: string,
  issues: Issue[],
): StringPredicate {
  const pattern = matcher?.matchPattern;
  if (matcher === undefined || pattern === undefined) return refuse(issues, path, "has no pattern");
  const { ignoreCase } = matcher;
  switch (pattern.case) {
    case "exact":
      return fold(wireText(pattern.value), ignoreCase, (value, wanted) => value === wanted);
    case "prefix":
      return fold(wireText(pattern.value), ignoreCase, (value, wanted) => value.startsWith(wanted));
    case "suffix":
      return fold(wireText(pattern.value), ignoreCase, (value, wanted) => value.endsWith(wanted));
    case "contains":
      return fold(wireText(pattern.value), ignoreCase, (value, wanted) => value.includes(wanted));
    case "safeRegex":
      if (ignoreCase) {
        const what = "has no effect for safe_regex.";
        issues.push({ path: joinPath(path, "ignore_case"), message: what });
      }
      return compileRegexMatch(pattern.value, joinPath(path, "safe_regex"), issues);
    case "custom":
      return refuse(issues, path, 'pattern "custom" is not supported yet');
    case undefined:
      return refuse(issues, path, "has no pattern");
  }
}

/** Compiles a regular expression for the whole value. */
export function compileRegexMatch(
  matcher: RegexMatcher,
  path: string,
  issues: Issue[],
): StringPredicate {
  issues.push(...refuseRegexFields(matcher, path));
  const compiled = compileRegex(matcher.regex);
  if (!compiled.ok) {
    for (const { message } of compiled.issues) issues.push({ path, message });
    return () => false;
  }
  const regex = compiled.value;
  return (value) => regex.test(value);
}

/** What stands in a regex matcher besides the expression, and is not built. */
export function refuseRegexFields(matcher: RegexMatcher, path: string): Issue[] {
  const issues = refuseFields(RegexMatcherSchema, matcher, ["google_re2", "regex"], path);
  if (matcher.engineType.case !== "googleRe2") return issues;
  const at = joinPath(path, "google_re2");
  return [
    ...issues,
    ...refuseFields(RegexMatcher_GoogleRE2Schema, matcher.engineType.value, [], at),
  ];
}

function fold(
  pattern: string,
  ignoreCase: boolean,
  test: (value: string, wanted: string) => boolean,
): StringPredicate {
  if (!ignoreCase) return (value) => test(value, pattern);
  const wanted = lowerAscii(pattern);
  return (value) => test(lowerAscii(value), wanted);
}

function refuse(issues: Issue[], path: string, message: string): StringPredicate {
  issues.push({ path, message });
  return () => false;
}

/** A string matcher in words: `prefix "a"`. */
export function describeString(matcher: StringMatcher | undefined): string {
  const pattern = matcher?.matchPattern;
  const folded = matcher?.ignoreCase === true ? " in any case" : "";
  switch (pattern?.case) {
    case "exact":
    case "prefix":
    case "suffix":
    case "contains":
      return `${pattern.case} "${pattern.value}"${folded}`;
    case "safeRegex":
      return `regex ${pattern.value.regex}`;
    case "custom":
    case undefined:
      return "no pattern";
  }
}
