import type { KubeObject } from "../config/object.ts";
import type { StorageEvent } from "./storage.ts";

/** What stands behind the tables in memory, so that they survive a restart. */
export interface Journal {
  /** All that is kept, once, when the storage opens. */
  load(): { readonly objects: Iterable<KubeObject>; readonly revision: number };
  /** Resolves when the changes are durable, all or none of them; `undefined`: there is nothing to wait for. */
  commit(events: readonly StorageEvent[], revision: number): Promise<void> | undefined;
  close(): Promise<void>;
}

/** Keeps nothing. */
export const noJournal: Journal = {
  load: () => ({ objects: [], revision: 0 }),
  commit: () => undefined,
  close: () => Promise.resolve(),
};
