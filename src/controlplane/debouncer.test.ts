import { describe, expect, test } from "vitest";
import { SimClock } from "../base/sim-clock.ts";
import { Debouncer } from "./debouncer.ts";

describe("Debouncer", () => {
  test("`note()` calls back once after a quiet time", async () => {
    const clock = new SimClock();
    const waits: number[] = [];
    const debouncer = new Debouncer(clock, (waitedMs) => waits.push(waitedMs));
    debouncer.note();
    await clock.advance(1000);
    expect(waits).toEqual([20]);
  });

  test("`note()` waits longer in a burst, up to the bound", async () => {
    const clock = new SimClock();
    const waits: number[] = [];
    const debouncer = new Debouncer(clock, (waitedMs) => waits.push(waitedMs));
    for (let at = 0; at < 490; at += 10) {
      debouncer.note();
      await clock.advance(10);
    }
    await clock.advance(1000);
    expect(waits).toEqual([500]);
  });

  test("`stop()` forgets what waits", async () => {
    const clock = new SimClock();
    const debouncer = new Debouncer(clock, () => expect.unreachable());
    debouncer.note();
    debouncer.stop();
    await clock.advance(1000);
    expect(clock.monotonicMs()).toBe(1000);
  });
});
