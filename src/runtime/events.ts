import type { Clock } from "../base/clock.ts";
import type { KubeObject } from "../config/object.ts";
import { keyOf } from "../config/object.ts";
import type { Storage } from "../storage/storage.ts";
import type { Logger } from "../telemetry/log.ts";
import { formatTime } from "./conditions.ts";
import { shortHash } from "./short-hash.ts";

/** Kubernetes keeps events for an hour. */
const EVENT_LIFETIME_MS = 3_600_000;
const EVENTS_MAX = 1000;
const QUEUE_MAX = 500;
const MESSAGE_LENGTH_MAX = 1024;

/** What happened to an object, for `kubectl describe`. */
export interface EventInput {
  readonly type: "Normal" | "Warning";
  /** One word in camel case: `Started`, `BackOff`. */
  readonly reason: string;
  readonly message: string;
}

interface EventObject extends KubeObject {
  readonly count?: number;
  readonly firstTimestamp?: string;
  readonly lastTimestamp?: string;
}

/** Where the recorder writes. */
export interface EventRecorderDeps {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Writes core/v1 Events in the order they happen; the same event again raises a count. When more
 * wait to be written than the queue takes, the newest is dropped and counted in the log: events
 * tell, they do not decide.
 */
export class EventRecorder {
  readonly #deps: EventRecorderDeps;
  readonly #queue: (() => Promise<void>)[] = [];
  #dropped = 0;
  #writing: Promise<void> | undefined;

  constructor(deps: EventRecorderDeps) {
    this.#deps = deps;
  }

  record(object: KubeObject, event: EventInput): void {
    if (this.#queue.length >= QUEUE_MAX) {
      this.#dropped++;
      this.#deps.logger.warn("event dropped", { reason: event.reason, dropped: this.#dropped });
      return;
    }
    this.#queue.push(() => this.#write(object, event));
    this.#writing ??= this.#drain();
  }

  /** Resolves when all that was recorded is written. */
  async stop(): Promise<void> {
    await this.#writing;
  }

  async #drain(): Promise<void> {
    for (let write = this.#queue.shift(); write !== undefined; write = this.#queue.shift()) {
      try {
        await write();
      } catch (error) {
        this.#deps.logger.warn("cannot write an event", {
          error: error instanceof Error ? error.message : String(error),
        });
      }
    }
    this.#writing = undefined;
  }

  async #write(object: KubeObject, { type, reason, message }: EventInput): Promise<void> {
    const { storage, clock } = this.#deps;
    const { metadata } = object;
    const namespace = metadata.namespace ?? "default";
    const text = message.slice(0, MESSAGE_LENGTH_MAX);
    const name = `${metadata.name}.${shortHash([metadata.uid, reason, text])}`;
    const now = formatTime(clock.nowMs());
    const current = storage.get({ group: "", kind: "Event", namespace, name }) as
      | EventObject
      | undefined;
    if (current !== undefined) {
      const again: EventObject = {
        ...current,
        count: (current.count ?? 1) + 1,
        lastTimestamp: now,
      };
      await storage.update(again);
      return;
    }
    await this.#prune();
    const created = {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name, namespace },
      involvedObject: {
        apiVersion: object.apiVersion,
        kind: object.kind,
        name: metadata.name,
        ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
        ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
      },
      type,
      reason,
      message: text,
      source: { component: "weft-runtime", host: "weft" },
      reportingComponent: "weft-runtime",
      reportingInstance: "weft",
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    };
    await storage.create(created);
  }

  /** Removes what is too old, and the oldest when there are too many. */
  async #prune(): Promise<void> {
    const { storage, clock } = this.#deps;
    const events = [...storage.list({ group: "", kind: "Event" }).items] as EventObject[];
    const oldest = formatTime(clock.nowMs() - EVENT_LIFETIME_MS);
    const lastOf = (event: EventObject): string => event.lastTimestamp ?? "";
    events.sort((left, right) => (lastOf(left) < lastOf(right) ? -1 : 1));
    const surplus = Math.max(0, events.length - EVENTS_MAX + 1);
    for (const [index, event] of events.entries()) {
      if (index >= surplus && lastOf(event) >= oldest) break;
      await storage.delete(keyOf(event));
    }
  }
}
