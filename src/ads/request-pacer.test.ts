import { describe, expect, test } from "vitest";
import { SimClock } from "../base/sim-clock.ts";
import { REQUESTS_BURST_MAX, REQUESTS_PER_SECOND_MAX, RequestPacer } from "./request-pacer.ts";

/** A client that asks as long as it is read. */
class Asking {
  isPaused = false;
  asked = 0;

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  ask(pacer: RequestPacer): void {
    while (!this.isPaused) {
      this.asked += 1;
      pacer.note();
    }
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("RequestPacer", () => {
  test("gives others their turn, and lets a client go on in the next", async () => {
    const source = new Asking();
    const pacer = new RequestPacer(new SimClock(), source, () => expect.unreachable());
    source.ask(pacer);
    const first = source.asked;
    expect(first).toBeLessThan(REQUESTS_BURST_MAX);
    await turn();
    source.ask(pacer);
    expect(source.asked).toBe(2 * first);
    pacer.close();
  });

  test("reads one that asks without end no faster than it may ask", async () => {
    const clock = new SimClock();
    const source = new Asking();
    let throttled = 0;
    const pacer = new RequestPacer(clock, source, () => (throttled += 1));
    for (let count = 0; count < REQUESTS_BURST_MAX; count++) {
      source.ask(pacer);
      await turn();
    }
    const burst = source.asked;
    expect(burst).toBe(REQUESTS_BURST_MAX);
    expect(throttled).toBeGreaterThan(0);
    for (let passedMs = 0; passedMs < 1000; passedMs += 5) {
      await clock.advance(5);
      source.ask(pacer);
      await turn();
    }
    expect(source.asked - burst).toBeLessThanOrEqual(REQUESTS_PER_SECOND_MAX + 1);
    expect(source.asked - burst).toBeGreaterThan(REQUESTS_PER_SECOND_MAX / 2);
    pacer.close();
    expect(clock.timersPending).toBe(0);
  });
});
