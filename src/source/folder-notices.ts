import { watch } from "node:fs";
import { basename, join } from "node:path";
import type { Clock, Timer } from "../base/clock.ts";

/** How long nothing may happen before what was written in place is read: writers write in several steps. */
export const QUIET_MS = 50;

/** In a folder that never is quiet, what is quiet is looked at after this time all the same. */
const QUIET_MS_MAX = 500;

/** A file that never is quiet is told of after this time, and again each time it has passed. */
export const UNSETTLED_MS_MAX = 10_000;

/** Folders that are watched; changes in others are seen by the poll. */
const WATCHES_MAX = 256;

/** When more paths are noticed at a time, everything is to be looked at. */
const PATHS_MAX = 1000;

/** Something happened to a path, and it was not looked at since. */
export interface Notice {
  /** Whether its name came, went or was given to another file once, and that was all. */
  readonly isOnce: boolean;
  readonly firstMs: number;
  readonly lastMs: number;
}

/** What to look at now; see `FolderNotices.next`. */
export type Look =
  | { readonly of: "all" }
  | { readonly of: "renamed" | "settled"; readonly paths: ReadonlyMap<string, Notice> };

/** What the notices of folders need. */
export interface FolderNoticesOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** How long to wait without a notice, until `pollMs` is set. */
  readonly pollMs: number;
  /** Whether a path has the name of a file of configuration. */
  readonly isFile: (path: string) => boolean;
}

/** When to look at a folder again, and at what: soon after a notice, and now and then at everything. */
export class FolderNotices {
  pollMs: number;
  readonly #options: FolderNoticesOptions;
  readonly #watchers = new Map<string, { close(): void }>();
  readonly #paths = new Map<string, Notice>();
  /** Whether something happened that is not of one path alone. */
  #isAll = false;
  #isNoted = false;
  #note: (() => void) | undefined;

  constructor(options: FolderNoticesOptions) {
    this.#options = options;
    this.pollMs = options.pollMs;
    options.signal.addEventListener("abort", () => this.#note?.(), { once: true });
  }

  /** How many paths wait to be looked at. */
  get pending(): number {
    return this.#paths.size;
  }

  /** Whether something happened to a path that was not looked at since. */
  has(path: string): boolean {
    return this.#paths.has(path);
  }

  /** Has a path looked at again once it is quiet from now on, as one that is unsettled since `firstMs`. */
  putBack(path: string, firstMs?: number): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#put(path, { isOnce: false, firstMs: firstMs ?? nowMs, lastMs: nowMs });
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
   * Resolves when it is time to look, or when the signal aborts. What it returns counts as looked
   * at: `has` says whether something happened to a path since then.
   *
   * "settled" are quiet, or never were for `UNSETTLED_MS_MAX`. "renamed" are not waited for: names
   * that were given away once, which is how a file is put in another's place whole. They are so only
   * while nothing else happened to a file of configuration: files that are moved about belong together.
   */
  async next(): Promise<Look> {
    if (!this.#isUnderWay) {
      this.#isNoted = false;
      await this.#wait(this.pollMs);
      if (!this.#isUnderWay) return { of: "all" };
    }
    await this.drain();
    const renamed = this.#renamed();
    if (renamed.size > 0) return this.#take("renamed", renamed);
    const { signal, clock } = this.#options;
    const endMs = clock.monotonicMs() + QUIET_MS_MAX;
    while (!signal.aborted) {
      this.#isNoted = false;
      await this.#wait(QUIET_MS);
      // A timer that was late says nothing of what waits to be read.
      await this.drain();
      // Each notice starts the quiet time over, up to the bound.
      if (this.#isNoted && clock.monotonicMs() < endMs) continue;
      const settled = this.#settled();
      if (this.#isAll) {
        this.#isAll = false;
        this.#take("settled", settled);
        return { of: "all" };
      }
      if (settled.size > 0) return this.#take("settled", settled);
    }
    return { of: "all" };
  }

  /** Resolves when everything that had happened by now has been noticed. */
  async drain(): Promise<void> {
    // The second comes after a whole turn of the event loop, in which the system was asked.
    for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  get #isUnderWay(): boolean {
    return this.#isAll || this.#paths.size > 0;
  }

  #renamed(): ReadonlyMap<string, Notice> {
    const files = [...this.#paths].filter(([path]) => this.#options.isFile(path));
    // Only Linux tells of each thing that happens to a name.
    const isWhole = process.platform === "linux" && files.every(([, { isOnce }]) => isOnce);
    return new Map(isWhole ? files : []);
  }

  #settled(): ReadonlyMap<string, Notice> {
    const nowMs = this.#options.clock.monotonicMs();
    return new Map(
      [...this.#paths].filter(
        ([, { firstMs, lastMs }]) =>
          nowMs - lastMs >= QUIET_MS || nowMs - firstMs >= UNSETTLED_MS_MAX,
      ),
    );
  }

  #take(of: "renamed" | "settled", paths: ReadonlyMap<string, Notice>): Look {
    for (const path of paths.keys()) this.#paths.delete(path);
    return { of, paths };
  }

  #watchFolder(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: true }, (event, name) =>
        this.#notice(folder, name, event),
      );
      watcher.on("error", () => {
        watcher.close();
        this.#watchers.delete(folder);
        this.#notice(folder, null, "rename");
      });
      this.#watchers.set(folder, watcher);
    } catch {
      // No more watches to be had: the poll sees this folder.
    }
  }

  #notice(folder: string, name: string | null, event: "rename" | "change"): void {
    // The folder tells of itself by its own name; hidden ones are the links that whole folders are
    // exchanged by (as Kubernetes does with a mounted ConfigMap).
    const isWhole = name === null || name.startsWith(".") || name === basename(folder);
    if (isWhole) this.#isAll = true;
    else {
      const path = join(folder, name);
      const known = this.#paths.get(path);
      const nowMs = this.#options.clock.monotonicMs();
      const isOnce = known === undefined && event === "rename";
      this.#put(path, { isOnce, firstMs: known?.firstMs ?? nowMs, lastMs: nowMs });
    }
    this.#isNoted = true;
    this.#note?.();
  }

  #put(path: string, notice: Notice): void {
    if (this.#paths.size < PATHS_MAX || this.#paths.has(path)) this.#paths.set(path, notice);
    else this.#isAll = true;
  }

  #wait(delayMs: number): Promise<void> {
    if (this.#isNoted || this.#options.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer: Timer = this.#options.clock.setTimer(delayMs, () => this.#note?.());
      this.#note = () => {
        timer.cancel();
        this.#note = undefined;
        resolve();
      };
    });
  }
}
