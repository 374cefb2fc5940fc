import { describe, expect, test } from "vitest";
import { compileRegex } from "./regex.ts";

function isMatch(pattern: string, value: string): boolean | string {
  const compiled = compileRegex(pattern);
  if (compiled.ok) return compiled.value.test(value);
  return compiled.issues[0]?.message ?? "";
}

describe("compileRegex()", () => {
  const cases = [
    ["a|b", "b", true],
    ["a|b", "ab", false],
    ["(?P<year>[0-9]{4})", "2026", true],
    ["(?i)abc", "ABC", true],
    ["(?s)a.b", "a\nb", true],
    ["a.b", "a\nb", false],
    ["\\Aabc\\z", "abc", true],
    ["\\x{41}", "A", true],
    ["[(?=]+", "(?=", true],
    ["\\(\\?=", "(?=", true],
    ["[^/]+/v[12]", "x/v2", true],
    ["a{2,3}?", "aaa", true],
  ] as const;
  test.each(cases)("%s on %j", (pattern, value, expected) => {
    expect(isMatch(pattern, value)).toBe(expected);
  });

  const refused = [
    ["(?!a)", "lookahead is not part of RE2"],
    ["(?<=a)b", "lookbehind is not part of RE2"],
    ["(a)\\1", "a back-reference is not part of RE2"],
    ["(?<n>a)\\k<n>", "a named back-reference is not part of RE2"],
    ["a++", "a possessive quantifier is not part of RE2"],
    ["a{1001}", "a repetition over 1000 is not part of RE2"],
    ["\\pL", "a Unicode class is not supported yet"],
    ["[[:alpha:]]", "a POSIX class is not supported yet"],
    ["a(?i:b)", "an inline flag that does not stand first is not supported yet"],
    ["(", "Unterminated group"],
    ["*", "Nothing to repeat"],
  ] as const;
  test.each(refused)("refuses %s", (pattern, why) => {
    expect(isMatch(pattern, "")).toContain(why);
  });
});
