import type { Clock, Timer } from "../base/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import type { MetricRegistry } from "../telemetry/metrics.ts";
import { resourceChanges } from "../xds/resource-map.ts";
import type { ResourceKind, XdsSnapshot } from "../xds/snapshot.ts";
import { hasCluster, missingAnswers, type Offer, type OpenStage } from "./coverage.ts";
import { holdRoutes, holdVirtualHosts, keepNamed } from "./hold-routes.ts";
import {
  NOTHING_PUBLISHED,
  type Published,
  type PublishStage,
  planStages,
  SEND_ORDER,
} from "./publish-plan.ts";
import type { Subscription } from "./subscription.ts";

/** How long a step of a push waits for the client before it goes on without. */
export const STAGE_WAIT_MS_MAX = 5000;

/** Most names that one log line shows. */
const NAMES_SHOWN_MAX = 10;

/** What a client that comes back had on its earlier stream. */
export interface HeldState {
  readonly published: Published;
  /** The kinds it was subscribed to, and will ask for again. */
  readonly kinds: readonly ResourceKind[];
  /** Clusters that were offered and that it does not have. */
  readonly missingClusters: ReadonlySet<string>;
  readonly heldRoutes: readonly string[];
}

/** A client that comes back; without `held`, from another server, or from before a restart. */
export interface Returning {
  readonly held?: HeldState | undefined;
}

/** What a publication needs of the stream that it belongs to. */
export interface PublicationOptions {
  readonly clientId: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricRegistry;
  readonly subscriptions: ReadonlyMap<ResourceKind, Subscription>;
  /** Kinds that are to be answered; true: even when nothing changed. */
  readonly due: Map<ResourceKind, boolean>;
  /** Writes what is due, as far as there is room. */
  readonly flush: () => void;
  /** Runs what a timer starts; whatever that throws ends the stream. */
  readonly guard: (work: () => void) => void;
  /** Called when a push has arrived in full, or as far as the client would take it. */
  readonly onSettled: () => void;
}

interface RunningStage extends OpenStage {
  /** Clusters that were not offered before, among what the client is subscribed to. */
  readonly added: readonly string[];
  readonly timer: Timer;
}

/**
 * What one client is offered, and the way from there to its newest snapshot: through the steps of
 * `planStages`, each waited for. While a push is under way only the newest snapshot waits.
 */
export class Publication {
  readonly #options: PublicationOptions;
  #published: Published;
  #stages: PublishStage[] = [];
  #running: RunningStage | undefined;
  #waiting: XdsSnapshot | undefined;
  /** The snapshot that the steps lead to, or have led to. */
  #target: XdsSnapshot;
  #completed: XdsSnapshot | undefined;
  /** Whether the target is being handed out; before, a client that came back has what it had. */
  #isUnderWay: boolean;
  /** Clusters that were offered anew and that the client refused or has not got yet. */
  readonly #missingClusters = new Set<string>();
  #heldRoutes: readonly string[] = [];
  /** Kinds that a client which came back has not asked for yet; no step starts before. */
  readonly #expected = new Set<ResourceKind>();
  #returnTimer: Timer | undefined;
  /** The client came back, and nobody knows how much of what was offered had reached it. */
  #mayLack = false;
  /** Nobody knows what the client has, which came back: what it has stays until it has the new. */
  #isUnknown = false;
  /** Of such a client: it does not have the clusters yet. */
  #isWithholding = false;
  #isClosed = false;

  /**
   * With `held`, the client that came back is first offered what it has, so that the change to the
   * snapshot goes through the same steps as if it had never been away. When nobody knows what it
   * has, it gets everything in the order of those steps.
   */
  constructor(options: PublicationOptions, snapshot: XdsSnapshot, returning?: Returning) {
    const held = returning?.held;
    this.#options = options;
    this.#target = snapshot;
    this.#published = held?.published ?? snapshot.resources;
    this.#isUnderWay = held === undefined;
    if (returning !== undefined && held === undefined) {
      this.#isUnknown = true;
      this.#isWithholding = true;
      this.#stages = planStages(this.#published, this.#published, { mayLack: true }).slice();
    }
    if (held === undefined) return;
    this.#waiting = snapshot;
    this.#mayLack = true;
    this.#heldRoutes = held.heldRoutes;
    for (const cluster of held.missingClusters) this.#missingClusters.add(cluster);
    for (const kind of held.kinds) this.#expected.add(kind);
    const endWait = (): void => {
      this.#expected.clear();
      this.advance();
    };
    this.#returnTimer = options.clock.setTimer(STAGE_WAIT_MS_MAX, () => options.guard(endWait));
  }

  /** The snapshot that everything leads to. */
  get target(): XdsSnapshot {
    return this.#waiting ?? this.#target;
  }

  /** The last target of which every step has been taken, whatever came of it. */
  get completed(): XdsSnapshot | undefined {
    return this.isSettled ? this.#target : this.#completed;
  }

  /** What is handed out at this moment. */
  get published(): Published {
    return this.#published;
  }

  /** What to give the publication that follows this one, when the client comes back; unless nobody knows. */
  get heldState(): HeldState | undefined {
    if (this.#isUnknown) return undefined;
    return {
      published: this.#published,
      // Also what it was about to ask for again when it went once more.
      kinds: [...new Set([...this.#options.subscriptions.keys(), ...this.#expected])],
      missingClusters: this.#missingClusters,
      heldRoutes: this.#heldRoutes,
    };
  }

  /** Virtual hosts that are not the newest: `route configuration/virtual host`. */
  get heldRoutes(): readonly string[] {
    return this.#heldRoutes;
  }

  /** Whether the client has been offered everything, and no step waits for it. */
  get isSettled(): boolean {
    const { due } = this.#options;
    const isIdle = this.#running === undefined && this.#stages.length === 0;
    return isIdle && this.#waiting === undefined && due.size === 0;
  }

  /** Whether what the client has and is no longer there is to stay for now, where that can be said. */
  get keepsLost(): boolean {
    return this.#isUnknown;
  }

  /** Whether nothing of a kind is to be said yet. */
  isWithheld(kind: ResourceKind): boolean {
    return this.#isWithholding && kind !== "cluster" && kind !== "endpoint";
  }

  /** Hands out another snapshot; one that still waited for its turn is dropped. */
  update(snapshot: XdsSnapshot): void {
    this.#waiting = snapshot;
    this.advance();
  }

  /** The client asked for a kind for the first time on this stream. */
  noteAsked(kind: ResourceKind): void {
    this.#expected.delete(kind);
  }

  close(): void {
    this.#isClosed = true;
    this.#returnTimer?.cancel();
    this.#running?.timer.cancel();
    this.#running = undefined;
    this.#waiting = undefined;
  }

  /** Goes through the steps as far as the client's answers allow. */
  advance(): void {
    // What it asks for first says what there is to wait for.
    if (this.#isUnknown && this.#options.subscriptions.size === 0) return;
    while (!this.#isClosed && this.#expected.size === 0) {
      if (this.#running !== undefined) {
        if (missingAnswers(this.#offer, this.#running).next().done !== true) return;
        if (this.#running.step === "switch" && this.#lacksQuestions()) return;
        this.#endStage();
        continue;
      }
      const stage = this.#stages.shift();
      if (stage !== undefined) {
        this.#startStage(stage);
        continue;
      }
      if (this.#waiting === undefined && !this.#canRelease()) return;
      if (this.#isUnderWay) this.#completed = this.#target;
      this.#isUnderWay = true;
      this.#target = this.#waiting ?? this.#target;
      this.#waiting = undefined;
      const { resources } = this.#target;
      this.#stages = [...planStages(this.#published, resources, { mayLack: this.#mayLack })];
      this.#mayLack = false;
    }
  }

  #startStage(stage: PublishStage): void {
    const { clock, guard, subscriptions, due, flush } = this.#options;
    const before = stage.isAllNew === true ? NOTHING_PUBLISHED : this.#published;
    this.#published = { ...this.#published, ...this.#withHolds(stage, this.#published) };
    const changed = (kind: "cluster" | "listener"): readonly string[] => {
      const subscription = subscriptions.get(kind);
      if (subscription === undefined) return [];
      const changes = resourceChanges(before[kind], this.#published[kind]);
      return [...changes.changed].filter((name) => subscription.has(name));
    };
    const timer = clock.setTimer(STAGE_WAIT_MS_MAX, () => guard(() => this.#expire()));
    const clusters = changed("cluster");
    this.#running = {
      ...stage,
      added: clusters.filter((name) => !before.cluster.has(name)),
      changed: { cluster: clusters, listener: changed("listener") },
      timer,
    };
    for (const kind of SEND_ORDER) {
      const isPublished = stage.publish[kind] !== undefined && subscriptions.has(kind);
      if (isPublished && !due.has(kind)) due.set(kind, false);
    }
    flush();
  }

  /** What a step hands out, with what has to stay because of clusters that are missing. */
  #withHolds({ step, publish }: PublishStage, before: Published): Partial<Published> {
    const missing = this.#missingClusters;
    if (step === "switch" && publish.route !== undefined && publish.virtualHost !== undefined) {
      const route = holdRoutes(publish.route, before.route, missing);
      const host = holdVirtualHosts(publish.virtualHost, before.virtualHost, missing);
      this.#noteHeld([...route.held, ...host.held]);
      return { ...publish, route: route.routes, virtualHost: host.routes };
    }
    const { cluster, endpoint } = publish;
    if (step !== "break" || this.#heldRoutes.length === 0) return publish;
    const { route, virtualHost } = before;
    return {
      ...(cluster && { cluster: keepNamed(cluster, before.cluster, route, virtualHost) }),
      ...(endpoint && { endpoint: keepNamed(endpoint, before.endpoint, route, virtualHost) }),
    };
  }

  #noteHeld(held: readonly string[]): void {
    if (held.join() === this.#heldRoutes.join()) return;
    this.#heldRoutes = held;
    if (held.length === 0) return;
    const { metrics, log, clientId } = this.#options;
    metrics.add("weft_xds_held_routes", {}, held.length);
    log.warn("routes held at their last good form, the client lacks their clusters", {
      client: clientId,
      routes: held.slice(0, NAMES_SHOWN_MAX).join(", "),
      clusters: [...this.#missingClusters].slice(0, NAMES_SHOWN_MAX).join(", "),
    });
  }

  /** Whether a cluster came after all, so that routes need not be held for it. */
  #canRelease(): boolean {
    if (this.#heldRoutes.length === 0) return false;
    const before = this.#missingClusters.size;
    this.#updateMissing([]);
    return this.#missingClusters.size < before;
  }

  #updateMissing(added: readonly string[]): void {
    const offer = this.#offer;
    for (const name of added) if (!hasCluster(offer, name)) this.#missingClusters.add(name);
    for (const name of this.#missingClusters) {
      const isOffered = offer.published.cluster.has(name);
      if (!isOffered || hasCluster(offer, name)) this.#missingClusters.delete(name);
    }
  }

  #endStage(): void {
    const step = this.#running?.step;
    if (this.#running !== undefined && step === "make") this.#updateMissing(this.#running.added);
    this.#running?.timer.cancel();
    this.#running = undefined;
    if (step === "make") this.#isWithholding = false;
    if (step === "switch" && this.#isUnknown) this.#breakLost();
    const isLast = this.#stages.length === 0 && this.#waiting === undefined;
    if (isLast) this.#options.onSettled();
  }

  /** Whether a client of whom nobody knows anything did not ask yet for what may name old clusters. */
  #lacksQuestions(): boolean {
    const { subscriptions } = this.#options;
    const isOpen = (kind: ResourceKind): boolean =>
      this.#published[kind].size > 0 && !subscriptions.has(kind);
    return this.#isUnknown && (isOpen("listener") || isOpen("route"));
  }

  /** What the client had from before, and is not there, goes now. */
  #breakLost(): void {
    const { subscriptions, due, flush } = this.#options;
    this.#isUnknown = false;
    for (const kind of ["cluster", "endpoint"] as const) {
      if (subscriptions.get(kind)?.endWait() === true && !due.has(kind)) due.set(kind, false);
    }
    flush();
  }

  /** The client did not answer in time: the others' configuration may not wait for ever. */
  #expire(): void {
    const stage = this.#running;
    if (stage === undefined) return;
    const { metrics, log, clientId } = this.#options;
    const missing = [...missingAnswers(this.#offer, stage)];
    metrics.add("weft_xds_wait_expired", { stage: stage.step });
    log.warn("client did not acknowledge in time, going on", {
      client: clientId,
      stage: stage.step,
      waitMs: STAGE_WAIT_MS_MAX,
      missing: missing.slice(0, NAMES_SHOWN_MAX).join(", "),
      missingCount: missing.length,
    });
    this.#endStage();
    this.advance();
  }

  get #offer(): Offer {
    const { subscriptions, due } = this.#options;
    return { published: this.#published, subscriptions, due };
  }
}
