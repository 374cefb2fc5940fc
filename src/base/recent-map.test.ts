import { describe, expect, it } from "vitest";
import { RecentMap } from "./recent-map.ts";

describe("RecentMap", () => {
  it("lets go of what was not used for the longest time", () => {
    const map = new RecentMap<string, number>(2);
    expect(map.set("a", 1)).toBeUndefined();
    expect(map.set("b", 2)).toBeUndefined();
    expect(map.get("a")).toBe(1);
    expect(map.set("c", 3)).toBe("b");
    expect([...map]).toEqual([
      ["a", 1],
      ["c", 3],
    ]);
  });

  it("does not count a look as use, nor a value set again as another", () => {
    const map = new RecentMap<string, number>(2);
    map.set("a", 1);
    map.set("b", 2);
    expect(map.peek("a")).toBe(1);
    expect(map.set("b", 3)).toBeUndefined();
    expect(map.set("c", 4)).toBe("a");
    expect(map.peek("a")).toBeUndefined();
    expect(map.size).toBe(2);
  });
});
