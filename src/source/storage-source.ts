import type { Clock } from "../base/clock.ts";
import type { JsonObject } from "../config/json.ts";
import { type KubeObject, keyOf, keyText } from "../config/object.ts";
import {
  type Storage,
  StorageError,
  type StorageEvent,
  type StorageSelector,
} from "../storage/storage.ts";
import { mergeStatus } from "./merge-status.ts";
import type { ConfigBatch, ConfigEvent, ConfigSource, StatusChange } from "./source.ts";

/**
 * Configuration from a storage: the objects that the selectors name. Changes of one turn of the
 * event loop come as one batch, of several on one object only the last.
 */
export class StorageSource implements ConfigSource {
  readonly name = "storage";
  readonly #storage: Storage;
  readonly #selectors: readonly StorageSelector[];
  readonly #clock: Clock;

  constructor(storage: Storage, selectors: readonly StorageSelector[], clock: Clock) {
    this.#storage = storage;
    this.#selectors = selectors;
    this.#clock = clock;
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

  async writeStatus(change: StatusChange): Promise<void> {
    const object = this.#storage.get(change.key);
    if (object === undefined) return;
    const { generation } = object.metadata;
    // It was changed since; what there is to say of that will come.
    if (change.observedGeneration !== undefined && change.observedGeneration !== generation) return;
    const now = new Date(this.#clock.nowMs()).toISOString();
    const { status = {} } = object as { readonly status?: JsonObject };
    // Whole seconds, as Kubernetes writes times.
    const merged = mergeStatus(status, change, now.replace(/\.\d+Z$/, "Z"));
    if (merged === undefined) return;
    try {
      const next = { ...object, status: merged } as KubeObject;
      await this.#storage.update(next, { subresource: "status" });
    } catch (error) {
      if (!(error instanceof StorageError) || error.reason === "Invalid") throw error;
    }
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
