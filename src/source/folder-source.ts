import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { decodeYaml } from "../config/yaml.ts";
import { FolderNotices } from "./folder-notices.ts";
import { type FileContent, FolderState } from "./folder-state.ts";
import { LastGoodJournal } from "./last-good-journal.ts";
import type { ConfigBatch, ConfigSource, RefusedInput } from "./source.ts";

/**
 * How often everything is looked at without a notice, as some file systems send none; more seldom
 * where that takes long, so that it is never more than a twentieth of the time.
 */
const POLL_MS = 2000;
const POLL_PER_SCAN = 20;

/** Files that configuration is read from. */
const FILE_NAME = /\.(?:ya?ml|json)$/;

/** How long a file that is gone or empty is waited for: some programs clear it before they write it anew. */
const CLEARED_MS = 40;

const FILES_MAX = 10_000;
const FILE_BYTES_MAX = 16 * 1024 * 1024;
/** Folders inside folders; guards against links in a circle too. */
const DEPTH_MAX = 12;

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
  readonly isEmpty: boolean;
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
  readonly #lastGood: LastGoodJournal | undefined;
  /** Files that changed since the last good objects were kept. */
  readonly #unkept = new Set<string>();
  /** Refusals that concern the folder itself, and the file of last good objects. */
  #folderRefusals: readonly RefusedInput[] = [];
  #lastGoodRefusals: readonly RefusedInput[] = [];
  #lastRefused = NO_REFUSALS;

  constructor(options: FolderSourceOptions) {
    this.#options = options;
    this.name = options.folder;
    const { lastGoodFile } = options;
    this.#lastGood =
      lastGoodFile === undefined ? undefined : new LastGoodJournal(lastGoodFile, this.#state);
  }

  async run(onBatch: (batch: ConfigBatch) => void, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const notices = new FolderNotices(clock, signal, POLL_MS);
    try {
      if (this.#state.files().length === 0) await this.#restore();
      this.#state.startOver();
      this.#lastRefused = NO_REFUSALS;
      let paths: readonly string[] | undefined;
      for (let isFirst = true; !signal.aborted; isFirst = false) {
        if (paths === undefined || !(await this.#scanSome(paths, signal))) {
          const startMs = clock.monotonicMs();
          notices.watch(await this.#scan());
          notices.pollMs = Math.max(POLL_MS, POLL_PER_SCAN * (clock.monotonicMs() - startMs));
        }
        const batch = this.#takeBatch();
        if (isFirst || batch !== undefined) onBatch(batch ?? { events: [], refused: [] });
        if (batch !== undefined) await this.#keep();
        paths = await notices.next();
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
    for (const file of files) await this.#take(file);
    const present = new Set(files.map(({ path }) => path));
    for (const file of this.#state.files()) if (!present.has(file)) this.#drop(file);
    this.#folderRefusals = refusals;
    return folders;
  }

  /** Looks at these alone; false when one of them is more than a file that changed. */
  async #scanSome(paths: readonly string[], signal: AbortSignal): Promise<boolean> {
    if (this.#folderRefusals.length > 0) return false;
    let hasWaited = false;
    for (const path of paths) {
      let found = await findFile(path);
      if (!hasWaited && this.#isCleared(path, found)) {
        hasWaited = true;
        await this.#options.clock.sleep(CLEARED_MS, signal);
        found = await findFile(path);
      }
      if (found === undefined) {
        if (this.#state.hasFile(path)) this.#drop(path);
        // A folder, it may be; what is no configuration comes and goes as it likes.
        else if (!FILE_NAME.test(path)) return false;
      } else if (found === "folder") return false;
      else if (FILE_NAME.test(path)) {
        if (!this.#state.hasFile(path) && this.#signatures.size >= FILES_MAX) return false;
        await this.#take(found);
      }
    }
    return true;
  }

  /** Whether nothing is left of a file that something was in. */
  #isCleared(path: string, found: FoundFile | "folder" | undefined): boolean {
    if (found === "folder" || !this.#state.hasFile(path)) return false;
    return found === undefined || found.isEmpty;
  }

  async #take({ path, signature }: FoundFile): Promise<void> {
    if (this.#signatures.get(path) === signature) return;
    this.#state.setFile(path, await this.#read(path));
    this.#signatures.set(path, signature);
    this.#unkept.add(path);
  }

  #drop(path: string): void {
    this.#state.removeFile(path);
    this.#signatures.delete(path);
    this.#unkept.add(path);
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
    if (this.#lastGood === undefined) return;
    try {
      for (const [file, objects] of await this.#lastGood.read()) {
        this.#state.restoreFile(file, objects);
      }
    } catch (error) {
      const message = `cannot be used, starting without it: ${reason(error)}`;
      this.#lastGoodRefusals = [refusal(this.#options.lastGoodFile ?? "", message)];
    }
  }

  async #keep(): Promise<void> {
    if (this.#lastGood === undefined) return;
    const changed = [...this.#unkept];
    this.#unkept.clear();
    try {
      await this.#lastGood.write(changed);
      this.#lastGoodRefusals = [];
    } catch (error) {
      for (const file of changed) this.#unkept.add(file);
      const message = `cannot be written, a restart would lose what is broken then: ${reason(error)}`;
      this.#lastGoodRefusals = [refusal(this.#options.lastGoodFile ?? "", message)];
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
    const found = await findFile(path);
    if (found === "folder") {
      if (depth < DEPTH_MAX) await listFiles(path, depth + 1, folders, files).catch(ignoreGone);
    } else if (found !== undefined && FILE_NAME.test(name)) files.push(found);
  }
}

/** What stands at a path; what is gone, a dead link or neither file nor folder is nothing. */
async function findFile(path: string): Promise<FoundFile | "folder" | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) return "folder";
  if (found?.isFile() !== true) return undefined;
  const { ino, size, mtimeMs, ctimeMs } = found;
  return { path, signature: `${ino} ${size} ${mtimeMs} ${ctimeMs}`, isEmpty: size === 0 };
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
