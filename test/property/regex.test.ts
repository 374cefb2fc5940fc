import fc from "fast-check";
import { expect, test } from "vitest";
import { checkRegex } from "../../src/config/regex.ts";
import { compileRegex } from "../../src/match/regex.ts";
import { PATTERNS, REFUSED_PATTERNS } from "../proxy/regex-table.ts";

const PIECES = [
  ..."a b | ( ) * + ? . ^ $ - [ ] { } \\ , : & ~ é".split(" "),
  "(?:",
  "(?i)",
  "(?-s:",
  "(?P<n>",
  "[^",
  "[[:alpha:]",
  "{2}",
  "{2,}",
  "{0,3}",
  "\\d",
  "\\W",

  "\\b",
  "\\pL",
  "\\p{Greek}",
  "\\P{^Lu}",
  "\\Q",
  "\\E",
  "\\x41",
  "\\x{e9}",
  "\\A",
  "\\z",
  "\\C",
  "\\n",
  "\\_",
  "\\-",
  "\\]",
  "a-z",
  "\\1",
  "\\07",
];

test("checkRegex() lets nothing through that weft's proxy refuses", () => {
  const pattern = fc
    .array(fc.constantFrom(...PIECES), { maxLength: 12 })
    .map((all) => all.join(""));
  fc.assert(
    fc.property(pattern, (text) => {
      if (checkRegex(text) !== undefined) return;
      expect(compileRegex(text)).toMatchObject({ ok: true });
    }),
    { numRuns: 5000, seed: 1 },
  );
});

test("checkRegex() refuses what Envoy refuses", () => {
  expect(REFUSED_PATTERNS.filter((pattern) => checkRegex(pattern) === undefined)).toEqual([]);
});

test("checkRegex() takes most of what Envoy takes", () => {
  expect(PATTERNS.filter((pattern) => checkRegex(pattern) !== undefined)).toEqual([
    "\\07",
    "\\141",
  ]);
});
