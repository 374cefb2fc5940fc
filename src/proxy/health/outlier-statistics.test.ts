import { describe, expect, test } from "vitest";
import { NO_RATE, SuccessWindow, successRates } from "./outlier-statistics.ts";

describe("successRates()", () => {
  // Envoy's own example: 50, 100, 100, 100, 100 at 1.9 deviations.
  test.each([
    { rates: [50, 100, 100, 100, 100], deviations: 1.9, average: 90, threshold: 52 },
    { rates: [50, 100, 100, 100, 100], deviations: 0, average: 90, threshold: 90 },
    { rates: [75], deviations: 1.9, average: 75, threshold: 75 },
    { rates: [0, 100], deviations: 1.9, average: 50, threshold: -45 },
    { rates: [100, 100, 100], deviations: 3, average: 100, threshold: 100 },
  ])("of $rates at $deviations deviations", ({ rates, deviations, average, threshold }) => {
    expect(successRates(rates, deviations)).toEqual({ average, threshold });
  });
});

describe("SuccessWindow", () => {
  test("tells the interval that ended last, and only that", () => {
    const window = new SuccessWindow();
    for (const isSuccess of [true, true, true, false]) window.add(isSuccess);
    expect(window.endedTotal).toBe(0);
    window.turn();
    expect([window.endedTotal, window.endedRate]).toEqual([4, 75]);
    window.add(false);
    expect([window.endedTotal, window.endedRate]).toEqual([4, 75]);
    window.turn();
    expect([window.endedTotal, window.endedRate]).toEqual([1, 0]);
  });

  test("has no rate from an interval's end until somebody sets it", () => {
    const window = new SuccessWindow();
    window.rate = 50;
    window.turn();
    expect(window.rate).toBe(NO_RATE);
  });
});
