import type { Clock } from "../../base/clock.ts";
import type { JsonObject } from "../../config/json.ts";
import type { Kind } from "../../config/kind.ts";
import { formatKey, keyText, type ObjectKey } from "../../config/object.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { MetricRegistry } from "../../telemetry/metrics.ts";
import { mergeStatus } from "../merge-status.ts";
import type { StatusChange } from "../source.ts";
import type { ApiClient } from "./api-client.ts";
import { hasCode } from "./api-error.ts";
import { pathOf, resourceOf } from "./followed-kind.ts";
import type { StoredStatus } from "./kind-state.ts";
import { RateLimiter } from "./rate-limiter.ts";

/** client-go's default is 5 and 10; controllers are given this and more. */
const LIMIT = { perSecond: 20, burst: 50 };

/** An object as the server had it when it last said something of it. */
export interface StatusTarget {
  readonly kind: Kind;
  readonly version: string;
  readonly stored: StoredStatus;
  /** The server has this now. */
  readonly replace: (object: unknown) => void;
}

/** What a writer needs. */
export interface StatusWriterOptions {
  readonly client: Pick<ApiClient, "request">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricRegistry;
  readonly isLeader: () => boolean;
  /** `undefined`: there is no such object, or it has no status that is weft's to write. */
  readonly find: (key: ObjectKey) => StatusTarget | undefined;
}

/**
 * Writes objects' status while this process leads, each only where it differs from what is there,
 * at a bounded rate. What others lead for is kept, one change an object, until this one does.
 */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #limiter: RateLimiter;
  /** The last of each object that is there. */
  readonly #wanted = new Map<string, StatusChange>();

  constructor(options: StatusWriterOptions) {
    this.#options = options;
    this.#limiter = new RateLimiter(options.clock, LIMIT);
  }

  /** Rejects when the server cannot be reached or refuses. */
  async write(change: StatusChange, signal: AbortSignal): Promise<void> {
    if (this.#options.find(change.key) === undefined) return;
    this.#wanted.set(keyText(change.key), change);
    if (this.#options.isLeader()) await this.#write(change, signal);
  }

  /** The object is gone. */
  forget(key: ObjectKey): void {
    this.#wanted.delete(keyText(key));
  }

  /** Writes all that was wanted while somebody else led; what cannot be written is said. */
  async writeAll(signal: AbortSignal): Promise<void> {
    const { isLeader, find, log } = this.#options;
    for (const change of this.#wanted.values()) {
      if (signal.aborted || !isLeader()) return;
      if (find(change.key) === undefined) this.forget(change.key);
      try {
        await this.#write(change, signal);
      } catch (error) {
        if (signal.aborted) return;
        log.warn("the status of an object could not be written", {
          object: formatKey(change.key),
          error: error instanceof Error ? error.message : String(error),
        });
      }
    }
  }

  async #write(change: StatusChange, signal: AbortSignal): Promise<void> {
    const { find, metrics } = this.#options;
    const target = find(change.key);
    if (target === undefined || this.#nextStatus(change, target.stored) === undefined) return;
    const waitedMs = await this.#limiter.take(signal);
    if (waitedMs > 0) metrics.add("weft_kubernetes_status_throttled");
    signal.throwIfAborted();
    try {
      if (await this.#patch(change, target, signal)) return;
      await this.#look(change.key, target, signal);
      const fresh = find(change.key);
      if (fresh !== undefined) await this.#patch(change, fresh, signal);
    } catch (error) {
      if (hasCode(error, 404)) return this.#count("gone");
      this.#count("failed");
      throw hasCode(error, 403) ? this.#forbidden(target.kind, error) : error;
    }
  }

  /** Whether the status is as wanted now; `false`: somebody else was quicker. */
  async #patch(change: StatusChange, target: StatusTarget, signal: AbortSignal): Promise<boolean> {
    const next = this.#nextStatus(change, target.stored);
    if (next === undefined) return true;
    const { resourceVersion, status } = target.stored;
    // A field that is no more is `null` in a merge patch.
    const gone = Object.keys(status).filter((name) => next[name] === undefined);
    try {
      const object = await this.#options.client.request({
        method: "PATCH",
        path: `${pathOfOne(change.key, target)}/status`,
        contentType: "application/merge-patch+json",
        body: {
          metadata: { resourceVersion },
          status: { ...next, ...Object.fromEntries(gone.map((name) => [name, null])) },
        },
        signal,
      });
      target.replace(object);
      this.#count("written");
      return true;
    } catch (error) {
      if (!hasCode(error, 409)) throw error;
      this.#count("conflict");
      return false;
    }
  }

  async #look(key: ObjectKey, target: StatusTarget, signal: AbortSignal): Promise<void> {
    target.replace(await this.#options.client.request({ path: pathOfOne(key, target), signal }));
  }

  /** `undefined`: it is there already, or speaks of a version that is no more. */
  #nextStatus(change: StatusChange, stored: StoredStatus): JsonObject | undefined {
    const { observedGeneration } = change;
    if (observedGeneration !== undefined && observedGeneration !== stored.generation) return;
    // Whole seconds, as Kubernetes writes times.
    const time = new Date(this.#options.clock.nowMs()).toISOString().replace(/\.\d+Z$/, "Z");
    return mergeStatus(stored.status, change, time);
  }

  #count(result: "written" | "conflict" | "gone" | "failed"): void {
    this.#options.metrics.add("weft_kubernetes_status_writes", { result });
  }

  #forbidden(kind: Kind, cause: unknown): Error {
    const said = cause instanceof Error ? cause.message : String(cause);
    return new Error(
      `may not patch ${resourceOf(kind)}/status: give the account a ClusterRole with apiGroups ["${kind.group}"], ` +
        `resources ["${kind.plural}/status"], verbs ["patch"] (${said})`,
    );
  }
}

function pathOfOne({ namespace, name }: ObjectKey, { kind, version }: StatusTarget): string {
  return pathOf(kind, version, namespace === "" ? undefined : namespace, name);
}
