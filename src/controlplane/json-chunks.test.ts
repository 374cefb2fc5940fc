import { describe, expect, it } from "vitest";
import { JsonList, JsonRecord, jsonChunks } from "./json-chunks.ts";

const text = (value: unknown, indent = 0): string => [...jsonChunks(value, indent)].join("");

describe("jsonChunks()", () => {
  it.each([
    ["null", null],
    ["text", 'a "b"\n'],
    ["an object", { a: [1, { b: null }], c: undefined, d: {} }],
    ["nothing", []],
  ])("writes %s as JSON.stringify does", (_name, value) => {
    expect(text(value)).toBe(JSON.stringify(value));
    expect(text(value, 2)).toBe(JSON.stringify(value, null, 2));
  });

  it("writes lists and records of lists as JSON.stringify writes the same values", () => {
    const plain = { a: [1, { b: [2, 3] }], none: [], c: { d: "e\nf" }, empty: {} };
    const lazy = new JsonRecord(() => [
      ["a", new JsonList(() => [1, new JsonRecord(() => [["b", new JsonList(() => [2, 3])]])])],
      ["none", new JsonList(() => [])],
      ["gone", undefined],
      ["c", { d: "e\nf" }],
      ["empty", new JsonRecord(() => [])],
    ]);
    expect(text(lazy)).toBe(JSON.stringify(plain));
    expect(text(lazy, 2)).toBe(JSON.stringify(plain, null, 2));
  });

  it("shows what is in maps and sets", () => {
    expect(text({ map: new Map([["a", new Set([1])]]) })).toBe('{"map":{"a":[1]}}');
  });

  it("makes an element only when its turn comes", () => {
    let made = 0;
    const chunks = jsonChunks(
      new JsonList(function* () {
        for (;;) yield (made += 1);
      }),
      0,
    );
    expect([chunks.next().value, chunks.next().value, chunks.next().value]).toEqual(["[", "", "1"]);
    expect(made).toBe(1);
  });
});
