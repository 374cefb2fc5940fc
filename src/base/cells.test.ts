import { describe, expect, test } from "vitest";
import { CellMap } from "./cell-map.ts";
import { CellGraph, isSameList } from "./cells.ts";
import { memoise } from "./memo.ts";
import { createPrng } from "./prng.ts";

describe("a cell", () => {
  test("is computed when it is asked for, and again only when what it read changed", () => {
    const graph = new CellGraph();
    const [a, b] = [graph.input(1), graph.input(10)];
    let runs = 0;
    const sum = graph.cell(() => {
      runs += 1;
      return a.get() > 0 ? a.get() : b.get();
    });
    expect(runs).toBe(0);
    expect([sum.get(), sum.get(), runs]).toEqual([1, 1, 1]);
    b.set(20);
    expect([sum.get(), runs]).toEqual([1, 1]);
    a.set(-1);
    expect([sum.get(), runs]).toEqual([20, 2]);
    b.set(30);
    expect([sum.get(), runs]).toEqual([30, 3]);
    a.set(-1);
    expect([sum.get(), runs]).toEqual([30, 3]);
  });

  test("stops a change that makes no difference to it", () => {
    const graph = new CellGraph();
    const list = graph.input<readonly number[]>([1, 2]);
    const even = graph.cell(() => list.get().filter((one) => one % 2 === 0), isSameList);
    let runs = 0;
    const count = graph.cell(() => {
      runs += 1;
      return even.get().length;
    });
    expect(count.get()).toBe(1);
    const before = even.get();
    list.set([1, 2, 3]);
    expect(count.get()).toBe(1);
    expect(even.get()).toBe(before);
    expect(runs).toBe(1);
    list.set([1, 2, 4]);
    expect([count.get(), runs]).toEqual([2, 2]);
  });

  test("throws what its computation throws, until that goes well", () => {
    const graph = new CellGraph();
    const value = graph.input(0);
    const inverse = graph.cell(() => {
      if (value.get() === 0) throw new Error("no inverse");
      return 1 / value.get();
    });
    const half = graph.cell(() => inverse.get() / 2);
    expect(() => half.get()).toThrow("no inverse");
    value.set(2);
    expect(half.get()).toBe(0.25);
    value.set(0);
    expect(() => half.get()).toThrow("no inverse");
    value.set(1);
    expect(half.get()).toBe(0.5);
  });

  test("may not be computed from itself, nor set an input", () => {
    const graph = new CellGraph();
    const input = graph.input(1);
    const loop: { get(): number } = graph.cell((): number => loop.get() + 1);
    expect(() => loop.get()).toThrow("computed from itself");
    expect(() => graph.cell(() => input.set(2)).get()).toThrow("from outside");
  });

  test("may not be read by a function that is remembered by its arguments", () => {
    const graph = new CellGraph();
    const input = graph.input(1);
    const wrong = memoise((scale: { readonly by: number }) => scale.by * input.get());
    expect(() => graph.cell(() => wrong({ by: 2 })).get()).toThrow("only its arguments");
  });

  test("is computed anew when somebody kept it and asks after it was dropped", () => {
    const graph = new CellGraph();
    const list = graph.input([1, 2]);
    const doubled = graph.cell(() => list.get().map((value) => value * 2), isSameList);
    expect(doubled.get()).toEqual([2, 4]);
    for (let turn = 0; turn < 20; turn += 1) graph.turn();
    expect(graph.size).toBe(0);
    list.set([3]);
    expect(doubled.get()).toEqual([6]);
    expect(graph.size).toBe(1);
    const sum = graph.cell(() => doubled.get().reduce((left, right) => left + right, 0));
    expect(sum.get()).toBe(6);
    list.set([4]);
    expect([sum.get(), graph.size]).toEqual([8, 2]);
    for (let turn = 0; turn < 20; turn += 1) graph.turn();
    expect(graph.size).toBe(0);
  });

  test("is dropped when nobody asks for it any more", () => {
    const graph = new CellGraph();
    const input = graph.input(1);
    const doubled = graph.family((key: string) => input.get() * key.length);
    const root = graph.cell(() => doubled.get(input.get() > 1 ? "bb" : "a"));
    expect(root.get()).toBe(1);
    expect(graph.size).toBe(2);
    input.set(2);
    for (let turn = 0; turn < 20; turn += 1) {
      graph.turn();
      expect(root.get()).toBe(4);
    }
    expect(graph.size).toBe(2);
    for (let turn = 0; turn < 20; turn += 1) graph.turn();
    expect(graph.size).toBe(0);
    expect(root.get()).toBe(4);
  });
});

describe("CellMap", () => {
  test("changes for those alone who asked for what changed", () => {
    const graph = new CellGraph();
    const input = graph.input<ReadonlyMap<string, number>>(new Map([["a", 1]]));
    const map = new CellMap(graph, input);
    const runs = { a: 0, b: 0, all: 0 };
    const a = graph.cell(() => [(runs.a += 1), map.get("a")]);
    const b = graph.cell(() => [(runs.b += 1), map.get("b")]);
    const all = graph.cell(() => [(runs.all += 1), [...map.keys()].join()]);
    const read = (): unknown => [a.get()[1], b.get()[1], all.get()[1]];
    expect(read()).toEqual([1, undefined, "a"]);
    input.set(
      new Map([
        ["a", 1],
        ["b", 2],
      ]),
    );
    expect(read()).toEqual([1, 2, "a,b"]);
    expect(runs).toEqual({ a: 1, b: 2, all: 2 });
  });
});

test("random graphs answer as if everything were computed anew", () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const prng = createPrng(seed);
    const below = (bound: number): number => Math.floor(prng.next() * bound);
    const graph = new CellGraph();
    const values = Array.from({ length: 5 }, () => below(4));
    const inputs = values.map((value) => graph.input(value));
    // Each layer reads some of the layers below it, which ones depends on what it reads first.
    const rules = Array.from({ length: 12 }, () => [below(5), below(12), below(12), below(3)]);
    const at = (
      index: number,
      read: (i: number) => number,
      input: (i: number) => number,
    ): number => {
      const [from = 0, left = 0, right = 0, kind = 0] = rules[index] ?? [];
      const first = input(from);
      const chosen = (first % 2 === 0 ? left : right) % (index + 1);
      const second = chosen === index ? 0 : read(chosen);
      return kind === 0 ? first + second : kind === 1 ? Math.min(first, second) : second % 2;
    };
    const cells = rules.map((_, index) =>
      graph.cell((): number =>
        at(
          index,
          (i) => cells[i]?.get() ?? 0,
          (i) => inputs[i]?.get() ?? 0,
        ),
      ),
    );
    const plain = (index: number): number => at(index, plain, (i) => values[i] ?? 0);
    for (let step = 0; step < 30; step += 1) {
      const which = below(5);
      values[which] = below(4);
      inputs[which]?.set(values[which] ?? 0);
      graph.turn();
      const asked = below(12);
      expect(cells[asked]?.get()).toBe(plain(asked));
    }
  }
});
