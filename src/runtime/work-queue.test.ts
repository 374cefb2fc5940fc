import { describe, expect, it } from "vitest";
import { SimClock } from "../base/sim-clock.ts";
import { WorkQueue } from "./work-queue.ts";

function setUp(reconcile: (key: string) => Promise<void>, concurrency = 2) {
  const clock = new SimClock();
  const errors: number[] = [];
  const queue = new WorkQueue({
    clock,
    concurrency,
    reconcile,
    onError: (_key, _error, retryMs) => errors.push(retryMs),
  });
  return { clock, queue, errors };
}

describe("WorkQueue", () => {
  it("works on a key once for many additions, and again for one in between", async () => {
    let runs = 0;
    const { clock, queue } = setUp(async () => {
      if (runs++ === 0) queue.add("a");
    });
    for (let index = 0; index < 5; index++) queue.add("a");
    await clock.advance(0);
    await queue.stop();
    expect(runs).toBe(2);
  });

  it("never works on more keys at once than it may", async () => {
    let active = 0;
    let most = 0;
    const { clock, queue } = setUp(async () => {
      most = Math.max(most, ++active);
      await clock.sleep(10);
      active--;
    });
    for (const key of "abcdef") queue.add(key);
    await clock.advance(100);
    await queue.stop();
    expect([most, active]).toEqual([2, 0]);
  });

  it("tries again later each time, and at once after a success", async () => {
    let failures = 3;
    const { clock, queue, errors } = setUp(async () => {
      if (failures-- > 0) throw new Error("no");
    });
    queue.add("a");
    await clock.advance(1000);
    failures = 1;
    queue.add("a");
    await clock.advance(1000);
    await queue.stop();
    expect(errors).toEqual([50, 100, 200, 50]);
  });

  it("keeps the earliest of several later additions", async () => {
    const times: number[] = [];
    const { clock, queue } = setUp(async () => void times.push(clock.nowMs()));
    queue.addAfter("a", 100);
    queue.addAfter("a", 50);
    queue.addAfter("a", 200);
    await clock.advance(500);
    await queue.stop();
    expect(times).toEqual([50]);
  });
});
