import { setMaxListeners } from "node:events";
import type { Clock } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";
import { type KubeObject, keyOf, keyText, type ObjectKey } from "../config/object.ts";
import type { Logger } from "../telemetry/log.ts";
import type { MetricRegistry } from "../telemetry/metrics.ts";
import { ApiClient } from "./kubernetes/api-client.ts";
import { type FollowedKind, followedKind } from "./kubernetes/followed-kind.ts";
import { KindFollower } from "./kubernetes/kind-follower.ts";
import { KindState } from "./kubernetes/kind-state.ts";
import { LastGoodKeeper } from "./kubernetes/last-good-keeper.ts";
import { StatusDuty } from "./kubernetes/status-duty.ts";
import type { StatusTarget } from "./kubernetes/status-writer.ts";
import { Troubles } from "./kubernetes/troubles.ts";
import type { KubernetesAccess } from "./kubernetes-access.ts";
import type {
  ConfigBatch,
  ConfigEvent,
  ConfigSource,
  RefusedInput,
  StatusChange,
} from "./source.ts";

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
  /** Who this is among control planes of the same cluster, of which one writes objects' status. */
  readonly identity: string;
  /** Where the Lease stands by which that one is chosen. */
  readonly leaseNamespace: string;
  /** Where the last good version of every object is kept for the next run; absent: nowhere. */
  readonly lastGoodFile?: string;
}

/** One kind that is followed. */
interface Part {
  readonly followed: FollowedKind;
  readonly state: KindState;
  readonly follower: KindFollower;
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
  #run: Run | undefined;

  /** Throws when weft has no such kind. */
  constructor(options: KubernetesSourceOptions) {
    this.#options = options;
    this.#kinds = options.kinds.map(followedKind);
    this.name = options.access.name;
  }

  async run(onBatch: (batch: ConfigBatch) => void, signal: AbortSignal): Promise<void> {
    const { access, clock, metrics } = this.#options;
    const client = new ApiClient({ access, clock, metrics });
    // Every request listens for the end, which is more than Node takes for a mistake.
    const controller = new AbortController();
    setMaxListeners(0, controller.signal);
    const abort = (): void => controller.abort();
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    this.#run = new Run(this.#options, this.#kinds, client, onBatch, controller.signal);
    try {
      await this.#run.untilAborted();
    } finally {
      this.#run = undefined;
      signal.removeEventListener("abort", abort);
      client.close();
    }
  }

  /** While another control plane of the cluster writes, a change is only kept, in case that one ends. */
  async writeStatus(change: StatusChange, signal: AbortSignal): Promise<void> {
    if (this.#run === undefined) throw new Error(`${this.name} is not being followed`);
    await this.#run.writeStatus(change, signal);
  }
}

/** From one start of the source to its end. */
class Run {
  readonly #options: KubernetesSourceOptions;
  readonly #client: ApiClient;
  readonly #onBatch: (batch: ConfigBatch) => void;
  readonly #signal: AbortSignal;
  readonly #troubles: Troubles;
  readonly #parts: readonly Part[];
  readonly #keeper: LastGoodKeeper | undefined;
  readonly #duty: StatusDuty;
  readonly #pending = new Map<string, ConfigEvent>();
  #due: NodeJS.Immediate | undefined;
  #hasBegun = false;
  #lastRefused = "[]";

  constructor(
    options: KubernetesSourceOptions,
    kinds: readonly FollowedKind[],
    client: ApiClient,
    onBatch: (batch: ConfigBatch) => void,
    signal: AbortSignal,
  ) {
    this.#options = options;
    this.#client = client;
    this.#onBatch = onBatch;
    this.#signal = signal;
    this.#troubles = new Troubles(options.log);
    this.#parts = kinds.map((followed) => this.#createPart(followed));
    const { lastGoodFile: file, clock, log } = options;
    if (file !== undefined) {
      const contents = (): ReadonlyMap<string, Iterable<KubeObject>> => this.#contents();
      this.#keeper = new LastGoodKeeper({ file, clock, log, contents });
    }
    const troubles = this.#troubles;
    const find = (key: ObjectKey): StatusTarget | undefined => this.#statusTarget(key);
    this.#duty = new StatusDuty({ ...options, client, troubles, find }, signal);
  }

  async untilAborted(): Promise<void> {
    const { clock } = this.#options;
    const isRestored = await this.#restore();
    const timer = clock.setTimer(LAST_GOOD_AFTER_MS, () => {
      if (isRestored && !this.#signal.aborted) this.#beginWithLastGood();
    });
    await Promise.all(this.#parts.map(({ follower }) => follower.run(this.#signal)));
    timer.cancel();
    if (this.#due !== undefined) clearImmediate(this.#due);
    await this.#duty.ended();
    if (this.#hasBegun) await this.#keeper?.stop();
  }

  writeStatus(change: StatusChange, signal: AbortSignal): Promise<void> {
    return this.#duty.write(change, signal);
  }

  #createPart(followed: FollowedKind): Part {
    const { clock, prng, metrics } = this.#options;
    const state = new KindState(followed.kind, (event) => this.#note(event));
    const follower = new KindFollower({
      followed,
      state,
      client: this.#client,
      clock,
      prng,
      metrics,
      troubles: this.#troubles,
      onChange: () => this.#wake(),
      onListed: () => {
        part.isListed = true;
        const isWhole = this.#parts.every(({ isListed }) => isListed);
        if (isWhole && !this.#signal.aborted) this.#begin();
      },
    });
    const part: Part = { followed, state, follower, isListed: false };
    return part;
  }

  #statusTarget({ group, kind, namespace, name }: ObjectKey): StatusTarget | undefined {
    const part = this.#parts.find(
      ({ followed }) => followed.kind.group === group && followed.kind.kind === kind,
    );
    const stored = part?.state.status(namespace, name);
    if (part === undefined || stored === undefined) return undefined;
    const { followed, follower, state } = part;
    const replace = (object: unknown): void => state.noteStatus(object);
    return { kind: followed.kind, version: follower.version, stored, replace };
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
    if (event.type === "delete") this.#duty.forget(event.key);
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
