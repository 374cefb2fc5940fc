import type { Clock } from "../../base/clock.ts";

/** How many requests a second over time, and how many at once after a quiet time. */
export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

/** Lets requests through at a bounded rate, in the order in which they ask, as client-go does. */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #limit: RateLimit;
  /** Below 0: what has been promised to those that wait. */
  #tokens: number;
  #filledAtMs: number;

  constructor(clock: Clock, limit: RateLimit) {
    this.#clock = clock;
    this.#limit = limit;
    this.#tokens = limit.burst;
    this.#filledAtMs = clock.monotonicMs();
  }

  /** Resolves when the request may go, or at once when the signal aborts; how long that took, in ms. */
  async take(signal: AbortSignal): Promise<number> {
    const { perSecond, burst } = this.#limit;
    const nowMs = this.#clock.monotonicMs();
    const more = ((nowMs - this.#filledAtMs) / 1000) * perSecond;
    this.#tokens = Math.min(burst, this.#tokens + more) - 1;
    this.#filledAtMs = nowMs;
    if (this.#tokens >= 0) return 0;
    const delayMs = (-this.#tokens / perSecond) * 1000;
    await this.#clock.sleep(delayMs, signal);
    return delayMs;
  }
}
