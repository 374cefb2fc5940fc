import { describe, expect, test } from "vitest";
import type { Host } from "../cluster/host.ts";
import type { HostSet } from "./host-set.ts";
import { placeDraw, spreadLoad } from "./priority-load.ts";

/** A priority with so many hosts of each kind. */
interface Counts {
  readonly healthy: number;
  readonly degraded?: number;
  readonly all?: number;
  readonly excluded?: number;
}

function setsOf(counts: readonly Counts[], overprovisioningPercent: number): readonly HostSet[] {
  // Nobody looks at more than how many there are.
  const some = (count: number): readonly Host[] => Array.from<Host>({ length: count });
  return counts.map(({ healthy, degraded = 0, all = 100, excluded = 0 }, priority) => ({
    hosts: some(all),
    healthy: some(healthy),
    degraded: some(degraded),
    excluded: some(excluded),
    overprovisioningPercent,
    weighsPriorityHealth: false,
    priority,
    localities: [],
    hasOwnLocality: false,
  }));
}

function loadOf(
  counts: readonly Counts[],
  { panicPercent = 50, overprovisioningPercent = 140 } = {},
): { healthy: readonly number[]; degraded: readonly number[]; panic: readonly boolean[] } {
  const { load, isPanic } = spreadLoad(setsOf(counts, overprovisioningPercent), panicPercent);
  return { ...load, panic: isPanic };
}

const percents = (...values: readonly number[]): readonly Counts[] =>
  values.map((healthy) => ({ healthy }));

describe("spreadLoad()", () => {
  // The tables of Envoy's documentation, "Priority levels".
  test.each([
    { health: [100, 100], load: [100, 0] },
    { health: [72, 72], load: [100, 0] },
    { health: [71, 71], load: [99, 1] },
    { health: [50, 50], load: [70, 30] },
    { health: [25, 100], load: [35, 65] },
    { health: [25, 25], load: [50, 50] },
    { health: [100, 100, 100], load: [100, 0, 0] },
    { health: [72, 72, 100], load: [100, 0, 0] },
    { health: [71, 71, 100], load: [99, 1, 0] },
    { health: [50, 50, 100], load: [70, 30, 0] },
    { health: [25, 100, 100], load: [35, 65, 0] },
    { health: [25, 25, 100], load: [35, 35, 30] },
    // 35, 35 and 28 of 98 make 35, 35 and 28; what rounding leaves goes to the first.
    { health: [25, 25, 20], load: [37, 35, 28] },
  ])("gives priorities of $health % healthy hosts $load %", ({ health, load }) => {
    expect(loadOf(percents(...health), { panicPercent: 0 }).healthy).toEqual(load);
  });

  // "Panic threshold", with the threshold of 50 %.
  test.each([
    { health: [72, 72], load: [100, 0], panic: [false, false] },
    { health: [71, 71], load: [99, 1], panic: [false, false] },
    { health: [50, 60], load: [70, 30], panic: [false, false] },
    { health: [25, 25], load: [50, 50], panic: [true, true] },
    { health: [5, 65], load: [8, 92], panic: [true, false] },
    { health: [0, 0], load: [50, 50], panic: [true, true] },
    { health: [0, 100], load: [0, 100], panic: [false, false] },
  ])("panics with $health % healthy hosts: $panic, $load %", ({ health, load, panic }) => {
    expect(loadOf(percents(...health))).toMatchObject({ healthy: load, panic });
  });

  // "Degraded endpoints".
  test.each([
    { first: { healthy: 100, degraded: 0 }, load: [100, 0] },
    { first: { healthy: 70, degraded: 30 }, load: [98, 2] },
    { first: { healthy: 25, degraded: 75 }, load: [35, 65] },
    { first: { healthy: 0, degraded: 100 }, load: [0, 100] },
  ])("takes the next priority before degraded hosts: $first, $load", ({ first, load }) => {
    const got = loadOf([first, { healthy: 100 }]);
    expect(got).toMatchObject({ healthy: load, degraded: [0, 0] });
  });

  test("takes degraded hosts for what no priority has", () => {
    const got = loadOf([
      { healthy: 20, degraded: 50 },
      { healthy: 20, degraded: 50 },
    ]);
    expect(got).toEqual({ healthy: [28, 28], degraded: [44, 0], panic: [false, false] });
  });

  test("gives what rounding leaves to the first priority that has any", () => {
    const got = loadOf(
      [
        { healthy: 0, degraded: 10 },
        { healthy: 20, degraded: 10 },
      ],
      { panicPercent: 0, overprovisioningPercent: 100 },
    );
    expect(got.healthy).toEqual([0, 50]);
    expect(got.degraded).toEqual([25, 25]);
    const thirds = loadOf([{ healthy: 0 }, { healthy: 10 }, { healthy: 20 }], {
      panicPercent: 0,
      overprovisioningPercent: 100,
    });
    expect(thirds.healthy).toEqual([0, 34, 66]);
  });

  test("does not count excluded hosts", () => {
    expect(loadOf([{ healthy: 50, excluded: 50 }, { healthy: 100 }]).healthy).toEqual([100, 0]);
    expect(loadOf([{ healthy: 0, excluded: 100 }, { healthy: 100 }]).healthy).toEqual([0, 100]);
  });

  test("always places everything, whatever the health", () => {
    for (let seed = 0; seed < 2000; seed++) {
      const counts = Array.from({ length: 1 + (seed % 4) }, (_, at) => {
        const all = (seed * 7 + at * 13) % 23;
        const healthy = all === 0 ? 0 : (seed * 5 + at * 3) % (all + 1);
        const degraded = all === healthy ? 0 : (seed + at) % (all - healthy + 1);
        return { all, healthy, degraded };
      });
      for (const panicPercent of [0, 50, 100]) {
        const { healthy, degraded } = loadOf(counts, { panicPercent });
        const total = [...healthy, ...degraded].reduce((sum, one) => sum + one, 0);
        expect({ counts, panicPercent, total }).toEqual({ counts, panicPercent, total: 100 });
      }
    }
  });
});

describe("placeDraw()", () => {
  test("finds where each of a hundred draws falls", () => {
    const load = { healthy: [35, 0, 20], degraded: [0, 45, 0] };
    const places = Array.from({ length: 100 }, (_, draw) => placeDraw(load, draw));
    const count = (priority: number, isDegraded: boolean): number =>
      places.filter((one) => one.priority === priority && one.isDegraded === isDegraded).length;
    expect([count(0, false), count(2, false), count(1, true)]).toEqual([35, 20, 45]);
  });
});
