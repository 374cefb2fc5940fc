import { describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { SimClock } from "../../base/sim-clock.ts";
import { ServerDrain } from "./drain.ts";

const INBOUND = { isInbound: true, heedsHealth: true };
const OUTBOUND = { isInbound: false, heedsHealth: true };

function create(strategy: "gradual" | "immediate"): { drain: ServerDrain; clock: SimClock } {
  const clock = new SimClock();
  const prng = createPrng(1);
  return { clock, drain: new ServerDrain({ clock, prng, durationMs: 10_000, strategy }) };
}

describe("ServerDrain", () => {
  test("ends as many connections as of its time has passed", async () => {
    const { clock, drain } = create("gradual");
    let isDone = false;
    drain.start("all", () => {
      isDone = true;
    });
    const shares: number[] = [];
    for (let step = 0; step <= 4; step++) {
      const closed = Array.from({ length: 1000 }, () => drain.closes(OUTBOUND));
      shares.push(Math.round(closed.filter(Boolean).length / 100) / 10);
      await clock.advance(2500);
    }
    expect(shares).toEqual([0, 0.3, 0.5, 0.8, 1]);
    expect(isDone).toBe(true);
  });

  test("ends all of them at once where that is asked for", () => {
    const { drain } = create("immediate");
    expect(drain.closes(INBOUND)).toBe(false);
    drain.start("inbound", () => undefined);
    expect([drain.closes(INBOUND), drain.closes(OUTBOUND)]).toEqual([true, false]);
    drain.stop();
  });

  test("begins once", async () => {
    const { clock, drain } = create("gradual");
    let times = 0;
    for (let start = 0; start < 3; start++) drain.start("all", () => times++);
    await clock.advance(20_000);
    expect(times).toBe(1);
  });

  test("ends what heeds a failed health check", () => {
    const { drain } = create("gradual");
    drain.isHealthCheckFailed = true;
    expect(drain.closes(INBOUND)).toBe(true);
    expect(drain.closes({ ...INBOUND, heedsHealth: false })).toBe(false);
    drain.isHealthCheckFailed = false;
    expect(drain.closes(INBOUND)).toBe(false);
  });
});
