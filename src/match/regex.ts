import type { Result } from "../base/issue.ts";
import { RegexMatcher } from "./regex/matcher.ts";
import { buildProgram } from "./regex/program.ts";
import { parseRegex, SyntaxProblem } from "./regex/syntax.ts";

/** A regular expression that looks at whole values only. */
export interface CompiledRegex {
  /** `value` is text as it came over the wire: one character for each byte. */
  test(value: string): boolean;
}

/**
 * Compiles an RE2 pattern that must match the whole value, as Envoy's `safe_regex`. What RE2
 * refuses is refused.
 */
export function compileRegex(pattern: string): Result<CompiledRegex> {
  try {
    return { ok: true, value: new RegexMatcher(buildProgram(parseRegex(pattern))) };
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error;
    const message = `invalid regex "${pattern}": ${error.message}`;
    return { ok: false, issues: [{ path: "", message }] };
  }
}
