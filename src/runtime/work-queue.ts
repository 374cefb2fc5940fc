import { Backoff } from "../base/backoff.ts";
import type { Clock, Timer } from "../base/clock.ts";

const RETRY = { windowMsFirst: 50, windowMsMax: 60_000 } as const;

/** What a queue works with. */
export interface WorkQueueOptions {
  readonly clock: Clock;
  /** How many keys are worked on at once. */
  readonly concurrency: number;
  /** Brings what the key names to where it should be; a rejection is tried again, later each time. */
  readonly reconcile: (key: string) => Promise<void>;
  readonly onError: (key: string, error: unknown, retryMs: number) => void;
}

/**
 * Keys that need work, each at most once. A key that is added while it is worked on is worked on
 * again afterwards, so that the last state always counts; its length is bounded by the number of
 * objects.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #ready = new Set<string>();
  readonly #active = new Map<string, Promise<void>>();
  readonly #later = new Map<string, { readonly atMs: number; readonly timer: Timer }>();
  readonly #backoffs = new Map<string, Backoff>();
  #isStopped = false;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  add(key: string): void {
    if (this.#isStopped) return;
    this.#ready.add(key);
    this.#pump();
  }

  /** Adds the key after a time; the earliest of several calls counts. */
  addAfter(key: string, delayMs: number): void {
    if (this.#isStopped) return;
    const atMs = this.#options.clock.monotonicMs() + delayMs;
    const earlier = this.#later.get(key);
    if (earlier !== undefined) {
      if (earlier.atMs <= atMs) return;
      earlier.timer.cancel();
    }
    const timer = this.#options.clock.setTimer(delayMs, () => {
      this.#later.delete(key);
      this.add(key);
    });
    this.#later.set(key, { atMs, timer });
  }

  /** Takes no more work and resolves when what was begun has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#ready.clear();
    for (const { timer } of this.#later.values()) timer.cancel();
    this.#later.clear();
    await Promise.all(this.#active.values());
  }

  #pump(): void {
    for (const key of this.#ready) {
      if (this.#active.size >= this.#options.concurrency) return;
      if (this.#active.has(key)) continue;
      this.#ready.delete(key);
      this.#active.set(key, this.#work(key));
    }
  }

  async #work(key: string): Promise<void> {
    try {
      // Never within the caller of `add`, which may be a storage telling of a change.
      await Promise.resolve();
      await this.#options.reconcile(key);
      this.#backoffs.delete(key);
    } catch (error) {
      const backoff = this.#backoffs.get(key) ?? new Backoff(RETRY);
      this.#backoffs.set(key, backoff);
      const retryMs = backoff.nextMs();
      this.#options.onError(key, error, retryMs);
      this.addAfter(key, retryMs);
    } finally {
      this.#active.delete(key);
      this.#pump();
    }
  }
}
