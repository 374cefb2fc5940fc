import { expect, test } from "vitest";
import { type ProxySample, runProxySoak, trendProblems } from "./proxy-soak.ts";

const SOAK_MS = 8_000;

test("a proxy holds no more after many requests and changes", { timeout: 180_000 }, async () => {
  const endMs = performance.now() + SOAK_MS;
  const { problems, samples, outcomes } = await runProxySoak({
    isOver: () => performance.now() > endMs,
    sampleMs: 1000,
    pauseMs: 5,
    onSample: () => undefined,
  });
  expect(problems).toEqual([]);
  expect(samples.at(-1)?.requests).toBeGreaterThan(100);
  expect(samples.at(-1)?.changes).toBeGreaterThan(3);
  expect(Object.values(outcomes).every(({ ok }) => ok > 0)).toBe(true);
});

test("a soak tells what rises, and not what jumps once", () => {
  const flat: ProxySample = {
    heapMb: 30,
    externalMb: 4,
    residentMb: 150,
    descriptors: 30,
    timers: 5,
    resources: 5,
    connections: 0,
    active: 0,
    stats: 600,
    faults: 0,
    requests: 0,
    changes: 0,
    minutes: 0,
  };
  const looks = (heapMb: (minute: number) => number): readonly ProxySample[] =>
    Array.from({ length: 12 }, (_, minutes) => ({ ...flat, minutes, heapMb: heapMb(minutes) }));
  expect(trendProblems(looks(() => 30))).toEqual([]);
  // The first look is still warming up, one look is off.
  expect(trendProblems(looks((at) => (at === 0 ? 10 : 30)))).toEqual([]);
  expect(trendProblems(looks((at) => (at === 7 ? 90 : 30)))).toEqual([]);
  expect(trendProblems(looks((at) => 30 + at))).toEqual([
    expect.stringContaining("heapMb rises by 60 an hour"),
  ]);
});
