import {
  type RegexMatchAndSubstitute,
  RegexMatchAndSubstituteSchema,
} from "../api/gen/envoy/type/matcher/v3/regex_pb.js";
import type { Issue } from "../base/issue.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { compileReplace } from "./regex.ts";
import { refuseRegexFields } from "./string-match.ts";
import { wireText } from "./wire-text.ts";

/**
 * Compiles a rewrite that replaces whatever a regular expression finds in a text, as often as it
 * finds it; `\1` to `\9` in the substitution stand for what its groups found, `\0` for all of it.
 */
export function compileRegexRewrite(
  message: RegexMatchAndSubstitute,
  path: string,
  issues: Issue[],
): (text: string) => string {
  const handled = ["pattern", "substitution"];
  issues.push(...refuseFields(RegexMatchAndSubstituteSchema, message, handled, path));
  const { pattern } = message;
  const at = joinPath(path, "pattern");
  if (pattern === undefined) {
    issues.push({ path: at, message: "is missing" });
    return (text) => text;
  }
  issues.push(...refuseRegexFields(pattern, at));
  const compiled = compileReplace(pattern.regex, wireText(message.substitution));
  if (compiled.ok) return compiled.value;
  for (const { message: what } of compiled.issues) issues.push({ path: at, message: what });
  return (text) => text;
}
