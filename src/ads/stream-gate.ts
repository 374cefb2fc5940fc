import type { Clock, Timer } from "../base/clock.ts";

/** New streams each second in the long run, and as many at once, when the options do not say. */
export const STREAMS_PER_SECOND_DEFAULT = 300;

/** How long a new stream waits for its turn before it is told to come back later. */
export const STREAM_WAIT_MS_MAX = 10_000;

/** How long streams are admitted at a stretch before those that are connected get their turn. */
const SLICE_MS = 10;

interface Waiting {
  readonly admit: () => void;
  readonly refuse: () => void;
  readonly untilMs: number;
}

/**
 * Lets new streams in one after the other, no more of them than the limit. After a restart all
 * proxies come back at once, and each costs a whole configuration: those that are served already
 * are not to wait for all of them. First come, first served.
 */
export class StreamGate {
  readonly #clock: Clock;
  readonly #perSecond: number;
  /** In the order in which they came. */
  readonly #waiting = new Set<Waiting>();
  #left: number;
  #refilledMs: number;
  #timer: Timer | undefined;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#left = perSecond;
    this.#refilledMs = clock.monotonicMs();
  }

  /** How many streams wait for their turn. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Calls `admit` when it is this stream's turn, or `refuse` when that takes too long; returns how to leave. */
  enter(admit: () => void, refuse: () => void): () => void {
    const untilMs = this.#clock.monotonicMs() + STREAM_WAIT_MS_MAX;
    const entry: Waiting = { admit, refuse, untilMs };
    this.#waiting.add(entry);
    if (this.#timer === undefined) this.#run();
    return () => this.#waiting.delete(entry);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#waiting.clear();
  }

  #run(): void {
    this.#timer = undefined;
    const startMs = this.#clock.monotonicMs();
    this.#left += ((startMs - this.#refilledMs) * this.#perSecond) / 1000;
    this.#left = Math.min(this.#left, this.#perSecond);
    this.#refilledMs = startMs;
    for (const entry of this.#waiting) {
      const nowMs = this.#clock.monotonicMs();
      const isLate = nowMs > entry.untilMs;
      if (!isLate && (this.#left < 1 || nowMs - startMs > SLICE_MS)) break;
      this.#waiting.delete(entry);
      if (isLate) {
        entry.refuse();
        continue;
      }
      this.#left -= 1;
      entry.admit();
    }
    if (this.#waiting.size === 0 || this.#timer !== undefined) return;
    const delayMs = this.#left < 1 ? ((1 - this.#left) * 1000) / this.#perSecond : 0;
    this.#timer = this.#clock.setTimer(delayMs, () => this.#run());
  }
}
