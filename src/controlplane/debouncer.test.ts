import { describe, expect, test } from "vitest";
import type { Clock } from "../base/clock.ts";
import { SimClock } from "../base/sim-clock.ts";
import { Debouncer } from "./debouncer.ts";

/** A clock whose owner can make work take time, without anything else happening meanwhile. */
class WorkClock implements Clock {
  readonly sim = new SimClock();
  #spentMs = 0;

  nowMs(): number {
    return this.sim.nowMs() + this.#spentMs;
  }

  monotonicMs(): number {
    return this.sim.monotonicMs() + this.#spentMs;
  }

  setTimer(delayMs: number, callback: () => void): { cancel(): void } {
    return this.sim.setTimer(delayMs, callback);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return this.sim.sleep(delayMs, signal);
  }

  spend(ms: number): void {
    this.#spentMs += ms;
  }
}

/** Changes every `everyMs` for a while, and all the time that they need to come out. */
async function burst(
  clock: SimClock,
  debouncer: Debouncer,
  { everyMs, count }: { readonly everyMs: number; readonly count: number },
): Promise<void> {
  for (let noted = 0; noted < count; noted++) {
    debouncer.note();
    await clock.advance(everyMs);
  }
  await clock.advance(10_000);
}

describe("Debouncer", () => {
  test("`note()` calls back once, soon, when nothing else goes on", async () => {
    const clock = new SimClock();
    const waits: number[] = [];
    const debouncer = new Debouncer(clock, (waitedMs) => waits.push(waitedMs));
    debouncer.note();
    await clock.advance(1000);
    expect(waits).toEqual([10]);
  });

  test("`note()` waits longer the more comes meanwhile, up to a bound", async () => {
    const clock = new SimClock();
    const waits: number[] = [];
    const debouncer = new Debouncer(clock, (waitedMs) => waits.push(waitedMs));
    await burst(clock, debouncer, { everyMs: 8, count: 8 });
    await burst(clock, debouncer, { everyMs: 5, count: 100 });
    // The last of eight at 56 ms, and four times the quiet time; a hundred take all there is.
    expect(waits).toEqual([56 + 40, 500]);
  });

  test("ten thousand changes are few steps, fewer when a step costs more", async () => {
    const steps = { cheap: 0, dear: 0 };
    for (const [name, costMs] of [
      ["cheap", 1],
      ["dear", 400],
    ] as const) {
      const clock = new WorkClock();
      const debouncer = new Debouncer(clock, () => {
        steps[name] += 1;
        clock.spend(costMs);
      });
      await burst(clock.sim, debouncer, { everyMs: 0.5, count: 10_000 });
    }
    expect(steps.cheap).toBeLessThanOrEqual(11);
    expect(steps.dear).toBeLessThanOrEqual(3);
  });

  test("a step waits out what the last one cost, but not when that is long ago", async () => {
    const clock = new WorkClock();
    const waits: number[] = [];
    const debouncer = new Debouncer(clock, (waitedMs) => {
      waits.push(waitedMs);
      clock.spend(100);
    });
    debouncer.note();
    await clock.sim.advance(10);
    debouncer.note();
    await clock.sim.advance(1000);
    debouncer.note();
    await clock.sim.advance(1000);
    expect(waits).toEqual([10, 100, 10]);
  });

  test("a step waits for the last one to be worked off, as long as a change may wait", async () => {
    const clock = new SimClock();
    const waits: number[] = [];
    let isBusy = true;
    const debouncer = new Debouncer(
      clock,
      (waitedMs) => waits.push(waitedMs),
      () => isBusy,
    );
    debouncer.note();
    await clock.advance(45);
    expect(debouncer.isWaiting).toBe(true);
    isBusy = false;
    await clock.advance(5);
    isBusy = true;
    debouncer.note();
    await clock.advance(1000);
    expect(waits).toEqual([50, 500]);
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
