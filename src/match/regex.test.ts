import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileCapture, compileRegex, compileReplace } from "./regex.ts";

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
    ["(?!a)", "lookaround (?! is not part of it"],
    ["(?<=a)b", "lookaround (?<= is not part of it"],
    ["(a)\\1", "the backreference \\1 is not part of it"],
    ["(?<n>a)\\k<n>", "the backreference \\k is not part of it"],
    ["a++", "there is nothing to repeat before +"],
    ["a{1001}", "{1001} repeats more than 1000 times"],
    ["(a{100}){11}", "{11} repeats more than 1000 times"],
    ["(", "a ( is not closed"],
    [")", "a ) closes nothing"],
    ["*", "there is nothing to repeat before *"],
    ["", "it is empty"],
    ["\\p{Letter}", "the class \\p{Letter} is not known"],
    ["\\x{100}", "\\x{100} is more than one byte"],
    ["a".repeat(100_000), "it is too large"],
    ["(".repeat(1001), "it is nested too deeply"],
  ] as const;
  test.each(refused)("refuses %s", (pattern, why) => {
    expect(isMatch(pattern, "")).toContain(why);
  });

  test("takes no longer for a value that was made for it", () => {
    const value = "a".repeat(60_000);
    const started = performance.now();
    for (const pattern of ["(a+)+b", "(a|a)*b", ".*.*.*.*x", "(?:a?){30}a{30}", "(.*a){20}b"]) {
      expect(isMatch(pattern, value)).toBe(false);
    }
    expect(performance.now() - started).toBeLessThan(5000);
  });

  test("forgets what it found rather than grow without a bound", () => {
    const values = Array.from({ length: 400 }, (_, seed) =>
      Array.from({ length: 40 }, (_, at) => ((seed * 7919 + at * at) % 3 === 0 ? "a" : "b")).join(
        "",
      ),
    );
    const pattern = "[ab]*a[ab]{12}";
    const expected = values.map((value) => value.at(-13) === "a");
    expect(values.map((value) => isMatch(pattern, value))).toEqual(expected);
  });
});

describe("compileReplace()", () => {
  const replace = (pattern: string, substitution: string, text: string): string => {
    const compiled = compileReplace(pattern, substitution);
    if (!compiled.ok) throw new Error(compiled.issues[0]?.message);
    return compiled.value(text);
  };

  const cases: [string, string, string, string][] = [
    ["a", "b", "banana", "bbnbnb"],
    ["(a|ab)(c|bcd)?", "[\\1\\2]", "abcd", "[abcd]"],
    ["(a+)(b*)", "\\2\\1", "aabab", "baaba"],
    ["a*?", "-", "aa", "-a-a-"],
    ["b*", "-", "abc", "-a-c-"],
    ["(?U)a+", "-", "aa", "--"],
    ["^a", "-", "aaa", "-aa"],
    ["a$", "-", "aaa", "aa-"],
    ["\\bb", "-", "b ab b", "- ab -"],
    ["(?P<n>x)y", "\\0\\1\\\\", "xy", "xyx\\"],
    ["(x)?y", "<\\1>", "yxy", "<><x>"],
    // What no group found, or what is no escape, changes nothing.
    ["(a)", "\\2", "a", "a"],
    ["a", "\\n", "a", "a"],
    ["a", "b\\", "a", "a"],
    ["a", "b", "", ""],
  ];
  test.each(cases)("%s by %s in %s", (pattern, substitution, text, expected) => {
    expect(replace(pattern, substitution, text)).toBe(expected);
  });

  test("finds what JavaScript's own engine finds", () => {
    const atom = fc.constantFrom("a", "b", ".", "[ab]", "(a)", "(b|ab)", "(a|b)?", "(?:ab)");
    const piece = fc
      .tuple(atom, fc.constantFrom("", "*", "+", "?", "+?", "{1,2}"))
      .filter(([text, repeat]) => !(text.endsWith("?") && repeat !== ""))
      .map((parts) => parts.join(""));
    const pattern = fc
      .array(piece, { minLength: 1, maxLength: 4 })
      .map((pieces) => pieces.join(""));
    fc.assert(
      fc.property(pattern, fc.string({ unit: fc.constantFrom("a", "b", "c") }), (given, text) => {
        const groups = (given.match(/\((?!\?)/g) ?? []).length;
        // An empty match right behind another counts with JavaScript, and not with RE2.
        fc.pre(!new RegExp(`^(?:${given})$`).test(""));
        const theirs = text.replace(new RegExp(given, "g"), groups === 0 ? "<$&>" : "<$1|$&>");
        expect(replace(given, groups === 0 ? "<\\0>" : "<\\1|\\0>", text)).toBe(theirs);
      }),
    );
  });
});

test("compileCapture() says what groups found in a whole text", () => {
  const compiled = compileCapture("/([^/]+)/(.*)x?");
  expect(compiled.ok && compiled.value("/a/b/c")).toEqual(["a", "b/c"]);
  expect(compiled.ok && compiled.value("a/b")).toBeUndefined();
});
