import { describe, expect, test } from "vitest";
import { SimClock } from "../base/sim-clock.ts";
import { STREAM_WAIT_MS_MAX, StreamGate } from "./stream-gate.ts";

describe("StreamGate", () => {
  test("lets a burst in at once, and the rest at the rate, in order", async () => {
    const clock = new SimClock();
    const gate = new StreamGate(clock, 10);
    const admitted: number[] = [];
    for (let id = 0; id < 15; id++) {
      gate.enter(
        () => admitted.push(id),
        () => expect.unreachable(),
      );
    }
    expect(admitted).toHaveLength(10);
    expect(gate.waiting).toBe(5);
    await clock.advance(200);
    expect(admitted).toHaveLength(12);
    await clock.advance(300);
    expect(admitted).toEqual([...Array(15).keys()]);
    expect(clock.timersPending).toBe(0);
  });

  test("refuses who waited too long, and forgets who left", async () => {
    const clock = new SimClock();
    const gate = new StreamGate(clock, 1);
    const log: string[] = [];
    const leaves = Array.from({ length: 20 }, (_, id) =>
      gate.enter(
        () => log.push(`in ${id}`),
        () => log.push(`out ${id}`),
      ),
    );
    leaves[1]?.();
    await clock.advance(STREAM_WAIT_MS_MAX + 2000);
    expect(log.slice(0, 2)).toEqual(["in 0", "in 2"]);
    expect(log.filter((line) => line.startsWith("out"))).not.toEqual([]);
    expect(log).toHaveLength(19);
    expect(gate.waiting).toBe(0);
  });
});
