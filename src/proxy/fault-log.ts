import type { Clock } from "../base/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import type { CounterGroups } from "./counters.ts";

/** So many faults are logged in one span of time; those beyond are counted only. */
const LINES_MAX = 10;
const SPAN_MS = 60_000;

/** Told of an exception that nobody expected, once it has ended what it had to end. */
export type OnFault = (error: unknown) => void;

/** Where faults are told. */
export interface Faults {
  readonly note: OnFault;
}

/** Where nobody counts faults: they go on as the exceptions that they are. */
export const RETHROW: OnFault = (error) => {
  throw error;
};

/**
 * Counts and logs what is wrong with the proxy itself: exceptions that nobody expected. Each has ended
 * the stream or the connection that it came from, and the rest goes on (Envoy's
 * `server.envoy_bug_failures`).
 */
export class FaultLog implements Faults {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #counters: { envoy_bug_failures: number };
  #sinceMs = Number.NEGATIVE_INFINITY;
  #lines = 0;

  constructor(clock: Clock, log: Logger, counters: CounterGroups) {
    this.#clock = clock;
    this.#log = log;
    this.#counters = counters.get("server", { envoy_bug_failures: 0 });
  }

  readonly note: OnFault = (error) => {
    this.#counters.envoy_bug_failures++;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#sinceMs >= SPAN_MS) {
      if (this.#lines > LINES_MAX) {
        this.#log.error("more faults", { count: this.#lines - LINES_MAX });
      }
      this.#sinceMs = nowMs;
      this.#lines = 0;
    }
    if (++this.#lines > LINES_MAX) return;
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#log.error("fault", { stack });
  };
}
