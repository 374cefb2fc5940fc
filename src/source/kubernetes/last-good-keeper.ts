import type { Clock, Timer } from "../../base/clock.ts";
import type { KubeObject } from "../../config/object.ts";
import type { Logger } from "../../telemetry/log.ts";
import { readLastGood, writeLastGood } from "../last-good-file.ts";

/** A change is on disk after this time, with all that came meanwhile: writing is the whole file. */
const DELAY_MS = 1_000;

/** Writes are at least this far apart: a large cluster changes all the time. */
const INTERVAL_MS = 15_000;

/** What a keeper needs. */
export interface LastGoodKeeperOptions {
  readonly file: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** The objects as they are now, by kind. */
  readonly contents: () => ReadonlyMap<string, Iterable<KubeObject>>;
}

/** Keeps the last good objects in a file for the next run, not at once but soon. */
export class LastGoodKeeper {
  readonly #options: LastGoodKeeperOptions;
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();
  #writtenMs = Number.NEGATIVE_INFINITY;
  #isFailing = false;

  constructor(options: LastGoodKeeperOptions) {
    this.#options = options;
  }

  /** What an earlier run kept, by kind; nothing when there was none or it cannot be used. */
  async read(): Promise<ReadonlyMap<string, readonly KubeObject[]>> {
    const { file, log } = this.#options;
    try {
      const contents = await readLastGood(file);
      return new Map(
        [...contents].map(([kind, placed]) => [kind, placed.map(({ object }) => object)]),
      );
    } catch (error) {
      log.warn("the last good objects of an earlier run cannot be used, starting without them", {
        file,
        error: messageOf(error),
      });
      return new Map();
    }
  }

  /** Something changed. */
  note(): void {
    if (this.#timer !== undefined) return;
    const { clock } = this.#options;
    const delayMs = Math.max(DELAY_MS, this.#writtenMs + INTERVAL_MS - clock.monotonicMs());
    this.#timer = clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      this.#writing = this.#writing.then(() => this.#write());
    });
  }

  /** Writes what is not written yet; resolves when that is done. */
  async stop(): Promise<void> {
    const isDue = this.#timer !== undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#writing;
    if (isDue) await this.#write();
  }

  async #write(): Promise<void> {
    const { file, clock, log, contents } = this.#options;
    this.#writtenMs = clock.monotonicMs();
    try {
      await writeLastGood(
        file,
        new Map(
          [...contents()].map(([kind, objects]) => [
            kind,
            [...objects].map((object) => ({ object, origin: { file: kind, line: 0 } })),
          ]),
        ),
      );
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) {
        log.warn("the last good objects cannot be written, a restart would need the API server", {
          file,
          error: messageOf(error),
        });
      }
      this.#isFailing = true;
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
