import { describe, expect, test } from "vitest";
import { PatchedMap } from "./patched-map.ts";
import { createPrng } from "./prng.ts";

describe("PatchedMap", () => {
  test("is the map that all changes lead to, in its order", () => {
    const prng = createPrng(1);
    let plain = new Map(Array.from({ length: 100 }, (_, at) => [`key-${at}`, at]));
    let patched = new PatchedMap(plain);
    for (let turn = 0; turn < 500; turn++) {
      const changes = new Map<string, number | undefined>();
      for (let at = 0; at <= prng.next() * 3; at++) {
        const key = `key-${Math.floor(prng.next() * 120)}`;
        changes.set(key, prng.next() < 0.2 ? undefined : turn);
      }
      const before = patched;
      patched = patched.with(changes);
      plain = new Map(plain);
      for (const [key, value] of changes) {
        if (value === undefined) plain.delete(key);
        else plain.set(key, value);
      }
      expect(patched.size).toBe(plain.size);
      expect(new Map(patched)).toEqual(plain);
      for (const key of changes.keys()) {
        expect([patched.get(key), patched.has(key)]).toEqual([plain.get(key), plain.has(key)]);
      }
      const differing = [...new Set([...before.keys(), ...patched.keys()])].filter(
        (key) => before.get(key) !== patched.get(key),
      );
      const told = patched.changedKeys(before);
      expect(differing.filter((key) => told?.has(key) === false)).toEqual([]);
    }
  });

  test("keeps the order of keys whose values change", () => {
    const map = new PatchedMap(new Map(Object.entries({ a: 1, b: 2, c: 3 })));
    const changed = map.with(new Map([["b", 5]])).with(new Map([["d", 4]]));
    expect([...changed]).toEqual([
      ["a", 1],
      ["b", 5],
      ["c", 3],
      ["d", 4],
    ]);
    expect(changed.changedKeys(map)).toEqual(new Set(["b", "d"]));
    expect(changed.changedKeys(new PatchedMap(new Map([["a", 1]])))).toBeUndefined();
  });

  test("costs its changes, not its size, however many come", () => {
    let walks = 0;
    class Counted extends Map<string, number> {
      override *[Symbol.iterator](): MapIterator<[string, number]> {
        walks += 1;
        yield* super[Symbol.iterator]();
      }
    }
    const base = new Counted(Array.from({ length: 1000 }, (_, at) => [`key-${at}`, at]));
    let map = new PatchedMap(base);
    walks = 0;
    for (let turn = 0; turn < 90; turn++) map = map.with(new Map([[`key-${turn}`, -1]]));
    expect(walks).toBe(0);
    for (let turn = 90; turn < 100; turn++) map = map.with(new Map([[`key-${turn}`, -1]]));
    expect(walks).toBe(1);
    expect(map.base).not.toBe(base);
  });
});
