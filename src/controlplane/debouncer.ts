import type { Clock, Timer } from "../base/clock.ts";

/** How long nothing may change before a change is acted on. */
const QUIET_MS = 10;

/** A change that others keep following is acted on after this time all the same, at little load. */
const WAIT_MS_MIN = 500;

/** The same at whatever load. */
const WAIT_MS_MAX = 5000;

/** How many times what the last step cost a burst may be collected: so steps take a tenth of the time. */
const WAIT_PER_LOAD = 10;

/** How much of the last step's cost is waited out before the next one, at most. */
const REST_MS_MAX = 1000;

/** How soon one looks again whether the last step is through. */
const BUSY_MS = 10;

/**
 * Collects what comes close together and then calls back once.
 *
 * A single change while nothing else goes on is quick. The quiet time grows with the number of
 * changes that came meanwhile, so that a burst (a whole folder applied) is one step; and both that
 * and the longest wait grow with the load, so that a control plane with much to do spends its time
 * on the newest state and not on each that was passed through. Load is what the last step cost, and
 * how late its timer was, which is what everything else costs.
 */
export class Debouncer {
  readonly #clock: Clock;
  /** Told how long the first change waited. */
  readonly #callback: (waitedMs: number) => void;
  readonly #isBusy: () => boolean;
  #timer: Timer | undefined;
  #dueMs = 0;
  #firstMs = 0;
  #count = 0;
  #loadMs = 0;
  #endedMs = Number.NEGATIVE_INFINITY;

  /** While `isBusy` the last step is still being worked off, and the next waits, as long as it may. */
  constructor(
    clock: Clock,
    callback: (waitedMs: number) => void,
    isBusy: () => boolean = () => false,
  ) {
    this.#clock = clock;
    this.#callback = callback;
    this.#isBusy = isBusy;
  }

  /** Whether a change has not been acted on yet. */
  get isWaiting(): boolean {
    return this.#timer !== undefined;
  }

  /** Something changed. */
  note(): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#timer === undefined) {
      this.#firstMs = nowMs;
      this.#count = 0;
    }
    this.#count += 1;
    const quietMs = QUIET_MS * (1 + Math.log2(this.#count));
    const restMs = this.#endedMs + Math.min(this.#loadMs, REST_MS_MAX) - nowMs;
    this.#arm(Math.min(Math.max(quietMs, restMs), this.#leftMs(nowMs)));
  }

  /** Forgets what has not been acted on. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** How much longer the first change may wait. */
  #leftMs(nowMs: number): number {
    const waitMs = Math.min(Math.max(WAIT_MS_MIN, this.#loadMs * WAIT_PER_LOAD), WAIT_MS_MAX);
    return Math.max(0, this.#firstMs + waitMs - nowMs);
  }

  #arm(delayMs: number): void {
    this.#timer?.cancel();
    this.#dueMs = this.#clock.monotonicMs() + delayMs;
    this.#timer = this.#clock.setTimer(delayMs, () => this.#fire());
  }

  #fire(): void {
    const startMs = this.#clock.monotonicMs();
    const lateMs = startMs - this.#dueMs;
    if (this.#isBusy() && this.#leftMs(startMs) > 0) {
      this.#arm(Math.min(BUSY_MS, this.#leftMs(startMs)));
      return;
    }
    this.#timer = undefined;
    this.#callback(startMs - this.#firstMs);
    this.#endedMs = this.#clock.monotonicMs();
    this.#loadMs = Math.max(lateMs, this.#endedMs - startMs);
  }
}
