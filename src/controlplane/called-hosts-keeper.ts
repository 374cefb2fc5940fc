import type { Logger } from "../telemetry/log.ts";
import { readCalledHosts, writeCalledHosts } from "./called-hosts-file.ts";
import type { CalledHostsStore } from "./called-hosts-store.ts";

/** What a keeper needs. */
export interface CalledHostsKeeperOptions {
  readonly store: CalledHostsStore;
  /** Absent: nothing outlives the process. */
  readonly path: string | undefined;
  readonly log: Logger;
}

/**
 * Keeps a store's contents in a file. What a proxy is given for a call is on disk before, so that a
 * control plane that is killed and comes back does not take it away. One write at a time, and one
 * after it however much changed meanwhile.
 */
export class CalledHostsKeeper {
  readonly #options: CalledHostsKeeperOptions;
  #writing: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(options: CalledHostsKeeperOptions) {
    this.#options = options;
  }

  /** Fills the store with what an earlier run kept; a file that cannot be read is said and left alone. */
  async load(): Promise<void> {
    const { path, store, log } = this.#options;
    if (path === undefined) return;
    try {
      store.load(await readCalledHosts(path));
    } catch (error) {
      log.error("what workloads were seen to call could not be read: it is asked for again", {
        file: path,
        error: textOf(error),
      });
    }
  }

  /** Resolves when everything that the store holds now is on disk, or could not be written. */
  save(): Promise<void> {
    if (this.#options.path === undefined) return Promise.resolve();
    if (this.#writing === undefined) {
      this.#writing = this.#write().finally(() => {
        this.#writing = undefined;
      });
      return this.#writing;
    }
    this.#next ??= this.#writing.then(() => {
      this.#next = undefined;
      return this.save();
    });
    return this.#next;
  }

  async #write(): Promise<void> {
    const { path = "", store, log } = this.#options;
    try {
      await writeCalledHosts(path, store.toStored());
    } catch (error) {
      log.error(
        "what workloads were seen to call could not be kept: after a restart it is asked for again",
        {
          file: path,
          error: textOf(error),
        },
      );
    }
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
