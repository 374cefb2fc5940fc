import { createHash } from "node:crypto";
import { type FSWatcher, readFileSync, watch } from "node:fs";
import { dirname } from "node:path";
import type { Clock, Timer } from "../../base/clock.ts";

/** How often files are looked at that the system does not watch, or whose content was refused. */
const POLL_MS = 2000;

/**
 * Tells when files have other content. The folders that hold them are watched, not the files:
 * Kubernetes and careful people put a new version in place by renaming.
 */
export class FileWatch {
  readonly #files: readonly string[];
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #watchers: FSWatcher[] = [];
  #isBlind = false;
  #hasFailed = false;
  #isDue = false;
  #isClosed = false;
  #timer: Timer | undefined = undefined;
  #seen: string;

  /** `directory` is watched instead of those of the files, unless it is "". */
  constructor(files: readonly string[], directory: string, clock: Clock, onChange: () => void) {
    this.#files = files;
    this.#directory = directory;
    this.#clock = clock;
    this.#onChange = onChange;
    this.#seen = this.#fingerprint();
    for (const folder of new Set(directory === "" ? files.map(dirname) : [directory])) {
      this.#watchFolder(folder);
    }
    this.#poll();
  }

  covers(files: readonly string[], directory: string): boolean {
    return directory === this.#directory && files.join("\0") === this.#files.join("\0");
  }

  #watchFolder(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#lookSoon());
      watcher.on("error", () => this.#goBlind());
      this.#watchers.push(watcher);
    } catch {
      this.#goBlind();
    }
  }

  #goBlind(): void {
    this.#isBlind = true;
    this.#poll();
  }

  /** What was read last could not be used: the next try does not wait for an event. */
  setFailed(hasFailed: boolean): void {
    this.#hasFailed = hasFailed;
    this.#poll();
  }

  #poll(): void {
    const isNeeded = (this.#isBlind || this.#hasFailed) && !this.#isClosed;
    if (!isNeeded || this.#timer !== undefined) return;
    this.#timer = this.#clock.setTimer(POLL_MS, () => {
      this.#timer = undefined;
      this.#look();
      this.#poll();
    });
  }

  /** One change makes several events. */
  #lookSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      this.#look();
    });
  }

  #look(): void {
    if (this.#isClosed) return;
    const now = this.#fingerprint();
    if (now === this.#seen) return;
    this.#seen = now;
    this.#onChange();
  }

  #fingerprint(): string {
    const hash = createHash("sha256");
    for (const file of this.#files) {
      try {
        hash.update(readFileSync(file));
      } catch {
        hash.update("missing");
      }
      hash.update("\0");
    }
    return hash.digest("hex");
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const watcher of this.#watchers) watcher.close();
  }
}
