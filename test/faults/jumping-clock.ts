import type { Clock, Timer } from "../../src/base/clock.ts";
import { nodeClock } from "../../src/base/node-clock.ts";

/** The machine's clock, whose time of day jumps when a test says so; what is measured goes on evenly. */
export class JumpingClock implements Clock {
  #offsetMs = 0;

  monotonicMs(): number {
    return nodeClock.monotonicMs();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return nodeClock.setTimer(delayMs, callback);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return nodeClock.sleep(delayMs, signal);
  }

  nowMs(): number {
    return nodeClock.nowMs() + this.#offsetMs;
  }

  /** Somebody sets the clock, forward or back. */
  jump(byMs: number): void {
    this.#offsetMs += byMs;
  }
}
