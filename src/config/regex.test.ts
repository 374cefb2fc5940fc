import { describe, expect, test } from "vitest";
import { checkRegex } from "./regex.ts";

describe("checkRegex()", () => {
  test.each([
    "/reviews/[0-9]+",
    "(?i)^a|b$",
    "(?P<user>[^/]{1,64})(?:/.*)?",
    "a*?b+?c??",
    "[]a-]",
    "[^\\]\\d_-]",
    "[[:alpha:]\\pL\\p{Greek}]",
    "x{1000}",
    "(?:x{10}){100}",
    "x{,3}",
    "\\Q(?=\\E\\x41\\x{00E9}",
    ".*\\.example\\.com",
  ])("accepts %s", (regex) => {
    expect(checkRegex(regex)).toBeUndefined();
  });

  // What RE2 itself says to each of these is: no.
  test.each([
    ["", "it is empty"],
    ["a(?=b)", "lookaround (?= is not part of it"],
    ["(?<!a)b", "lookaround (?<! is not part of it"],
    ["(a)\\1", "the backreference \\1 is not part of it"],
    ["\\k<a>", "the backreference \\k is not part of it"],
    ["(?>a)", "the group (?> is not part of it"],
    ["\\u0041", "the escape \\u is not part of it"],
    ["\\cA", "the escape \\c is not part of it"],
    ["\\x{1F600}", "the escape \\x is not part of it"],
    ["[\\x{4e00}-\\x{9fff}]", "a class has an escape that is not part of it"],
    ["\\p{Letter}", "the escape \\p is not part of it"],
    ["*", "there is nothing to repeat before *"],
    ["a**", "there is nothing to repeat before *"],
    ["a++", "there is nothing to repeat before +"],
    ["(|*)", "there is nothing to repeat before *"],
    ["a{3,2}", "{3,2} ends before it starts"],
    ["a{1001}", "{1001} repeats more than 1000 times"],
    ["(a{100}){11}", "{11} repeats more than 1000 times"],
    ["\\p{Lu}{1000}", "it is too large"],
    ["(a", "a ( is not closed"],
    ["a)", "a ) closes nothing"],
    ["[a", "a [ is not closed"],
    ["[]", "a [ is not closed"],
    ["[^]", "a [ is not closed"],
    ["[z-a]", "the range z-a is backwards"],
    ["[[:letter:]]", "the class [:letter is not part of it"],
    ["(?P<a>x)(?P<a>y)", "two groups are named a"],
    ["a\\", "it ends in a lone \\"],
  ])("refuses %s", (regex, reason) => {
    const text = `must be an RE2 regular expression: got ${JSON.stringify(regex)} (${reason})`;
    expect(checkRegex(regex)).toBe(text);
  });

  test("refuses what is too long", () => {
    expect(checkRegex("a".repeat(1025))).toBe("must have at most 1024 characters: got 1025");
  });
});
