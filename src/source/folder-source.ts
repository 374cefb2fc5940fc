import { lstat, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { decodeYaml } from "../config/yaml.ts";
import {
  FolderNotices,
  type Look,
  type Notice,
  QUIET_MS,
  UNSETTLED_MS_MAX,
} from "./folder-notices.ts";
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

/**
 * How old the last write to a file must be whose text stops in the middle of a line, or which is
 * empty: more is likely to come.
 */
const CUT_MS = 1000;

/** How long the first batch waits for files that are being written. */
const FIRST_MS_MAX = 2000;

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
  readonly inode: number;
  readonly size: number;
  readonly mtimeMs: number;
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
  /** Files as they were when they were read. */
  readonly #taken = new Map<string, FoundFile>();
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
    const isFile = (path: string): boolean => FILE_NAME.test(path);
    const notices = new FolderNotices({ clock, signal, pollMs: POLL_MS, isFile });
    const startMs = clock.monotonicMs();
    try {
      if (this.#state.files().length === 0) await this.#restore();
      this.#state.startOver();
      this.#lastRefused = NO_REFUSALS;
      let look: Look = { of: "all" };
      for (let isFirst = true; !signal.aborted; look = await notices.next()) {
        await this.#look(look, notices);
        const isLate = clock.monotonicMs() - startMs > FIRST_MS_MAX;
        if (isFirst && notices.pending > 0 && !isLate) continue;
        const batch = this.#takeBatch();
        if (isFirst || batch !== undefined) onBatch(batch ?? { events: [], refused: [] });
        if (batch !== undefined) await this.#keep();
        isFirst = false;
      }
    } finally {
      notices.close();
    }
  }

  async #look(look: Look, notices: FolderNotices): Promise<void> {
    if (look.of === "renamed") return this.#takeReplaced(look.paths, notices);
    if (look.of === "settled" && (await this.#scanSome(look.paths, notices))) return;
    const { clock } = this.#options;
    const startMs = clock.monotonicMs();
    notices.watch(await this.#scan(notices));
    notices.pollMs = Math.max(POLL_MS, POLL_PER_SCAN * (clock.monotonicMs() - startMs));
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
  async #scan(notices: FolderNotices): Promise<readonly string[]> {
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
    // What something just happened to is looked at when it is quiet.
    for (const file of files) if (!notices.has(file.path)) await this.#take(file, notices);
    const present = new Set(files.map(({ path }) => path));
    for (const file of this.#state.files()) {
      if (!present.has(file) && !notices.has(file)) this.#drop(file);
    }
    this.#folderRefusals = refusals;
    return folders;
  }

  /** Looks at these alone; false when one of them is more than a file that changed. */
  async #scanSome(paths: ReadonlyMap<string, Notice>, notices: FolderNotices): Promise<boolean> {
    if (this.#folderRefusals.length > 0) return false;
    const { clock } = this.#options;
    for (const [path, { firstMs, lastMs }] of paths) {
      const found = await findFile(path);
      if (found === undefined) {
        if (this.#state.hasFile(path)) this.#drop(path);
        // A folder, it may be; what is no configuration comes and goes as it likes.
        else if (!FILE_NAME.test(path)) return false;
      } else if (found === "folder") return false;
      else if (FILE_NAME.test(path)) {
        if (!this.#state.hasFile(path) && this.#taken.size >= FILES_MAX) return false;
        if (clock.monotonicMs() - lastMs < QUIET_MS) this.#postpone(path, notices, firstMs);
        else await this.#take(found, notices, firstMs);
      }
    }
    return true;
  }

  /**
   * Takes files whose names were given away once, where that put another file in the place of a
   * known one: such a file was written before, elsewhere. Had the known one been removed and another
   * been made in its place, two things would have happened to the name, and both be noticed before
   * anything that was written since could be believed.
   */
  async #takeReplaced(paths: ReadonlyMap<string, Notice>, notices: FolderNotices): Promise<void> {
    const read = new Map<FoundFile, FileContent>();
    for (const path of paths.keys()) {
      const found = await this.#findReplacement(path);
      const content = found && (await this.#read(found, notices));
      if (found === undefined || content === undefined) break;
      read.set(found, content);
    }
    const isWhole =
      read.size === paths.size && [...paths.keys()].every((path) => !notices.has(path));
    if (isWhole) for (const [found, content] of read) this.#accept(found, content);
    else for (const [path, { firstMs }] of paths) notices.putBack(path, firstMs);
  }

  /** The file at a path, when it is not empty, no link, and another than the one that was taken. */
  async #findReplacement(path: string): Promise<FoundFile | undefined> {
    const [known, found] = [this.#taken.get(path), await findFile(path)];
    if (known === undefined || found === undefined || found === "folder") return undefined;
    const own = await lstat(path).catch(() => undefined);
    const isOther = own?.isFile() === true && found.inode !== known.inode;
    return isOther && found.size > 0 ? found : undefined;
  }

  /** Takes a file, unless it is being written; one that is, since `firstMs`, is looked at again. */
  async #take(found: FoundFile, notices: FolderNotices, firstMs?: number): Promise<void> {
    const { path, signature, mtimeMs } = found;
    if (this.#taken.get(path)?.signature === signature) return;
    // What was written in the future was written by another clock, which says nothing here.
    const ageMs = this.#options.clock.nowMs() - mtimeMs;
    const isYounger = (ms: number): boolean => ageMs >= 0 && ageMs < ms;
    const content = isYounger(QUIET_MS)
      ? undefined
      : await this.#read(found, notices, isYounger(CUT_MS));
    if (content === undefined) this.#postpone(path, notices, firstMs);
    else this.#accept(found, content);
  }

  #accept(found: FoundFile, content: FileContent): void {
    this.#state.setFile(found.path, content);
    this.#taken.set(found.path, found);
    this.#unkept.add(found.path);
  }

  #postpone(path: string, notices: FolderNotices, firstMs?: number): void {
    const isNew = firstMs === undefined;
    if (isNew || this.#options.clock.monotonicMs() - firstMs < UNSETTLED_MS_MAX) {
      notices.putBack(path, firstMs);
      return;
    }
    const message =
      `has been written for ${UNSETTLED_MS_MAX / 1000} s and stays as it was until that ends: ` +
      "write another file and rename it to this one";
    this.#state.setFile(path, { objects: [], problems: [refusal(path, message)] });
    notices.putBack(path);
  }

  #drop(path: string): void {
    this.#state.removeFile(path);
    this.#taken.delete(path);
    this.#unkept.add(path);
  }

  /**
   * What a file holds; `undefined` when something happened to it while it was read, or when it seems
   * to be cut off and such are not taken yet.
   */
  async #read(
    { path, size, signature }: FoundFile,
    notices: FolderNotices,
    isCutRefused = false,
  ): Promise<FileContent | undefined> {
    if (size > FILE_BYTES_MAX) {
      const message = `is larger than ${FILE_BYTES_MAX} bytes`;
      return { objects: [], problems: [refusal(path, message)] };
    }
    const text = await readFile(path, "utf8").catch((error: unknown) => ({ why: reason(error) }));
    const after = await findFile(path);
    await notices.drain();
    if (notices.has(path)) return undefined;
    if (typeof text !== "string") {
      return { objects: [], problems: [refusal(path, `cannot be read: ${text.why}`)] };
    }
    const isSame = typeof after === "object" && after.signature === signature;
    if (!isSame || (isCutRefused && isCut(text))) return undefined;
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
  const signature = `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
  return { path, inode: ino, size, mtimeMs, signature };
}

/** Whether a text stops in the middle of a line; JSON that is cut off does not parse. */
function isCut(text: string): boolean {
  return !text.endsWith("\n") && !text.trimStart().startsWith("{");
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
