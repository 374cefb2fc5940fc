import { setMaxListeners } from "node:events";
import type { Clock } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";
import { type KubeObject, keyOf, keyText } from "../config/object.ts";
import type { Logger } from "../telemetry/log.ts";
import type { MetricRegistry } from "../telemetry/metrics.ts";
import { ApiClient } from "./kubernetes/api-client.ts";
import { type FollowedKind, followedKind } from "./kubernetes/followed-kind.ts";
import { KindFollower } from "./kubernetes/kind-follower.ts";
import { KindState } from "./kubernetes/kind-state.ts";
import { LastGoodKeeper } from "./kubernetes/last-good-keeper.ts";
import { Troubles } from "./kubernetes/troubles.ts";
import type { KubernetesAccess } from "./kubernetes-access.ts";
import type { ConfigBatch, ConfigEvent, ConfigSource, RefusedInput } from "./source.ts";

/** How long the API server may take before what an earlier run kept is served. */
const LAST_GOOD_AFTER_MS = 5_000;

/** Of a kind, all objects, those of one namespace, or one object. */
export interface KubernetesKind {
  readonly group: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly objectName?: string;
}

/** What a Kubernetes source needs. */
export interface KubernetesSourceOptions {
  readonly access: KubernetesAccess;
  readonly kinds: readonly KubernetesKind[];
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Logger;
  readonly metrics: MetricRegistry;
  /** Where the last good version of every object is kept for the next run; absent: nowhere. */
  readonly lastGoodFile?: string;
}

/** One kind that is followed. */
interface Part {
  readonly followed: FollowedKind;
  readonly state: KindState;
  isListed: boolean;
}

/**
 * Configuration from a Kubernetes API server: the objects of some kinds, listed and then watched.
 *
 * The first batch comes when every kind has been listed or is known not to be installed. When the
 * server cannot tell for a while, what an earlier run kept stands in for it; without that, the
 * first batch waits. Later, what is known stays whatever happens to the server. `run` never gives
 * up by itself.
 */
export class KubernetesSource implements ConfigSource {
  readonly name: string;
  readonly #options: KubernetesSourceOptions;
  readonly #kinds: readonly FollowedKind[];

  /** Throws when weft has no such kind. */
  constructor(options: KubernetesSourceOptions) {
    this.#options = options;
    this.#kinds = options.kinds.map(followedKind);
    this.name = options.access.name;
  }

  async run(onBatch: (batch: ConfigBatch) => void, signal: AbortSignal): Promise<void> {
    const { access, clock, metrics } = this.#options;
    const client = new ApiClient({ access, clock, metrics });
    const run = new Run(this.#options, this.#kinds, client, onBatch);
    // Every request listens for the end, which is more than Node takes for a mistake.
    const controller = new AbortController();
    setMaxListeners(0, controller.signal);
    const abort = (): void => controller.abort();
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    try {
      await run.untilAborted(controller.signal);
    } finally {
      signal.removeEventListener("abort", abort);
      client.close();
    }
  }
}

/** From one start of the source to its end. */
class Run {
  readonly #options: KubernetesSourceOptions;
  readonly #client: ApiClient;
  readonly #onBatch: (batch: ConfigBatch) => void;
  readonly #parts: readonly Part[];
  readonly #keeper: LastGoodKeeper | undefined;
  readonly #pending = new Map<string, ConfigEvent>();
  #due: NodeJS.Immediate | undefined;
  #hasBegun = false;
  #lastRefused = "[]";

  constructor(
    options: KubernetesSourceOptions,
    kinds: readonly FollowedKind[],
    client: ApiClient,
    onBatch: (batch: ConfigBatch) => void,
  ) {
    this.#options = options;
    this.#client = client;
    this.#onBatch = onBatch;
    this.#parts = kinds.map((followed) => ({
      followed,
      state: new KindState(followed.kind, (event) => this.#note(event)),
      isListed: false,
    }));
    const { lastGoodFile, clock, log } = options;
    this.#keeper =
      lastGoodFile === undefined
        ? undefined
        : new LastGoodKeeper({ file: lastGoodFile, clock, log, contents: () => this.#contents() });
  }

  async untilAborted(signal: AbortSignal): Promise<void> {
    const { clock, prng, log, metrics } = this.#options;
    const isRestored = await this.#restore();
    const troubles = new Troubles(log);
    const timer = clock.setTimer(LAST_GOOD_AFTER_MS, () => {
      if (isRestored && !signal.aborted) this.#beginWithLastGood();
    });
    const followers = this.#parts.map((part) =>
      new KindFollower({
        followed: part.followed,
        state: part.state,
        client: this.#client,
        clock,
        prng,
        metrics,
        troubles,
        onChange: () => this.#wake(),
        onListed: () => {
          part.isListed = true;
          if (!signal.aborted && this.#parts.every(({ isListed }) => isListed)) this.#begin();
        },
      }).run(signal),
    );
    await Promise.all(followers);
    timer.cancel();
    if (this.#due !== undefined) clearImmediate(this.#due);
    if (this.#hasBegun) await this.#keeper?.stop();
  }

  /** Whether an earlier run kept something. */
  async #restore(): Promise<boolean> {
    const kept = await this.#keeper?.read();
    let isRestored = false;
    for (const { followed, state } of this.#parts) {
      const objects = kept?.get(nameOf(followed)) ?? [];
      if (objects.length > 0) isRestored = true;
      state.restore(objects);
    }
    return isRestored;
  }

  #contents(): ReadonlyMap<string, Iterable<KubeObject>> {
    return new Map(this.#parts.map(({ followed, state }) => [nameOf(followed), state.objects()]));
  }

  #beginWithLastGood(): void {
    if (this.#hasBegun) return;
    const missing = this.#parts.filter(({ isListed }) => !isListed);
    for (const { state } of missing) state.useRestored();
    this.#options.log.warn(
      "the API server has not told everything yet: serving what was last good of the rest",
      { missing: missing.map(({ followed }) => followed.kind.kind).join(" ") },
    );
    this.#begin();
  }

  #begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#flush(true);
  }

  #note(event: ConfigEvent): void {
    this.#pending.set(keyText(event.type === "set" ? keyOf(event.object) : event.key), event);
  }

  /** What comes in one turn of the event loop is one batch. */
  #wake(): void {
    if (this.#hasBegun) this.#due ??= setImmediate(() => this.#flush(false));
  }

  #flush(isFirst: boolean): void {
    this.#due = undefined;
    const events = [...this.#pending.values()];
    this.#pending.clear();
    const refused = this.#refused();
    const text = JSON.stringify(refused);
    const hasNews = events.length > 0 || text !== this.#lastRefused;
    this.#lastRefused = text;
    if (events.length > 0) this.#keeper?.note();
    for (const { followed, state } of this.#parts) {
      this.#options.metrics.set("weft_kubernetes_objects", state.size, {
        type: followed.kind.kind,
      });
    }
    if (isFirst || hasNews) this.#onBatch({ events, refused });
  }

  #refused(): readonly RefusedInput[] {
    return this.#parts.flatMap(({ state }) => [...state.refused()].flat());
  }
}

function nameOf({ kind: { group, kind } }: FollowedKind): string {
  return `${group}/${kind}`;
}
