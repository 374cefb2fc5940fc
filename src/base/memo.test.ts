import { describe, expect, test } from "vitest";
import { keepIdentity, memoise } from "./memo.ts";

describe("memoise()", () => {
  test("computes once for the same arguments, by identity", () => {
    let computed = 0;
    const pair = memoise((left: object, right: object | undefined, text: string) => {
      computed += 1;
      return { left, right, text };
    });
    const [a, b] = [{}, {}];
    expect(pair(a, b, "x")).toBe(pair(a, b, "x"));
    expect(pair(a, undefined, "x")).toBe(pair(a, undefined, "x"));
    expect(computed).toBe(2);
  });

  test("computes again when any one argument is another", () => {
    const tuple = memoise((...args: readonly [object, object, string, number]) => args);
    const [a, b, c] = [{}, {}, {}];
    const base = tuple(a, b, "x", 1);
    expect(tuple(c, b, "x", 1)).not.toBe(base);
    expect(tuple(a, c, "x", 1)).not.toBe(base);
    expect(tuple(a, b, "y", 1)).not.toBe(base);
    expect(tuple(a, b, "x", 2)).not.toBe(base);
  });

  test("tells a shorter argument list from a longer one", () => {
    const sum = memoise((first: object, ...rest: readonly object[]) => [first, ...rest].length);
    const [a, b] = [{}, {}];
    expect([sum(a), sum(a, b), sum(a)]).toEqual([1, 2, 1]);
  });

  test("remembers that there was nothing", () => {
    let computed = 0;
    const none = memoise((key: object): undefined => {
      computed += Number(key !== undefined);
    });
    const key = {};
    none(key);
    none(key);
    expect(computed).toBe(1);
  });
});

test("keepIdentity() keeps the earlier array only when it has the same elements", () => {
  const [a, b] = [{}, {}];
  const earlier = [a, b];
  expect(keepIdentity(earlier, [a, b])).toBe(earlier);
  expect(keepIdentity(earlier, [b, a])).toEqual([b, a]);
  expect(keepIdentity(earlier, [a])).toEqual([a]);
  expect(keepIdentity(undefined, earlier)).toBe(earlier);
});
