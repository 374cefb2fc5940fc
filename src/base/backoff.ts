import type { Clock } from "./clock.ts";
import type { Prng } from "./prng.ts";

/** Bounds of an exponential wait, in milliseconds. */
export interface BackoffOptions {
  readonly windowMsFirst: number;
  readonly windowMsMax: number;
}

/** A wait that doubles with every failure; a success starts it over. */
export class Backoff {
  readonly #options: BackoffOptions;
  #windowMs: number;

  constructor(options: BackoffOptions) {
    this.#options = options;
    this.#windowMs = options.windowMsFirst;
  }

  /** The window of the wait that is due now; the next one is twice as long, up to the bound. */
  nextMs(): number {
    const windowMs = this.#windowMs;
    this.#windowMs = Math.min(windowMs * 2, this.#options.windowMsMax);
    return windowMs;
  }

  reset(): void {
    this.#windowMs = this.#options.windowMsFirst;
  }
}

/** What `keepRunning` needs from outside. */
export interface KeepRunningDeps {
  readonly clock: Clock;
  readonly prng: Prng;
  /** Told each time `run` ended by itself: why (`undefined` when it returned), and the wait. */
  readonly onEnd: (cause: unknown, delayMs: number) => void;
}

/**
 * Runs `run` again each time it ends, until the signal aborts.
 *
 * Waits are spread over the whole window, so that all clients of a server that restarted do not
 * come back together. A run that lasted longer than `windowMsMax` starts the window over.
 */
export async function keepRunning(
  run: (signal: AbortSignal) => Promise<void>,
  { clock, prng, onEnd }: KeepRunningDeps,
  options: BackoffOptions,
  signal: AbortSignal,
): Promise<void> {
  const backoff = new Backoff(options);
  while (!signal.aborted) {
    const startMs = clock.monotonicMs();
    let cause: unknown;
    try {
      await run(signal);
    } catch (error) {
      cause = error;
    }
    if (signal.aborted) return;
    if (clock.monotonicMs() - startMs > options.windowMsMax) backoff.reset();
    const delayMs = backoff.nextMs() * prng.next();
    onEnd(cause, delayMs);
    await clock.sleep(delayMs, signal);
  }
}
