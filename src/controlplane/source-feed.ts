import { keepRunning } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";
import { keyOf, keyText, type ObjectKey } from "../config/object.ts";
import type { ConfigBatch, ConfigEvent, ConfigSource } from "../source/source.ts";
import type { Logger } from "../telemetry/log.ts";

/** Waits before a source that failed is started again. */
const RESTART = { windowMsFirst: 500, windowMsMax: 30_000 };

/** What a feed needs. */
export interface SourceFeedOptions {
  readonly source: ConfigSource;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Logger;
  readonly onBatch: (batch: ConfigBatch) => void;
}

/**
 * Keeps a source running. When it fails, what it gave stays in use, and when it is back, what it
 * no longer has is deleted.
 */
export class SourceFeed {
  readonly #options: SourceFeedOptions;
  readonly #controller = new AbortController();
  #keys = new Map<string, ObjectKey>();
  #ended: Promise<void> | undefined;

  constructor(options: SourceFeedOptions) {
    this.#options = options;
  }

  /** Resolves after the first batch; rejects when the source fails before that, or is stopped. */
  async start(): Promise<void> {
    const { clock, prng, log, source } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#ended = keepRunning(
        (signal) => this.#run(signal, resolve),
        {
          clock,
          prng,
          onEnd: (cause, delayMs) => {
            const error = cause instanceof Error ? cause.message : String(cause);
            reject(cause instanceof Error ? cause : new Error(error));
            log.error("configuration source ended, what it gave stays in use", {
              source: source.name,
              error,
              retryInMs: Math.round(delayMs),
            });
          },
        },
        RESTART,
        this.#controller.signal,
      ).then(() => reject(new Error(`${source.name} was stopped before it had told anything`)));
    });
  }

  async stop(): Promise<void> {
    this.#controller.abort();
    await this.#ended;
  }

  #run(signal: AbortSignal, onFirst: () => void): Promise<void> {
    let isFirst = true;
    return this.#options.source.run((batch) => {
      const events = isFirst ? [...batch.events, ...this.#gone(batch.events)] : batch.events;
      isFirst = false;
      for (const event of events) {
        if (event.type === "delete") this.#keys.delete(keyText(event.key));
        else this.#keys.set(keyText(keyOf(event.object)), keyOf(event.object));
      }
      this.#options.onBatch({ ...batch, events });
      onFirst();
    }, signal);
  }

  /** What an earlier run gave and a new one does not begin with. */
  #gone(events: readonly ConfigEvent[]): readonly ConfigEvent[] {
    const present = new Set(
      events.flatMap((event) => (event.type === "set" ? [keyText(keyOf(event.object))] : [])),
    );
    return [...this.#keys]
      .filter(([text]) => !present.has(text))
      .map(([, key]) => ({ type: "delete", key }));
  }
}
