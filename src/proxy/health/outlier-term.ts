import type { OutlierNumbers } from "./outlier-config.ts";

/** For how long a host is out of favour, which takes longer the more often that happens. */
export class OutlierTerm {
  /** How many times the base length it takes at most; less after a time in order. */
  #backOff = 0;
  /** Added to the length of the present one. */
  #jitterMs = 0;
  /** On the monotonic clock; `undefined` before it happened. */
  beganAtMs: number | undefined = undefined;
  endedAtMs: number | undefined = undefined;

  /** `draw` is between 0 and 1. */
  begin(nowMs: number, numbers: OutlierNumbers, draw: number): void {
    this.beganAtMs = nowMs;
    this.#jitterMs = Math.floor(draw * (numbers.max_ejection_time_jitter_ms + 1));
    const baseMs = numbers.base_ejection_time_ms;
    if (this.#backOff * baseMs < numbers.max_ejection_time_ms + baseMs) this.#backOff++;
  }

  /** How long the present one lasts at least. */
  lengthMs(numbers: OutlierNumbers): number {
    const { base_ejection_time_ms: baseMs, max_ejection_time_ms: maxMs } = numbers;
    return Math.min(baseMs * this.#backOff, maxMs) + this.#jitterMs;
  }

  isOver(nowMs: number, numbers: OutlierNumbers): boolean {
    return this.beganAtMs !== undefined && this.lengthMs(numbers) <= nowMs - this.beganAtMs;
  }

  end(nowMs: number): void {
    this.endedAtMs = nowMs;
  }

  /** Called at the end of an interval in which it was none: the next one is shorter. */
  relent(nowMs: number, { interval_ms: intervalMs }: OutlierNumbers): void {
    if (this.endedAtMs === undefined || this.#backOff === 0) return;
    if (nowMs - this.endedAtMs >= intervalMs) this.#backOff--;
  }
}
