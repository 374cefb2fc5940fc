import type { Clock, Timer } from "../../base/clock.ts";
import type { FlushQueue } from "./flush-queue.ts";

/**
 * A clock that is read once in a turn of the event loop: a request asks for the time about eight
 * times, each a call into Node and to the kernel's clock, 2 % of its CPU. What happens in one turn
 * happens at the same time then, as it does for the timers of Envoy's event loop.
 */
export class TurnClock implements Clock {
  readonly #clock: Clock;
  readonly #queue: FlushQueue;
  #monotonicMs = 0;
  /** In which it was read. */
  #turn = -1;

  constructor(clock: Clock, queue: FlushQueue) {
    this.#clock = clock;
    this.#queue = queue;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  monotonicMs(): number {
    const { turn } = this.#queue;
    if (turn !== this.#turn) {
      this.#turn = turn;
      this.#monotonicMs = this.#clock.monotonicMs();
    }
    return this.#monotonicMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return this.#clock.setTimer(delayMs, callback);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return this.#clock.sleep(delayMs, signal);
  }
}
