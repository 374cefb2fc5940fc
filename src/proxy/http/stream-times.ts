import type { Clock } from "../../base/clock.ts";

/**
 * What is only kept for logs and traces: the head read, sending to the upstream, reading from it, to
 * the client. From `sendEnd` to `readEnd` they are about one attempt.
 */
export const MOMENT = {
  headEnd: 0,
  sendBegin: 1,
  sendEnd: 2,
  readBegin: 3,
  readBody: 4,
  readEnd: 5,
  answerBegin: 6,
  answerEnd: 7,
} as const;

/** One of `MOMENT`. */
export type Moment = (typeof MOMENT)[keyof typeof MOMENT];

/** When things happened to a stream, on the clock that never goes back; -1: not yet. */
export class StreamTimes {
  readonly #clock: Clock;
  /** Whether anybody asks for those that are kept for logs only. */
  readonly isKept: boolean;
  /** Milliseconds since 1970 at the start; only kept for logs. */
  wallMs = 0;
  startMs = 0;
  requestEndMs = -1;
  endMs = -1;
  /** By `MOMENT`; fields whose names are only known when they are written to would be several times slower. */
  readonly #moments = new Float64Array(Object.keys(MOMENT).length).fill(-1);

  constructor(clock: Clock, isKept: boolean) {
    this.#clock = clock;
    this.isKept = isKept;
  }

  /** When that was. */
  at(moment: Moment): number {
    return this.#moments[moment] ?? -1;
  }

  /** It is now; does nothing without logs. */
  note(moment: Moment): void {
    if (this.isKept) this.#moments[moment] = this.#clock.monotonicMs();
  }

  /** The first of what may come more than once. */
  noteFirst(moment: Moment): void {
    if (this.isKept && this.#moments[moment] === -1) this.note(moment);
  }

  /** What was noted of an attempt is about another one from now on. */
  startAttempt(): void {
    if (!this.isKept) return;
    this.#moments.fill(-1, MOMENT.sendEnd, MOMENT.readEnd + 1);
    this.note(MOMENT.sendBegin);
  }

  reset(nowMs: number): void {
    this.startMs = nowMs;
    this.requestEndMs = -1;
    this.endMs = -1;
    if (!this.isKept) return;
    this.wallMs = this.#clock.nowMs();
    this.#moments.fill(-1);
  }
}
