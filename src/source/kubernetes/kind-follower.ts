import { Backoff } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import type { Prng } from "../../base/prng.ts";
import { isJsonObject, type JsonObject } from "../../config/json.ts";
import type { MetricRegistry } from "../../telemetry/metrics.ts";
import type { ApiClient } from "./api-client.ts";
import { ApiStatusError, errorFromStatus, hasCode, isExpired } from "./api-error.ts";
import { type FollowedKind, pathOf, resourceOf } from "./followed-kind.ts";
import type { KindState } from "./kind-state.ts";
import type { Troubles } from "./troubles.ts";

/** Objects of one page of a list: what is held in memory before it is trimmed. */
const PAGE_LIMIT = 500;

/** Waits after a failure: soon again at first, so that a restart of the API server is short. */
const RETRY = { windowMsFirst: 250, windowMsMax: 10_000 };

/** How often it is looked whether a kind that is not installed is there now. */
const ABSENT_MS = 5_000;

/** A kind that had objects is taken for gone when it was missing for this long. */
const GONE_MS = 3_000;

/** The server ends a watch after between once and twice this time, as client-go asks it to. */
const WATCH_SECONDS = 300;

/** A watch without a word for this long is begun anew: bookmarks come about every minute. */
const WATCH_IDLE_MS = 150_000;

/** A watch that ends sooner than this counts as a failure. */
const WATCH_MS_MIN = 1_000;

/** What a follower needs. */
export interface KindFollowerOptions {
  readonly followed: FollowedKind;
  readonly state: KindState;
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly metrics: MetricRegistry;
  readonly troubles: Troubles;
  /** The state may have changed. */
  readonly onChange: () => void;
  /** All objects have been told, or the kind is not installed; called each time. */
  readonly onListed: () => void;
}

/**
 * Follows the objects of one kind: lists them in pages, then watches from there, and lists again
 * when the version to go on from is too old. After a failure it goes on where it was; what it told
 * stays.
 */
export class KindFollower {
  readonly #options: KindFollowerOptions;
  readonly #backoff = new Backoff(RETRY);
  readonly #resource: string;
  readonly #type: string;
  /** Which of the kind's versions the server has; all have one shape. */
  #versionAt = 0;
  /** Where to go on; `undefined`: from a list. */
  #resourceVersion: string | undefined;
  #absentSinceMs: number | undefined;

  constructor(options: KindFollowerOptions) {
    this.#options = options;
    this.#resource = resourceOf(options.followed.kind);
    this.#type = options.followed.kind.kind;
  }

  /** Resolves when the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, prng } = this.#options;
    while (!signal.aborted) {
      let delayMs: number;
      try {
        if (this.#resourceVersion === undefined) await this.#list(signal);
        const startMs = clock.monotonicMs();
        await this.#watch(signal);
        if (clock.monotonicMs() - startMs >= WATCH_MS_MIN) {
          this.#backoff.reset();
          continue;
        }
        delayMs = this.#backoff.nextMs() * prng.next();
      } catch (error) {
        if (signal.aborted) break;
        delayMs = this.#afterFailure(error);
      }
      await clock.sleep(delayMs, signal);
    }
  }

  /** The version in which the server has the kind. */
  get version(): string {
    return this.#options.followed.kind.versions[this.#versionAt] ?? "v1";
  }

  get #path(): string {
    const { kind, namespace } = this.#options.followed;
    return pathOf(kind, this.version, namespace);
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, followed, state, metrics } = this.#options;
    let version: string | undefined;
    let next: string | undefined;
    do {
      const page = listOf(
        await client.request({
          path: this.#path,
          query: {
            ...followed.query,
            limit: String(PAGE_LIMIT),
            ...(next !== undefined && { continue: next }),
          },
          signal,
        }),
      );
      // Only once the server has answered: what is refused says nothing of what there is.
      if (next === undefined) state.beginList();
      for (const object of page.items) state.put(object, this.version);
      version ??= page.resourceVersion;
      next = page.next;
    } while (next !== undefined);
    state.endList();
    metrics.add("weft_kubernetes_lists", { type: this.#type });
    this.#resourceVersion = version;
    this.#listed();
  }

  /** Ends when the server ends it; what came until then has been told. */
  async #watch(signal: AbortSignal): Promise<void> {
    const { client, followed, prng, onChange } = this.#options;
    const seconds = Math.round(WATCH_SECONDS * (1 + prng.next()));
    const events = client.lines({
      path: this.#path,
      query: {
        ...followed.query,
        watch: "true",
        allowWatchBookmarks: "true",
        resourceVersion: this.#resourceVersion ?? "",
        timeoutSeconds: String(seconds),
      },
      signal,
      idleMs: WATCH_IDLE_MS,
    });
    for await (const event of events) {
      this.#take(event);
      this.#backoff.reset();
      onChange();
    }
  }

  #take(event: unknown): void {
    const { state } = this.#options;
    const { type, object } = (isJsonObject(event) ? event : {}) as JsonObject;
    if (type === "ERROR") throw errorFromStatus(object, 500);
    if (type === "ADDED" || type === "MODIFIED") state.put(object, this.version);
    else if (type === "DELETED") state.remove(object);
    else if (type !== "BOOKMARK") {
      throw new Error(`the API server sent an event of type ${JSON.stringify(type)}`);
    }
    const version = versionIn(object);
    if (version !== undefined) this.#resourceVersion = version;
  }

  #listed(): void {
    const { troubles, onChange, onListed } = this.#options;
    this.#absentSinceMs = undefined;
    this.#backoff.reset();
    troubles.clear(this.#resource);
    onChange();
    onListed();
  }

  /** Says what is wrong and how long to wait. */
  #afterFailure(error: unknown): number {
    const { prng, troubles, metrics } = this.#options;
    if (hasCode(error, 404)) return this.#afterAbsence();
    metrics.add("weft_kubernetes_failures", { type: this.#type });
    if (isExpired(error)) {
      this.#resourceVersion = undefined;
      return this.#backoff.nextMs() * prng.next();
    }
    // What the server meant by the version is unknown: better to list than to miss something.
    if (hasCode(error, 400) || hasCode(error, 422)) this.#resourceVersion = undefined;
    troubles.note(this.#resource, this.#explain(error));
    const asked = error instanceof ApiStatusError ? (error.retryAfterMs ?? 0) : 0;
    return Math.min(asked, RETRY.windowMsMax) + this.#backoff.nextMs() * prng.next();
  }

  /** The server does not know the kind in this version: another one, or not yet, or no more. */
  #afterAbsence(): number {
    const { clock, prng, followed, state, troubles, onChange, onListed } = this.#options;
    this.#resourceVersion = undefined;
    if (this.#versionAt < followed.kind.versions.length - 1) {
      this.#versionAt += 1;
      return 0;
    }
    this.#versionAt = 0;
    this.#absentSinceMs ??= clock.monotonicMs();
    // A server that has just started may not know its own kinds for a moment.
    const isSure = clock.monotonicMs() - this.#absentSinceMs >= GONE_MS;
    if (state.size > 0 && !isSure) return GONE_MS;
    state.clear();
    troubles.note(
      this.#resource,
      `${this.#resource} is not installed: its objects are followed once it is`,
    );
    onChange();
    onListed();
    return ABSENT_MS * (0.5 + prng.next());
  }

  #explain(error: unknown): string {
    const { followed } = this.#options;
    if (hasCode(error, 403)) {
      const place =
        followed.namespace === undefined ? "in all namespaces" : `in ${followed.namespace}`;
      const role = followed.namespace === undefined ? "a ClusterRole" : "a Role";
      return (
        `may not list and watch ${this.#resource} ${place}: give the account ${role} with ` +
        `apiGroups ["${followed.kind.group}"], resources ["${followed.kind.plural}"], verbs ["list", "watch"] (${messageOf(error)})`
      );
    }
    if (hasCode(error, 401)) {
      return "the API server does not accept the credentials: check the user of the kubeconfig";
    }
    return messageOf(error);
  }
}

interface ListPage {
  readonly items: readonly unknown[];
  readonly resourceVersion: string | undefined;
  readonly next: string | undefined;
}

function listOf(body: unknown): ListPage {
  const { items, metadata } = (isJsonObject(body) ? body : {}) as {
    items?: unknown;
    metadata?: { continue?: unknown };
  };
  // A list of nothing may be `null`, as Go writes it.
  if (items !== null && !Array.isArray(items)) throw new Error("the API server gave no list");
  const next = metadata?.continue;
  return {
    items: items ?? [],
    resourceVersion: versionIn(body),
    next: typeof next === "string" && next !== "" ? next : undefined,
  };
}

function versionIn(object: unknown): string | undefined {
  const { metadata } = (isJsonObject(object) ? object : {}) as {
    metadata?: { resourceVersion?: unknown };
  };
  const version = metadata?.resourceVersion;
  return typeof version === "string" && version !== "" ? version : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
