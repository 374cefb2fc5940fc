import type { Clock } from "../../base/clock.ts";

/** How far the two clocks may drift apart before the wall clock counts again. */
const DRIFT_MS = 5;

/**
 * Wall time as fine as the monotonic clock, so that spans which follow each other within one
 * millisecond are in order.
 */
export class TraceClock {
  readonly #clock: Clock;
  /** Wall time when the monotonic clock was zero. */
  #zeroMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#zeroMs = clock.nowMs() - clock.monotonicMs();
  }

  get monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  /** Microseconds since 1970 of a moment on the monotonic clock. */
  epochUs(monotonicMs: number): number {
    const zeroMs = this.#clock.nowMs() - this.#clock.monotonicMs();
    if (Math.abs(zeroMs - this.#zeroMs) > DRIFT_MS) this.#zeroMs = zeroMs;
    return Math.round((this.#zeroMs + monotonicMs) * 1000);
  }
}
