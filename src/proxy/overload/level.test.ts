import { describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { Level, percentOf } from "./level.ts";

const THRESHOLD = { resource: "a", trigger: { kind: "threshold", value: 0.9 } } as const;
const SCALED = { resource: "b", trigger: { kind: "scaled", from: 0.5, to: 0.9 } } as const;

describe("a level", () => {
  test.each([
    [0, 0],
    [0.89, 0],
    [0.9, 1],
    [1, 1],
  ])("with a threshold of 0.9 at %d is %d", (pressure, value) => {
    const level = new Level({ name: "x", triggers: [THRESHOLD] });
    level.update("a", pressure);
    expect(level.value).toBe(value);
    expect(level.isSaturated).toBe(value === 1);
  });

  test.each([
    [0.4, 0],
    [0.5, 0],
    [0.6, 25],
    [0.7, 50],
    [0.8, 75],
    [0.9, 100],
    [0.95, 100],
  ])("that grows from 0.5 to 0.9 at %d is %d %%", (pressure, percent) => {
    const level = new Level({ name: "x", triggers: [SCALED] });
    level.update("b", pressure);
    expect(percentOf(level.value)).toBeCloseTo(percent, -0.5);
  });

  test("is as high as its highest trigger", () => {
    const level = new Level({ name: "x", triggers: [THRESHOLD, SCALED] });
    expect(level.update("b", 0.7)).toBeDefined();
    expect(level.value).toBeCloseTo(0.5);
    expect(level.update("a", 0.95)).toEqual({ asked: 1 });
    expect(level.value).toBe(1);
    expect(level.update("a", 0)).toEqual({ asked: 0 });
    expect(level.value).toBeCloseTo(0.5);
    expect(level.update("a", 0.1)).toBeUndefined();
    expect(level.update("c", 1)).toBeUndefined();
  });

  test("strikes as often as it says, and draws only when it must", () => {
    const level = new Level({ name: "x", triggers: [SCALED] });
    const never = {
      next(): number {
        throw new Error("drawn");
      },
    };
    expect(level.strikes(never)).toBe(false);
    level.update("b", 1);
    expect(level.strikes(never)).toBe(true);
    level.update("b", 0.6);
    const prng = createPrng(7);
    const draws = 10_000;
    let strikes = 0;
    for (let at = 0; at < draws; at++) if (level.strikes(prng)) strikes++;
    // Five standard deviations of a share of a quarter.
    expect(Math.abs(strikes / draws - 0.25)).toBeLessThan(5 * Math.sqrt(0.1875 / draws));
  });
});
