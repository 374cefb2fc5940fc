import { describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { NO_RUNTIME } from "../../match/runtime-reader.ts";
import { firstWaitMs, type IntervalDeps, nextWaitMs, type Transition } from "./check-interval.ts";
import type { IntervalConfig } from "./health-config.ts";

const CONFIG: IntervalConfig = {
  intervalMs: 1000,
  initialJitterMs: 0,
  jitterMs: 0,
  jitterPercent: 0,
  noTrafficMs: 60_000,
  noTrafficHealthyMs: 90_000,
  unhealthyMs: 2000,
  unhealthyEdgeMs: 300,
  healthyEdgeMs: 400,
};

function deps(values: Readonly<Record<string, number>> = {}): IntervalDeps {
  const runtime = { ...NO_RUNTIME, integer: (key: string) => values[key] };
  return { prng: createPrng(1), runtime };
}

/** Many draws: the least and the most. */
function range(draw: () => number): readonly [least: number, most: number] {
  const draws = Array.from({ length: 2000 }, draw);
  return [Math.min(...draws), Math.max(...draws)];
}

describe("nextWaitMs()", () => {
  test.each([
    [true, "unchanged", true, 1000],
    [true, "changed", true, 1000],
    [true, "pending", true, 400],
    [false, "unchanged", true, 2000],
    [false, "changed", true, 2000],
    [false, "pending", true, 300],
    [true, "unchanged", false, 90_000],
    [true, "changed", false, 90_000],
    [true, "pending", false, 60_000],
    [false, "unchanged", false, 60_000],
    [false, "pending", false, 60_000],
  ] as const)("success %s, %s, traffic %s: %i ms", (isSuccess, transition, hasTraffic, waitMs) => {
    const last = { isSuccess, transition: transition as Transition, hasTraffic };
    expect(nextWaitMs(CONFIG, last, deps())).toBe(waitMs);
  });

  const LAST = { isSuccess: true, transition: "unchanged", hasTraffic: true } as const;

  test("spreads by a time, by a share, and by both", () => {
    const shared = deps();
    const draw = (changes: Partial<IntervalConfig>) => () =>
      nextWaitMs({ ...CONFIG, ...changes }, LAST, shared);
    expect(range(draw({ jitterMs: 100 }))).toEqual([1000, 1099]);
    expect(range(draw({ jitterPercent: 10 }))).toEqual([1000, 1099]);
    const [least, most] = range(draw({ jitterMs: 100, jitterPercent: 10 }));
    expect(least).toBeGreaterThanOrEqual(1000);
    expect(least).toBeLessThan(1020);
    expect(most).toBeGreaterThan(1180);
    expect(most).toBeLessThanOrEqual(1198);
  });

  test("keeps to what an operator says, and is never nothing", () => {
    const wait = (values: Readonly<Record<string, number>>, intervalMs = 1000): number =>
      nextWaitMs({ ...CONFIG, intervalMs }, LAST, deps(values));
    expect(wait({ "health_check.max_interval": 500 })).toBe(500);
    expect(wait({ "health_check.min_interval": 1500 })).toBe(1500);
    expect(wait({ "health_check.min_interval": 700, "health_check.max_interval": 500 })).toBe(700);
    expect(wait({}, 0)).toBe(1);
  });
});

describe("firstWaitMs()", () => {
  test("is nothing, or anything up to the jitter", () => {
    const shared = deps();
    expect(firstWaitMs({ ...CONFIG, jitterMs: 50 }, shared)).toBe(0);
    const draw = (): number => firstWaitMs({ ...CONFIG, initialJitterMs: 50 }, shared);
    expect(range(draw)).toEqual([1, 49]);
  });
});
