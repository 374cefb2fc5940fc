import { describe, expect, test } from "vitest";
import { layeredMap, layersOf, type ResourceMap, resourceChanges } from "./resource-map.ts";
import type { XdsResource } from "./snapshot.ts";

function resource(name: string, version: string): XdsResource {
  return { name, version, body: new Uint8Array(), origins: [], references: [] };
}

function mapOf(...names: readonly string[]): ResourceMap {
  return new Map(
    names.map((text) => {
      const [name = "", version = "1"] = text.split("@");
      return [name, resource(name, version)];
    }),
  );
}

describe("layeredMap()", () => {
  test("is one map in which the earlier layer counts", () => {
    const map = layeredMap(mapOf("a", "b@2"), mapOf("b@1", "c"));
    expect([...map.keys()]).toEqual(["a", "b", "c"]);
    expect(map.size).toBe(3);
    expect(map.get("b")?.version).toBe("2");
    expect(map.has("d")).toBe(false);
  });

  test("is the same value for the same layers, and the layer itself when there is one", () => {
    const [own, shared] = [mapOf("a"), mapOf("b")];
    expect(layeredMap(own, shared)).toBe(layeredMap(own, shared));
    expect(layeredMap(new Map(), shared)).toBe(shared);
    expect(layersOf(layeredMap(own, shared))).toEqual([own, shared]);
  });
});

describe("resourceChanges()", () => {
  const cases: readonly (readonly [string, ResourceMap, ResourceMap, string, string])[] = [
    ["one layer", mapOf("a", "b", "c"), mapOf("a@2", "b", "d"), "a d", "c"],
    [
      "own layer",
      layeredMap(mapOf("a"), mapOf("s")),
      layeredMap(mapOf("a@2"), mapOf("s")),
      "a",
      "",
    ],
    ["a layer more", mapOf("s"), layeredMap(mapOf("a"), mapOf("s")), "a", ""],
    ["a layer less", layeredMap(mapOf("a"), mapOf("s")), mapOf("s"), "", "a"],
    [
      "moved",
      layeredMap(mapOf("a", "x"), mapOf("s")),
      layeredMap(mapOf("a"), mapOf("s", "x@2")),
      "x",
      "",
    ],
    [
      "uncovered",
      layeredMap(mapOf("a", "s@2"), mapOf("s")),
      layeredMap(mapOf("a"), mapOf("s")),
      "s",
      "",
    ],
  ];
  test.each(cases)("%s", (_name, before, after, changed, removed) => {
    const found = resourceChanges(before, after);
    expect([...found.changed].sort().join(" ")).toBe(changed);
    expect([...found.removed].sort().join(" ")).toBe(removed);
  });

  test("computes what two layers differ in once", () => {
    const [before, after] = [mapOf("a"), mapOf("a@2")];
    expect(resourceChanges(before, after)).toBe(resourceChanges(before, after));
  });
});
