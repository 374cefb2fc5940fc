import type { Clock, Timer } from "./clock.ts";

/** Node takes what is longer for 1 ms; nobody sees the end of these 24 days. */
const DELAY_MS_MAX = 2 ** 31 - 1;

function setTimer(delayMs: number, callback: () => void): Timer {
  const timer = setTimeout(callback, Math.min(delayMs, DELAY_MS_MAX));
  timer.unref();
  return { cancel: () => clearTimeout(timer) };
}

/** The machine's clock. A `sleep` keeps the process alive, a timer does not. */
export const nodeClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer,
  sleep(delayMs, signal) {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, Math.min(delayMs, DELAY_MS_MAX));
      signal?.addEventListener("abort", end, { once: true });
    });
  },
};
