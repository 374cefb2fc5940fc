import type { Clock, Timer } from "../../base/clock.ts";

/**
 * Sets a timer that calls back once what has come until then has been read. Node looks at timers
 * first: after a busy moment answers that are there already would count as too late, and a
 * connection that was closed long ago would be written to.
 */
export function setTimerBehindReads(clock: Clock, delayMs: number, callback: () => void): Timer {
  let isCancelled = false;
  const timer = clock.setTimer(delayMs, () => {
    setImmediate(() => {
      if (!isCancelled) callback();
    });
  });
  return {
    cancel() {
      isCancelled = true;
      timer.cancel();
    },
  };
}
