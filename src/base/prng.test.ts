import { expect, test } from "vitest";
import { createPrng } from "./prng.ts";

test("createPrng() gives the same numbers for the same seed", () => {
  const numbers = (seed: number): number[] => {
    const prng = createPrng(seed);
    return Array.from({ length: 5 }, () => prng.next());
  };
  expect(numbers(7)).toEqual(numbers(7));
  expect(numbers(7)).not.toEqual(numbers(8));
});

test("createPrng() spreads evenly over [0, 1)", () => {
  const prng = createPrng(42);
  const buckets = Array.from({ length: 10 }, () => 0);
  for (let draw = 0; draw < 100_000; draw++) {
    const bucket = Math.floor(prng.next() * 10);
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  // Ten times the standard deviation (95) around the mean of 10,000.
  for (const count of buckets) expect(Math.abs(count - 10_000)).toBeLessThan(950);
});
