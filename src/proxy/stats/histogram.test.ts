import { describe, expect, test } from "vitest";
import { countsUpTo, Histogram, quantilesOf } from "./histogram.ts";

function recorded(values: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.add(value);
  histogram.endInterval();
  return histogram;
}

describe("Histogram", () => {
  // What the real Envoy printed for the same values.
  test.each([
    [
      [0, 0, 4],
      [0, 0, 0, 4.05, 4.05, 4.05, 4.05, 4.05, 4.05, 4.05],
    ],
    [
      [0, 0, 0, 7],
      [0, 0, 0, 0, 7.05, 7.05, 7.05, 7.05, 7.05, 7.05],
    ],
    [
      [1, 1, 1, 1],
      [1.02, 1.02, 1.04, 1.06, 1.08, 1.08, 1.08, 1.08, 1.08, 1.08],
    ],
    [[31], [31.5, 31.5, 31.5, 31.5, 31.5, 31.5, 31.5, 31.5, 31.5, 31.5]],
  ])("tells the quantiles of %j", (values, quantiles) => {
    const found = quantilesOf(recorded(values).cumulative());
    expect(found.map((one) => Number(one.toPrecision(6)))).toEqual(quantiles);
  });

  test("tells what came of late from what came ever", () => {
    const histogram = recorded([5, 50]);
    histogram.add(500);
    expect(countsUpTo(histogram.interval(), [5, 10, 100])).toEqual([1, 1, 2]);
    histogram.endInterval();
    expect(histogram.interval()).toMatchObject({ count: 1, sum: 500 });
    expect(histogram.cumulative()).toMatchObject({ count: 3, sum: 555 });
    histogram.endInterval();
    expect(quantilesOf(histogram.interval())[0]).toBeNaN();
  });
});
