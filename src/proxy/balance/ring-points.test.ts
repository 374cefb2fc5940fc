import { describe, expect, test } from "vitest";
import { RingPoints } from "./ring-points.ts";

function pointsOf(...all: readonly (readonly [high: number, low: number])[]): RingPoints {
  const points = RingPoints.withRoom(all.length);
  for (const [owner, [high, low]] of all.entries()) points.put(owner, { high, low }, owner, 0);
  return points.sorted();
}

describe("RingPoints", () => {
  test("finds the first point at or behind a hash", () => {
    const points = pointsOf([0x8000_0000, 5], [7, 9], [0x8000_0000, 3], [0xffff_ffff, 0xffff_fff0]);
    const owners = (high: number, low: number): readonly number[] =>
      [0, 1, 4, 6].map((further) => points.find({ high, low }, further));
    expect(owners(0, 0)).toEqual([1, 2, 1, 0]);
    expect(owners(7, 9)).toEqual([1, 2, 1, 0]);
    expect(owners(7, 10)[0]).toBe(2);
    expect(owners(0x8000_0000, 3)[0]).toBe(2);
    expect(owners(0x8000_0000, 4)[0]).toBe(0);
    expect(owners(0x8000_0000, 6)[0]).toBe(3);
    // Behind the last one comes the first.
    expect(owners(0xffff_ffff, 0xffff_fff1)).toEqual([1, 2, 1, 0]);
  });

  test("finds nobody where there is none", () => {
    expect(pointsOf().find({ high: 1, low: 2 }, 0)).toBe(-1);
  });

  test("keeps equal points in the order of their owners", () => {
    const points = pointsOf([5, 5], [5, 4], [5, 5], [5, 5]);
    expect([0, 1, 2, 3].map((further) => points.find({ high: 0, low: 0 }, further))).toEqual([
      1, 0, 2, 3,
    ]);
  });
});
