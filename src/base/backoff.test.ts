import { expect, test } from "vitest";
import { Backoff, keepRunning } from "./backoff.ts";
import { createPrng } from "./prng.ts";
import { SimClock } from "./sim-clock.ts";

const BOUNDS = { windowMsFirst: 100, windowMsMax: 500 };

test("Backoff doubles up to its bound and starts over after a reset", () => {
  const backoff = new Backoff(BOUNDS);
  expect([1, 2, 3, 4].map(() => backoff.nextMs())).toEqual([100, 200, 400, 500]);
  backoff.reset();
  expect(backoff.nextMs()).toBe(100);
});

test("keepRunning() runs again after a failure, within growing windows, until it is aborted", async () => {
  const clock = new SimClock();
  const stop = new AbortController();
  const delays: number[] = [];
  let runs = 0;
  const done = keepRunning(
    () => {
      runs += 1;
      return Promise.reject(new Error("refused"));
    },
    { clock, prng: createPrng(1), onEnd: (_, delayMs) => delays.push(delayMs) },
    BOUNDS,
    stop.signal,
  );
  await clock.advance(10_000);
  stop.abort();
  await done;
  expect(runs).toBe(delays.length);
  expect(runs).toBeGreaterThan(20);
  expect(delays[0]).toBeLessThanOrEqual(100);
  expect(Math.max(...delays)).toBeLessThanOrEqual(500);
  expect(Math.max(...delays)).toBeGreaterThan(400);
});

test("keepRunning() starts the window over after a run that lasted", async () => {
  const clock = new SimClock();
  const stop = new AbortController();
  const delays: number[] = [];
  const done = keepRunning(
    (signal) => clock.sleep(1000, signal),
    { clock, prng: { next: () => 1 }, onEnd: (_, delayMs) => delays.push(delayMs) },
    BOUNDS,
    stop.signal,
  );
  await clock.advance(4000);
  stop.abort();
  await done;
  expect(delays).toEqual([100, 100, 100]);
});
