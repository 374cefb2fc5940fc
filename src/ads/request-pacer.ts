import type { Clock, Timer } from "../base/clock.ts";

/** Requests that one client may make at once: a proxy that starts asks much in a short time. */
export const REQUESTS_BURST_MAX = 500;

/** Requests that one client may make each second in the long run. */
export const REQUESTS_PER_SECOND_MAX = 100;

/** Requests of one client after which others get their turn. */
const REQUESTS_PER_TURN_MAX = 20;

/** Where requests come from: a call of gRPC, which leaves them in the network while it is paused. */
export interface RequestSource {
  pause(): unknown;
  resume(): unknown;
}

/**
 * Keeps one client from taking more than its share: after some requests the others get their turn,
 * and one that asks without end is read no faster than it may ask.
 */
export class RequestPacer {
  readonly #clock: Clock;
  readonly #source: RequestSource;
  readonly #onThrottled: () => void;
  #left = REQUESTS_BURST_MAX;
  #refilledMs: number;
  #inTurn = 0;
  #turn: NodeJS.Immediate | undefined;
  #timer: Timer | undefined;

  constructor(clock: Clock, source: RequestSource, onThrottled: () => void) {
    this.#clock = clock;
    this.#source = source;
    this.#onThrottled = onThrottled;
    this.#refilledMs = clock.monotonicMs();
  }

  /** One request came. */
  note(): void {
    this.#refill();
    this.#left -= 1;
    this.#inTurn += 1;
    this.#turn ??= setImmediate(() => this.#endTurn());
    if (this.#left < 1) this.#throttle();
    else if (this.#inTurn === REQUESTS_PER_TURN_MAX) this.#source.pause();
  }

  close(): void {
    if (this.#turn !== undefined) clearImmediate(this.#turn);
    this.#timer?.cancel();
  }

  #refill(): void {
    const nowMs = this.#clock.monotonicMs();
    const earned = ((nowMs - this.#refilledMs) * REQUESTS_PER_SECOND_MAX) / 1000;
    this.#left = Math.min(REQUESTS_BURST_MAX, this.#left + earned);
    this.#refilledMs = nowMs;
  }

  #throttle(): void {
    this.#source.pause();
    if (this.#timer !== undefined) return;
    this.#onThrottled();
    this.#timer = this.#clock.setTimer(1000 / REQUESTS_PER_SECOND_MAX, () => {
      this.#timer = undefined;
      this.#refill();
      if (this.#left < 1) this.#throttle();
      else this.#source.resume();
    });
  }

  #endTurn(): void {
    this.#turn = undefined;
    this.#inTurn = 0;
    if (this.#timer === undefined) this.#source.resume();
  }
}
