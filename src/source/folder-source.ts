import { watch } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Timer } from "../base/clock.ts";
import { decodeYaml } from "../config/yaml.ts";
import { type FileContent, FolderState } from "./folder-state.ts";
import { readLastGood, writeLastGood } from "./last-good-file.ts";
import type { ConfigBatch, ConfigSource, RefusedInput } from "./source.ts";

/** How long a folder has to be quiet before it is read: editors write in several steps. */
const QUIET_MS = 40;

/** A folder that never is quiet is read after this time all the same. */
const QUIET_MS_MAX = 500;

/** How often the folder is looked at without a notice: some file systems send none. */
const POLL_MS = 2000;

/** Files that configuration is read from. */
const FILE_NAME = /\.(?:ya?ml|json)$/;

const FILES_MAX = 10_000;
const FILE_BYTES_MAX = 16 * 1024 * 1024;
/** Folders inside folders; guards against links in a circle too. */
const DEPTH_MAX = 12;
/** Folders that are watched; changes in others are seen by the poll. */
const WATCHES_MAX = 256;

/** What a folder source needs. */
export interface FolderSourceOptions {
  readonly folder: string;
  readonly clock: Clock;
  /** Where the last good version of every object is kept for the next run; absent: nowhere. */
  readonly lastGoodFile?: string;
  /** Given to namespaced objects that do not name one. */
  readonly defaultNamespace?: string;
}

const NO_REFUSALS = "[]";

interface FoundFile {
  readonly path: string;
  /** Differs when the content may. */
  readonly signature: string;
}

/**
 * Configuration from the YAML and JSON files of a folder and the folders in it, watched. Hidden
 * files and folders are left alone, links are followed. What is broken is refused and stays as it
 * last was; when the folder itself cannot be read, everything stays.
 */
export class FolderSource implements ConfigSource {
  readonly name: string;
  readonly #options: FolderSourceOptions;
  readonly #state = new FolderState();
  readonly #signatures = new Map<string, string>();
  /** Refusals that concern the folder itself, and the file of last good objects. */
  #folderRefusals: readonly RefusedInput[] = [];
  #lastGoodRefusals: readonly RefusedInput[] = [];
  #lastRefused = NO_REFUSALS;

  constructor(options: FolderSourceOptions) {
    this.#options = options;
    this.name = options.folder;
  }

  async run(onBatch: (batch: ConfigBatch) => void, signal: AbortSignal): Promise<void> {
    const notices = new Notices(this.#options.clock, signal);
    try {
      if (this.#state.files().length === 0) await this.#restore();
      this.#state.startOver();
      this.#lastRefused = NO_REFUSALS;
      for (let isFirst = true; !signal.aborted; isFirst = false) {
        const folders = await this.#scan();
        notices.watch(folders);
        const batch = this.#takeBatch();
        if (isFirst || batch !== undefined) onBatch(batch ?? { events: [], refused: [] });
        if (batch !== undefined) await this.#keep();
        await notices.next();
      }
    } finally {
      notices.close();
    }
  }

  /** The batch to hand on, or `undefined` when there is nothing new to say. */
  #takeBatch(): ConfigBatch | undefined {
    const { events, refused: ofFiles } = this.#state.takeBatch();
    const refused = [...this.#folderRefusals, ...this.#lastGoodRefusals, ...ofFiles];
    const text = JSON.stringify(refused);
    const isNews = events.length > 0 || text !== this.#lastRefused;
    this.#lastRefused = text;
    return isNews ? { events, refused } : undefined;
  }

  /** Reads what changed since the last time; the folders that there are. */
  async #scan(): Promise<readonly string[]> {
    const { folder } = this.#options;
    const folders: string[] = [];
    const files: FoundFile[] = [];
    const refusals: RefusedInput[] = [];
    try {
      await listFiles(folder, 0, folders, files);
    } catch (error) {
      refusals.push(refusal(folder, `cannot be read, everything stays as it is: ${reason(error)}`));
      this.#folderRefusals = refusals;
      return folders;
    }
    if (files.length > FILES_MAX) {
      refusals.push(
        refusal(folder, `has more than ${FILES_MAX} files: the last by name are left out`),
      );
      files.length = FILES_MAX;
    }
    for (const { path, signature } of files) {
      if (this.#signatures.get(path) === signature) continue;
      this.#state.setFile(path, await this.#read(path));
      this.#signatures.set(path, signature);
    }
    const present = new Set(files.map(({ path }) => path));
    for (const file of this.#state.files()) {
      if (present.has(file)) continue;
      this.#state.removeFile(file);
      this.#signatures.delete(file);
    }
    this.#folderRefusals = refusals;
    return folders;
  }

  async #read(path: string): Promise<FileContent> {
    let text: string;
    try {
      const { size } = await stat(path);
      if (size > FILE_BYTES_MAX) {
        const message = `is larger than ${FILE_BYTES_MAX} bytes`;
        return { objects: [], problems: [refusal(path, message)] };
      }
      text = await readFile(path, "utf8");
    } catch (error) {
      return { objects: [], problems: [refusal(path, `cannot be read: ${reason(error)}`)] };
    }
    const { defaultNamespace = "default" } = this.#options;
    const { objects, problems } = decodeYaml(text, path, { defaultNamespace });
    return {
      objects: objects.map(({ object, file, line }) => ({ object, origin: { file, line } })),
      problems: problems.map(({ file, line, object, issue }) => ({
        origin: { file, line },
        ...(object !== undefined && { object }),
        issue,
      })),
    };
  }

  async #restore(): Promise<void> {
    const { lastGoodFile } = this.#options;
    if (lastGoodFile === undefined) return;
    try {
      for (const [file, objects] of await readLastGood(lastGoodFile)) {
        this.#state.restoreFile(file, objects);
      }
    } catch (error) {
      const message = `cannot be used, starting without it: ${reason(error)}`;
      this.#lastGoodRefusals = [refusal(lastGoodFile, message)];
    }
  }

  async #keep(): Promise<void> {
    const { lastGoodFile } = this.#options;
    if (lastGoodFile === undefined) return;
    try {
      await writeLastGood(lastGoodFile, this.#state.contents());
      this.#lastGoodRefusals = [];
    } catch (error) {
      const message = `cannot be written, a restart would lose what is broken then: ${reason(error)}`;
      this.#lastGoodRefusals = [refusal(lastGoodFile, message)];
    }
  }
}

/** Adds the files and folders below a folder, sorted by name. */
async function listFiles(
  folder: string,
  depth: number,
  folders: string[],
  files: FoundFile[],
): Promise<void> {
  folders.push(folder);
  for (const name of (await readdir(folder)).sort()) {
    if (name.startsWith(".")) continue;
    const path = join(folder, name);
    // What is gone or a dead link by now is no file.
    const found = await stat(path).catch(() => undefined);
    if (found?.isDirectory() === true) {
      if (depth < DEPTH_MAX) await listFiles(path, depth + 1, folders, files).catch(ignoreGone);
    } else if (found?.isFile() === true && FILE_NAME.test(name)) {
      const { ino, size, mtimeMs, ctimeMs } = found;
      files.push({ path, signature: `${ino} ${size} ${mtimeMs} ${ctimeMs}` });
    }
  }
}

function ignoreGone(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
}

function refusal(file: string, message: string): RefusedInput {
  return { origin: { file, line: 1 }, issue: { path: "", message } };
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** When to look at the folders again: soon after a notice, and now and then without one. */
class Notices {
  readonly #clock: Clock;
  readonly #watchers = new Map<string, { close(): void }>();
  readonly #signal: AbortSignal;
  #isNoted = false;
  #note: (() => void) | undefined;

  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#note?.(), { once: true });
  }

  watch(folders: readonly string[]): void {
    for (const [folder, watcher] of this.#watchers) {
      if (folders.includes(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of folders.slice(0, WATCHES_MAX)) {
      if (!this.#watchers.has(folder)) this.#watchFolder(folder);
    }
  }

  /** Resolves when it is time to look, or when the signal aborts. */
  async next(): Promise<void> {
    await this.#wait(POLL_MS);
    const endMs = this.#clock.monotonicMs() + QUIET_MS_MAX;
    // Each notice starts the quiet time over, up to the bound.
    while (this.#isNoted && !this.#signal.aborted && this.#clock.monotonicMs() < endMs) {
      this.#isNoted = false;
      await this.#wait(QUIET_MS);
    }
    this.#isNoted = false;
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #watchFolder(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: true }, () => this.#notice());
      watcher.on("error", () => {
        watcher.close();
        this.#watchers.delete(folder);
        this.#notice();
      });
      this.#watchers.set(folder, watcher);
    } catch {
      // No more watches to be had: the poll sees this folder.
    }
  }

  #notice(): void {
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
