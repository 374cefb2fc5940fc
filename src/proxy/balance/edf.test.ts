import { describe, expect, test } from "vitest";
import { EdfSchedule } from "./edf.ts";

function picks(weights: readonly number[], count: number): number[] {
  const schedule = new EdfSchedule(weights.length, (at) => weights[at] ?? 1);
  return Array.from({ length: count }, () => schedule.pick());
}

describe("EdfSchedule", () => {
  test("spreads entries as evenly as their weights allow", () => {
    expect(picks([1, 1, 2], 8).join("")).toBe("20122012");
    expect(picks([5, 1, 1], 7).join("")).toBe("0000120");
  });

  test("gives every entry its share", () => {
    const weights = Array.from({ length: 100 }, (_, at) => at + 1);
    const counts = weights.map(() => 0);
    for (const at of picks(weights, 50_500)) counts[at] = (counts[at] ?? 0) + 1;
    for (const [at, weight] of weights.entries()) {
      expect(Math.abs((counts[at] ?? 0) - weight * 10)).toBeLessThanOrEqual(1);
    }
  });

  test("keeps weights apart, however far they are", () => {
    const light = picks([4_294_967_295, 1], 100_000).filter((at) => at === 1);
    expect(light).toHaveLength(0);
    expect(picks([99, 1], 1000).filter((at) => at === 1)).toHaveLength(10);
  });

  test("asks for weights anew", () => {
    let weight = 1;
    const schedule = new EdfSchedule(2, (at) => (at === 0 ? weight : 1));
    expect([schedule.pick(), schedule.pick()]).toEqual([0, 1]);
    weight = 100;
    schedule.pick();
    expect(Array.from({ length: 10 }, () => schedule.pick()).filter((at) => at === 1)).toEqual([1]);
  });
});
