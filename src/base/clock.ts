/** A timer that has been set; cancelling it twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

/**
 * Time, injected: code that waits or measures takes a `Clock`, so that tests and simulations
 * decide how fast time passes. `nodeClock` is the real one, `SimClock` the simulated one.
 */
export interface Clock {
  /** Milliseconds since the epoch; may jump. For stamps that people read. */
  nowMs(): number;
  /** Milliseconds since an arbitrary start; never goes back. For measuring. */
  monotonicMs(): number;
  /** Calls back once after `delayMs`. The timer does not keep a process alive by itself. */
  setTimer(delayMs: number, callback: () => void): Timer;
  /** Resolves after `delayMs`, or at once when the signal aborts: it never rejects. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}
