import { expect, test } from "vitest";
import { SimClock } from "./sim-clock.ts";

test("advance() fires timers in order of time, and those set on the way", async () => {
  const clock = new SimClock(1000);
  const fired: string[] = [];
  clock.setTimer(20, () => fired.push(`b@${clock.nowMs()}`));
  clock.setTimer(10, () => {
    fired.push(`a@${clock.nowMs()}`);
    clock.setTimer(5, () => fired.push(`c@${clock.nowMs()}`));
  });
  clock.setTimer(40, () => fired.push("late"));
  clock.setTimer(1, () => fired.push("cancelled")).cancel();
  await clock.advance(30);
  expect(fired).toEqual(["a@1010", "c@1015", "b@1020"]);
  expect(clock.monotonicMs()).toBe(30);
});

test("sleep() ends when its signal aborts", async () => {
  const clock = new SimClock();
  const stop = new AbortController();
  const slept = clock.sleep(1_000_000, stop.signal);
  stop.abort();
  await slept;
  expect(clock.nowMs()).toBe(0);
});
