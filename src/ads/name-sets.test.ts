import { describe, expect, test } from "vitest";
import { NameSets } from "./name-sets.ts";

describe("NameSets", () => {
  test("keeps one value for equal names, in whatever order and by whatever way", () => {
    const sets = new NameSets();
    const first = sets.of(["b", "a", "c"]);
    expect(sets.of(["c", "b", "a"])).toBe(first);
    expect(sets.with(sets.of(["c"]), ["a", "b", "a"])).toBe(first);
    expect(sets.without(sets.with(first, ["d"]), ["d", "e"])).toBe(first);
    expect([...first.names]).toEqual(["a", "b", "c"]);
  });

  test("does not decode the same bytes twice", () => {
    const sets = new NameSets();
    const first = sets.ofBytes(Buffer.from("x"), () => ["a"]);
    expect(sets.ofBytes(Buffer.from("x"), () => expect.unreachable())).toBe(first);
    expect(sets.of(["a"])).toBe(first);
  });

  test("forgets what was not used for longest, and that harms nobody", () => {
    const sets = new NameSets(4);
    const used = sets.of(["a", "b"]);
    sets.of(["c"]);
    expect(sets.of(["a", "b"])).toBe(used);
    const large = sets.of(["d", "e"]);
    expect(sets.kept).toBe(4);
    expect(sets.of(["d", "e"])).toBe(large);
    expect(sets.of(["c"]).names).toEqual(new Set(["c"]));
  });
});
