import type { Clock, Timer } from "../base/clock.ts";

/** How long nothing may change before a change is acted on. */
const QUIET_MS = 20;

/** A change that others keep following is acted on after this time all the same. */
const WAIT_MS_MAX = 500;

/**
 * Collects what comes close together and then calls back once. The quiet time grows with the
 * number of changes that came meanwhile, so that a burst (a whole folder applied) is one step while
 * a single change is quick.
 */
export class Debouncer {
  readonly #clock: Clock;
  /** Told how long the first change waited. */
  readonly #callback: (waitedMs: number) => void;
  #timer: Timer | undefined;
  #firstMs = 0;
  #count = 0;

  constructor(clock: Clock, callback: (waitedMs: number) => void) {
    this.#clock = clock;
    this.#callback = callback;
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
    this.#timer?.cancel();
    this.#count += 1;
    const leftMs = this.#firstMs + WAIT_MS_MAX - nowMs;
    const quietMs = Math.min(QUIET_MS * this.#count, Math.max(0, leftMs));
    this.#timer = this.#clock.setTimer(quietMs, () => this.#fire());
  }

  /** Forgets what has not been acted on. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #fire(): void {
    this.#timer = undefined;
    this.#callback(this.#clock.monotonicMs() - this.#firstMs);
  }
}
