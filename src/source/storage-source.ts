import { type KubeObject, keyOf, keyText } from "../config/object.ts";
import {
  type Storage,
  StorageError,
  type StorageEvent,
  type StorageSelector,
} from "../storage/storage.ts";
import type { ConfigBatch, ConfigEvent, ConfigSource } from "./source.ts";

/**
 * Configuration from a storage: the objects that the selectors name. Changes of one turn of the
 * event loop come as one batch, of several on one object only the last.
 */
export class StorageSource implements ConfigSource {
  readonly name = "storage";
  readonly #storage: Storage;
  readonly #selectors: readonly StorageSelector[];

  constructor(storage: Storage, selectors: readonly StorageSelector[]) {
    this.#storage = storage;
    this.#selectors = selectors;
  }

  async run(onBatch: (batch: ConfigBatch) => void, signal: AbortSignal): Promise<void> {
    const pending = new Map<string, ConfigEvent>();
    let due: NodeJS.Immediate | undefined;
    const flush = (): void => {
      due = undefined;
      const events = [...pending.values()];
      pending.clear();
      onBatch({ events, refused: [] });
    };
    const note = (event: StorageEvent): void => {
      const key = keyOf(event.object);
      const isGone = event.type === "DELETED";
      pending.set(keyText(key), isGone ? { type: "delete", key } : set(event.object));
      due ??= setImmediate(flush);
    };
    const stops: (() => void)[] = [];
    for (const selector of this.#selectors) {
      const { items, revision } = this.#storage.list(selector);
      for (const object of items) pending.set(keyText(keyOf(object)), set(object));
      stops.push(this.#watch(selector, note, revision));
    }
    flush();
    if (!signal.aborted) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    }
    for (const stop of stops) stop();
    if (due !== undefined) clearImmediate(due);
  }

  #watch(
    selector: StorageSelector,
    note: (event: StorageEvent) => void,
    revision: number,
  ): () => void {
    try {
      return this.#storage.watch(selector, note, revision);
    } catch (error) {
      // Nothing can have happened since the list, which was taken in this same turn.
      if (error instanceof StorageError && error.reason === "Expired") {
        return this.#storage.watch(selector, note);
      }
      throw error;
    }
  }
}

function set(object: KubeObject): ConfigEvent {
  return { type: "set", object };
}
