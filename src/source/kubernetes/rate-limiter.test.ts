import { expect, test } from "vitest";
import { SimClock } from "../../base/sim-clock.ts";
import { RateLimiter } from "./rate-limiter.ts";

test("`take()` lets a burst through, then spreads the rest in order", async () => {
  const clock = new SimClock();
  const limiter = new RateLimiter(clock, { perSecond: 10, burst: 3 });
  const { signal } = new AbortController();
  const passed: [number, number][] = [];
  for (let index = 0; index < 6; index++) {
    void limiter.take(signal).then(() => passed.push([index, clock.monotonicMs()]));
  }
  await clock.advance(1000);
  expect(passed).toEqual([
    [0, 0],
    [1, 0],
    [2, 0],
    [3, 100],
    [4, 200],
    [5, 300],
  ]);
  // Quiet for long: no more than the burst has been saved up.
  await clock.advance(60_000);
  const waits = await Promise.all(
    Array.from({ length: 4 }, () => limiter.take(AbortSignal.abort())),
  );
  expect(waits).toEqual([0, 0, 0, 100]);
});
