import { Backoff } from "../base/backoff.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { formatKey } from "../config/object.ts";
import type { StatusChange } from "../source/source.ts";
import type { Logger } from "../telemetry/log.ts";
import type { MetricRegistry } from "../telemetry/metrics.ts";

/** Writes a second over time, and how many may come at once after a quiet time. */
const WRITES_PER_SECOND = 200;
const WRITES_BURST = 200;

/** Of those that only count other proxies: they can wait, and each newer one takes its place. */
const COUNTS_QUIET_MS = 1000;

const IN_FLIGHT_MAX = 4;

/** How long an object may be on its way before its status says so: most arrive sooner. */
const PENDING_QUIET_MS = 250;

/** How often somebody looks while something is on its way: soon after a change, then less. */
const LOOK = { windowMsFirst: 50, windowMsMax: 500 };

/**
 * How often all objects are looked at, at most. In between only those are that changed: counts of
 * proxies that came or went can wait, and there may be thousands of objects.
 */
const FULL_LOOK_MS = 1000;

/** After a write that failed. */
const RETRY = { windowMsFirst: 1000, windowMsMax: 30_000 };

/** What the writer needs. */
export interface ObjectStatusOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricRegistry;
  /** What objects' status is to say now: of all, or of those that changed since the last time. */
  readonly wanted: (isFull: boolean) => Iterable<WantedStatus>;
  /** Whether that may change by itself, as proxies answer. */
  readonly isUnsettled: () => boolean;
  readonly write: (change: StatusChange, signal: AbortSignal) => Promise<void>;
}

/** What one object's status is to say, not put into words yet. */
export interface WantedStatus {
  /** `keyText` of the object. */
  readonly text: string;
  /** Differs when what it says does. */
  readonly signature: string;
  /** Whether it is on its way, which may be over soon. */
  readonly isPending: boolean;
  readonly build: () => StatusChange;
}

interface Waiting {
  readonly change: StatusChange;
  /** All but the counts of proxies. */
  readonly core: string;
}

/** What is written first: what went wrong, what changed, and last what only counts other proxies. */
const RANKS = ["failure", "change", "count"] as const;
type Rank = (typeof RANKS)[number];

/**
 * Keeps objects' status to what is so. At most one write waits for each object, the newest; what
 * failed comes first, and counts of proxies last. Writes are bounded in rate and at a time. What
 * could not be written is tried again.
 */
export class ObjectStatusWriter {
  readonly #options: ObjectStatusOptions;
  readonly #controller = new AbortController();
  /** What was last put into a queue. */
  readonly #signatures = new Map<string, string>();
  /** The core of what was last written. */
  readonly #written = new Map<string, string>();
  readonly #queues: Readonly<Record<Rank, Map<string, Waiting>>> = {
    failure: new Map(),
    change: new Map(),
    count: new Map(),
  };
  /** Since when an object is on its way. */
  readonly #pendingSince = new Map<string, number>();
  readonly #inFlight = new Map<string, Promise<void>>();
  readonly #lookBackoff = new Backoff(LOOK);
  readonly #retryBackoff = new Backoff(RETRY);
  #tokens = WRITES_BURST;
  #filledAtMs: number;
  #countsFromMs = 0;
  #pausedUntilMs = 0;
  #lookAtMs = 0;
  /** When all objects may be looked at again, and whether they have to. */
  #fullFromMs = 0;
  #isFullDue = false;
  #lookTimer: Timer | undefined;
  #writeTimer: Timer | undefined;

  constructor(options: ObjectStatusOptions) {
    this.#options = options;
    this.#filledAtMs = options.clock.monotonicMs();
  }

  /** Something may differ now. */
  note(): void {
    this.#isFullDue = true;
    this.#lookBackoff.reset();
    this.#lookIn(this.#lookBackoff.nextMs());
  }

  /** Drops what waits; resolves when nothing is being written any more. */
  async stop(): Promise<void> {
    this.#controller.abort();
    this.#lookTimer?.cancel();
    this.#writeTimer?.cancel();
    await Promise.all(this.#inFlight.values());
  }

  /** An earlier time that is set stays: many notices may not put it off. */
  #lookIn(delayMs: number): void {
    if (this.#controller.signal.aborted) return;
    const atMs = this.#options.clock.monotonicMs() + delayMs;
    if (this.#lookTimer !== undefined && this.#lookAtMs <= atMs) return;
    this.#lookTimer?.cancel();
    this.#lookAtMs = atMs;
    this.#lookTimer = this.#options.clock.setTimer(delayMs, () => this.#look());
  }

  #look(): void {
    this.#lookTimer = undefined;
    const nowMs = this.#options.clock.monotonicMs();
    const isFull = nowMs >= this.#fullFromMs;
    const seen = new Set<string>();
    let isAnyNew = false;
    for (const wanted of this.#options.wanted(isFull)) {
      seen.add(wanted.text);
      if (this.#take(wanted)) isAnyNew = true;
    }
    if (isFull) {
      this.#fullFromMs = nowMs + FULL_LOOK_MS;
      this.#isFullDue = false;
      this.#forget(seen);
    }
    if (isAnyNew) this.#lookBackoff.reset();
    const isHeld = this.#pendingSince.size > 0;
    if (isHeld || this.#options.isUnsettled()) this.#lookIn(this.#lookBackoff.nextMs());
    if (this.#isFullDue) this.#lookIn(this.#fullFromMs - nowMs);
    this.#drain();
  }

  /** Whether there is something to write, or may soon be. */
  #take({ text, signature, isPending, build }: WantedStatus): boolean {
    if (this.#signatures.get(text) === signature) {
      this.#pendingSince.delete(text);
      return false;
    }
    if (isPending && this.#isHeld(text)) return true;
    this.#pendingSince.delete(text);
    this.#signatures.set(text, signature);
    const change = build();
    this.#enqueue(text, { change, core: coreOf(change) });
    return true;
  }

  #enqueue(text: string, waiting: Waiting): void {
    for (const rank of RANKS) this.#queues[rank].delete(text);
    const rank = rankOf(waiting, this.#written.get(text));
    if (rank === "count" && this.#queues.count.size === 0) {
      this.#countsFromMs = this.#options.clock.monotonicMs() + COUNTS_QUIET_MS;
    }
    this.#queues[rank].set(text, waiting);
  }

  /** Most changes are everywhere before anybody could have read that they are not. */
  #isHeld(text: string): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    const sinceMs = this.#pendingSince.get(text) ?? nowMs;
    this.#pendingSince.set(text, sinceMs);
    return nowMs - sinceMs < PENDING_QUIET_MS;
  }

  #forget(seen: ReadonlySet<string>): void {
    const { failure, change, count } = this.#queues;
    const all = [this.#signatures, this.#written, this.#pendingSince, failure, change, count];
    for (const map of all) {
      for (const text of map.keys()) if (!seen.has(text)) map.delete(text);
    }
  }

  #drain(): void {
    this.#writeTimer?.cancel();
    this.#writeTimer = undefined;
    this.#refill();
    const isPaused = this.#options.clock.monotonicMs() < this.#pausedUntilMs;
    while (!isPaused && this.#inFlight.size < IN_FLIGHT_MAX && this.#tokens >= 1) {
      const next = this.#next();
      if (next === undefined) break;
      this.#tokens -= 1;
      const [text, waiting] = next;
      this.#inFlight.set(text, this.#writeOne(text, waiting));
    }
    this.#noteQueue();
    const delayMs = this.#delayMs();
    if (delayMs === undefined || this.#controller.signal.aborted) return;
    this.#writeTimer = this.#options.clock.setTimer(delayMs, () => this.#drain());
  }

  /** The next write that may go, taken out of its queue. */
  #next(): readonly [string, Waiting] | undefined {
    const isCountDue = this.#options.clock.monotonicMs() >= this.#countsFromMs;
    for (const rank of RANKS) {
      if (rank === "count" && !isCountDue) continue;
      for (const [text, waiting] of this.#queues[rank]) {
        // One after the other for each object, so that the newest is the last.
        if (this.#inFlight.has(text)) continue;
        this.#queues[rank].delete(text);
        return [text, waiting];
      }
    }
    return undefined;
  }

  /** When to go on, unless a write that ends does it; `undefined`: nothing waits. */
  #delayMs(): number | undefined {
    const { failure, change, count } = this.#queues;
    if (failure.size + change.size + count.size === 0) return undefined;
    if (this.#inFlight.size >= IN_FLIGHT_MAX) return undefined;
    const nowMs = this.#options.clock.monotonicMs();
    const tokenMs = this.#tokens >= 1 ? 0 : 1000 / WRITES_PER_SECOND;
    const isOnlyCounts = failure.size + change.size === 0;
    const quietMs = isOnlyCounts ? this.#countsFromMs - nowMs : 0;
    return Math.max(1, tokenMs, quietMs, this.#pausedUntilMs - nowMs);
  }

  async #writeOne(text: string, waiting: Waiting): Promise<void> {
    const { metrics, write, log } = this.#options;
    const { signal } = this.#controller;
    try {
      await write(waiting.change, signal);
      metrics.add("weft_status_writes");
      if (this.#signatures.has(text)) this.#written.set(text, waiting.core);
      this.#retryBackoff.reset();
    } catch (error) {
      if (signal.aborted) return;
      metrics.add("weft_status_write_errors");
      log.warn("the status of an object could not be written", {
        object: formatKey(waiting.change.key),
        error: error instanceof Error ? error.message : String(error),
      });
      this.#putBack(text, waiting);
    } finally {
      this.#inFlight.delete(text);
    }
    if (!signal.aborted) this.#drain();
  }

  /** Unless something newer waits, or the object is gone; all wait a while, since the place is one. */
  #putBack(text: string, waiting: Waiting): void {
    this.#pausedUntilMs = this.#options.clock.monotonicMs() + this.#retryBackoff.nextMs();
    const isNewer = RANKS.some((rank) => this.#queues[rank].has(text));
    if (!isNewer && this.#signatures.has(text)) this.#enqueue(text, waiting);
  }

  #refill(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const more = ((nowMs - this.#filledAtMs) / 1000) * WRITES_PER_SECOND;
    this.#tokens = Math.min(WRITES_BURST, this.#tokens + more);
    this.#filledAtMs = nowMs;
  }

  #noteQueue(): void {
    for (const rank of RANKS) {
      const { size } = this.#queues[rank];
      this.#options.metrics.set("weft_status_writes_pending", size, { rank });
    }
  }
}

function rankOf({ change, core }: Waiting, written: string | undefined): Rank {
  if (change.conditions.some(({ status }) => status === "False")) return "failure";
  return core === written ? "count" : "change";
}

function coreOf(change: StatusChange): string {
  const conditions = change.conditions.map(({ type, status, reason, message }) => ({
    type,
    status,
    reason,
    message: type === "Distributed" && status === "True" ? "" : message,
  }));
  return JSON.stringify({ ...change, conditions });
}
