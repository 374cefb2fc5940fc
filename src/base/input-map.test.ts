import { describe, expect, test } from "vitest";
import { wholeOf } from "./cell-map.ts";
import { CellGraph } from "./cells.ts";
import { InputMap } from "./input-map.ts";

function setUp(isEqual?: (last: string, next: string) => boolean) {
  const graph = new CellGraph();
  const first = new Map([
    ["a", "1"],
    ["b", "1"],
  ]);
  const map = new InputMap(graph, first, isEqual);
  const read: string[] = [];
  const cellOf = (key: string) =>
    graph.cell(() => {
      read.push(key);
      return map.get(key);
    });
  return { graph, map, read, cellOf };
}

describe("InputMap", () => {
  test("concerns those alone who asked for what changed, came or went", () => {
    const { map, read, cellOf } = setUp();
    const cells = ["a", "b", "c"].map(cellOf);
    const values = (): unknown => cells.map((cell) => cell.get());
    expect(values()).toEqual(["1", "1", undefined]);
    read.length = 0;
    map.set(
      new Map([
        ["a", "1"],
        ["b", "2"],
      ]),
    );
    expect(values()).toEqual(["1", "2", undefined]);
    expect(read).toEqual(["b"]);
    map.set(new Map([["c", "3"]]));
    expect(values()).toEqual([undefined, undefined, "3"]);
    expect(read).toEqual(["b", "a", "b", "c"]);
    expect(map.has("a")).toBe(false);
  });

  test("concerns those who look at all of it whatever changes", () => {
    const { graph, map } = setUp();
    const size = graph.cell(() => [...map.keys()].join());
    expect(size.get()).toBe("a,b");
    map.set(new Map([["c", "1"]]));
    expect(size.get()).toBe("c");
    expect(wholeOf(map)).toEqual(new Map([["c", "1"]]));
  });

  test("keeps a value that is equal to the last", () => {
    const { map, read, cellOf } = setUp((last, next) => last.length === next.length);
    const cell = cellOf("a");
    cell.get();
    read.length = 0;
    map.set(new Map([["a", "2"]]));
    expect(cell.get()).toBe("1");
    map.set(new Map([["a", "22"]]));
    expect(cell.get()).toBe("22");
    expect(read).toEqual(["a"]);
  });

  test("is right for a key that was asked for again after nobody depended on it", () => {
    const { map } = setUp();
    expect(map.get("a")).toBe("1");
    map.set(new Map([["a", "2"]]));
    map.set(new Map([["a", "3"]]));
    expect(map.get("a")).toBe("3");
  });
});
