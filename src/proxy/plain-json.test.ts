import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parsePlainJson } from "./plain-json.ts";

describe("parsePlainJson()", () => {
  it("gives what JSON.parse gives", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parsePlainJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it.each([
    ["a name twice", '{"a": 1, "b": {"c": 1, "c": 1}}'],
    ["a merge key", '{"<<": {"a": 1}}'],
    ["YAML", "a: 1"],
    ["a comment", '{"a": 1} # one'],
    ["nothing", ""],
  ])("leaves %s to YAML's parser", (_, text) => {
    expect(parsePlainJson(text)).toBeUndefined();
  });

  it("is not misled by colons and quotes in strings", () => {
    const value = { "a:b": ['\\"', ":", "{"], 'c"': "\\" };
    expect(parsePlainJson(JSON.stringify(value))).toEqual(value);
  });
});
