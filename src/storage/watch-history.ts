import type { StorageEvent, StorageSelector } from "./storage.ts";
import { StorageError } from "./storage.ts";
import { isSelected } from "./tables.ts";

/** Changes that are kept for those who come back; older ones are `Expired`. */
export const HISTORY_MAX = 10_000;

interface Watcher {
  readonly selector: StorageSelector;
  readonly onEvent: (event: StorageEvent) => void;
  /** What it has been told of; an event is due when it is newer. */
  revision: number;
  queue: StorageEvent[];
  isStopped: boolean;
}

/** The last changes, and those who want to hear of the next ones. */
export class WatchHistory {
  readonly #events: StorageEvent[] = [];
  readonly #watchers = new Set<Watcher>();
  /** The newest revision that is not in the history any more. */
  #before: number;
  #latest: number;

  constructor(revision: number) {
    this.#before = revision;
    this.#latest = revision;
  }

  /** Told in the order of revisions, once a change is durable. */
  publish(event: StorageEvent): void {
    this.#events.push(event);
    this.#latest = event.revision;
    // In blocks, because moving ten thousand entries for every change would cost more than it keeps.
    if (this.#events.length >= HISTORY_MAX * 1.1) {
      const dropped = this.#events.splice(0, this.#events.length - HISTORY_MAX);
      this.#before = dropped.at(-1)?.revision ?? this.#before;
    }
    for (const watcher of this.#watchers) this.#offer(watcher, event);
  }

  /** `revision`: what the caller has seen already. `ahead`: the newest that is not durable yet. */
  watch(
    selector: StorageSelector,
    onEvent: (event: StorageEvent) => void,
    revision: number,
    ahead: number,
  ): () => void {
    if (revision < this.#before || revision > Math.max(this.#latest, ahead)) {
      throw new StorageError(
        "Expired",
        `too old resource version: ${revision} (${this.#before} to ${Math.max(this.#latest, ahead)} are known)`,
      );
    }
    const watcher: Watcher = { selector, onEvent, revision, queue: [], isStopped: false };
    this.#watchers.add(watcher);
    for (const event of this.#events) this.#offer(watcher, event);
    return () => {
      this.#watchers.delete(watcher);
      watcher.isStopped = true;
    };
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.isStopped = true;
    this.#watchers.clear();
  }

  #offer(watcher: Watcher, event: StorageEvent): void {
    if (event.revision <= watcher.revision) return;
    watcher.revision = event.revision;
    if (!isSelected(event.object, watcher.selector)) return;
    watcher.queue.push(event);
    if (watcher.queue.length === 1) queueMicrotask(() => drain(watcher));
  }
}

/** Not from within the write: a watcher that writes would see its own event before its result. */
function drain(watcher: Watcher): void {
  const events = watcher.queue;
  watcher.queue = [];
  for (const event of events) {
    if (!watcher.isStopped) watcher.onEvent(event);
  }
}
