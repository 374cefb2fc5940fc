import { createHash } from "node:crypto";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import type { PlacedObject } from "./folder-state.ts";
import {
  fromStored,
  readLastGood,
  type StoredObject,
  toStored,
  writeLastGood,
} from "./last-good-file.ts";

/** So long may the journal grow, in bytes, before all is written anew; longer where all is more. */
const JOURNAL_BYTES_MIN = 256 * 1024;

/** A line after the first: what a file holds from then on; without objects, it is gone. */
interface JournalEntry {
  readonly file: string;
  readonly objects?: readonly StoredObject[];
}

/** What there is to keep. */
export interface KeptFiles {
  files(): readonly string[];
  /** `undefined` when the file is gone. */
  objectsOf(file: string): readonly PlacedObject[] | undefined;
}

/**
 * The last good objects of a folder, kept over a restart at once: one file with everything, and
 * beside it a journal of the files that changed since, so that a change costs what changed.
 */
export class LastGoodJournal {
  readonly #path: string;
  readonly #kept: KeptFiles;
  #wholeBytes = 0;
  /** `undefined`: there is no journal that goes on from what is written. */
  #journalBytes: number | undefined;

  constructor(path: string, kept: KeptFiles) {
    this.#path = path;
    this.#kept = kept;
  }

  /**
   * The objects of an earlier run by file; nothing when there was none. Rejects when what is there
   * cannot be used.
   */
  async read(): Promise<ReadonlyMap<string, readonly PlacedObject[]>> {
    const contents = new Map(await readLastGood(this.#path));
    const journal = await readIfThere(this.#journalPath);
    const whole = await readIfThere(this.#path);
    if (journal === undefined || whole === undefined) return contents;
    const [head, ...lines] = journal.split("\n");
    // One that goes on from an earlier file says nothing that is newer than this one.
    if (head !== digestOf(whole)) return contents;
    for (const line of lines) {
      const entry = parseEntry(line);
      if (entry === undefined) continue;
      const { file, objects } = entry;
      if (objects === undefined) contents.delete(file);
      else contents.set(file, fromStored(file, objects));
    }
    return contents;
  }

  /** Keeps what became of some files. */
  async write(changed: readonly string[]): Promise<void> {
    if (this.#journalBytes === undefined) {
      await this.#writeWhole();
      return;
    }
    const text = changed.map((file) => `${JSON.stringify(this.#entryOf(file))}\n`).join("");
    const bytes = this.#journalBytes + Buffer.byteLength(text);
    if (bytes > Math.max(JOURNAL_BYTES_MIN, this.#wholeBytes)) {
      await this.#writeWhole();
    } else if (text !== "") {
      await appendFile(this.#journalPath, text, { mode: 0o600 });
      this.#journalBytes = bytes;
    }
  }

  get #journalPath(): string {
    return `${this.#path}.journal`;
  }

  #entryOf(file: string): JournalEntry {
    const objects = this.#kept.objectsOf(file);
    return objects === undefined ? { file } : { file, objects: objects.map(toStored) };
  }

  async #writeWhole(): Promise<void> {
    this.#journalBytes = undefined;
    const text = await writeLastGood(
      this.#path,
      new Map(this.#kept.files().map((file) => [file, this.#kept.objectsOf(file) ?? []])),
    );
    await writeFile(this.#journalPath, `${digestOf(text)}\n`, { mode: 0o600 });
    this.#wholeBytes = Buffer.byteLength(text);
    this.#journalBytes = 0;
  }
}

/** Says which file a journal goes on from. */
function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** `undefined` for a line that is empty, or was cut off when the process was killed. */
function parseEntry(line: string): JournalEntry | undefined {
  try {
    return JSON.parse(line) as JournalEntry;
  } catch {
    return undefined;
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
