import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { RootDatabase, RootDatabaseOptionsWithPath } from "lmdb";
import { open } from "lmdb";
import type { KubeObject } from "../config/object.ts";
import { keyOf, keyText } from "../config/object.ts";
import { whyDamaged } from "./check-lmdb-file.ts";
import type { Journal } from "./journal.ts";
import type { StorageOptions } from "./memory-storage.ts";
import { MemoryStorage } from "./memory-storage.ts";
import type { StorageEvent } from "./storage.ts";

/** Where the objects are kept, beside what every storage needs. */
export interface LmdbStorageOptions extends StorageOptions {
  /** A folder; made when it is missing. One process at a time opens it. */
  readonly path: string;
}

/** What keys of objects start with; what is known about all of them stands beside. */
const OBJECT_PREFIX = "object/";
const REVISION_KEY = "revision";
/** Grows when what is written changes its form. */
const FORMAT_KEY = "format";
const FORMAT = 1;

/** The storage whose objects survive a restart, a crash, and a power cut after a write resolved. */
export class LmdbStorage extends MemoryStorage {
  constructor({ path, ...options }: LmdbStorageOptions) {
    super(options, new LmdbJournal(path));
  }
}

class LmdbJournal implements Journal {
  readonly #database: RootDatabase<unknown, string>;

  constructor(path: string) {
    // Secrets are among the objects.
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const damage = whyDamaged(join(path, "data.mdb"));
    if (damage !== undefined) throw new Error(`${join(path, "data.mdb")} is damaged: ${damage}`);
    const options: RootDatabaseOptionsWithPath & { readonly permissionsMode: number } = {
      path,
      // Else a folder with a dot in its name would be taken for a file.
      noSubdir: false,
      // Read by lmdb, missing in its types.
      permissionsMode: 0o600,
      encoding: "json",
      // A promise of a write resolves when it is on the disk, not before.
      overlappingSync: false,
    };
    this.#database = open<unknown, string>(options);
    const format = this.#database.get(FORMAT_KEY);
    if (format !== undefined && format !== FORMAT) {
      void this.#database.close();
      throw new Error(
        `${path} was written by another version of weft (format ${JSON.stringify(format)}, this one reads ${FORMAT})`,
      );
    }
  }

  load(): { readonly objects: Iterable<KubeObject>; readonly revision: number } {
    const range = { start: OBJECT_PREFIX, end: `${OBJECT_PREFIX}\uffff` };
    const objects = [...this.#database.getRange(range)].map(({ value }) => value as KubeObject);
    const revision = this.#database.get(REVISION_KEY);
    return { objects, revision: typeof revision === "number" ? revision : 0 };
  }

  async commit(events: readonly StorageEvent[], revision: number): Promise<void> {
    await this.#database.batch(() => {
      for (const { type, object } of events) {
        const key = `${OBJECT_PREFIX}${keyText(keyOf(object))}`;
        if (type === "DELETED") void this.#database.remove(key);
        else void this.#database.put(key, object);
      }
      void this.#database.put(REVISION_KEY, revision);
      void this.#database.put(FORMAT_KEY, FORMAT);
    });
  }

  async close(): Promise<void> {
    await this.#database.close();
  }
}
