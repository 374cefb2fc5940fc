import { watch } from "node:fs";
import { basename, join } from "node:path";
import type { Clock, Timer } from "../base/clock.ts";

/** How long a folder has to be quiet before it is read: editors write in several steps. */
const QUIET_MS = 20;

/** A folder that never is quiet is read after this time all the same. */
const QUIET_MS_MAX = 500;

/** Folders that are watched; changes in others are seen by the poll. */
const WATCHES_MAX = 256;

/** When more paths are noticed at a time, everything is to be looked at. */
const PATHS_MAX = 1000;

/** When to look at a folder again, and at what: soon after a notice, and now and then at everything. */
export class FolderNotices {
  /** How long to wait without a notice. */
  pollMs: number;
  readonly #clock: Clock;
  readonly #watchers = new Map<string, { close(): void }>();
  readonly #signal: AbortSignal;
  /** What was noticed; `undefined`: everything has to be looked at. */
  #paths: Set<string> | undefined = new Set();
  #isNoted = false;
  #note: (() => void) | undefined;

  constructor(clock: Clock, signal: AbortSignal, pollMs: number) {
    this.#clock = clock;
    this.#signal = signal;
    this.pollMs = pollMs;
    signal.addEventListener("abort", () => this.#note?.(), { once: true });
  }

  /** Watches these folders, and no others from now on. */
  watch(folders: readonly string[]): void {
    const wanted = new Set(folders);
    for (const [folder, watcher] of this.#watchers) {
      if (wanted.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of folders.slice(0, WATCHES_MAX)) {
      if (!this.#watchers.has(folder)) this.#watchFolder(folder);
    }
  }

  /**
   * Resolves when it is time to look, or when the signal aborts: the paths in which something
   * happened, or `undefined` when everything is to be looked at.
   */
  async next(): Promise<readonly string[] | undefined> {
    await this.#wait(this.pollMs);
    const isPoll = !this.#isNoted;
    const endMs = this.#clock.monotonicMs() + QUIET_MS_MAX;
    // Each notice starts the quiet time over, up to the bound.
    while (this.#isNoted && !this.#signal.aborted && this.#clock.monotonicMs() < endMs) {
      this.#isNoted = false;
      await this.#wait(QUIET_MS);
    }
    this.#isNoted = false;
    const paths = this.#paths;
    this.#paths = new Set();
    return isPoll || paths === undefined ? undefined : [...paths];
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #watchFolder(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: true }, (_event, name) =>
        this.#notice(folder, name),
      );
      watcher.on("error", () => {
        watcher.close();
        this.#watchers.delete(folder);
        this.#notice(folder, null);
      });
      this.#watchers.set(folder, watcher);
    } catch {
      // No more watches to be had: the poll sees this folder.
    }
  }

  #notice(folder: string, name: string | null): void {
    // The folder tells of itself by its own name; hidden ones are the links that whole folders are
    // exchanged by (as Kubernetes does with a mounted ConfigMap).
    const isWhole = name === null || name.startsWith(".") || name === basename(folder);
    if (isWhole || (this.#paths?.size ?? 0) >= PATHS_MAX) this.#paths = undefined;
    else this.#paths?.add(join(folder, name));
    this.#isNoted = true;
    this.#note?.();
  }

  #wait(delayMs: number): Promise<void> {
    if (this.#isNoted || this.#signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer: Timer = this.#clock.setTimer(delayMs, () => this.#note?.());
      this.#note = () => {
        timer.cancel();
        this.#note = undefined;
        resolve();
      };
    });
  }
}
