import type { DiscoveryRequest } from "../api/gen/envoy/service/discovery/v3/discovery_pb.js";
import type { Clock, Timer } from "../base/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import type { MetricRegistry } from "../telemetry/metrics.ts";
import type { ResourceKind, XdsResource, XdsSnapshot } from "../xds/snapshot.ts";
import { CHILD_KIND, hasCluster, missingAnswers, type Offer, type OpenStage } from "./coverage.ts";
import { encodeResponse, kindOfTypeUrl } from "./discovery-message.ts";
import { holdRoutes, keepNamed } from "./hold-routes.ts";
import {
  changedNames,
  NOTHING_PUBLISHED,
  type Published,
  type PublishStage,
  planStages,
  SEND_ORDER,
} from "./publish-plan.ts";
import { XDS_SHORT_NAME } from "./short-name.ts";
import { isWholeState, Subscription } from "./subscription.ts";

/** How long a step of a push waits for the client before it goes on without. */
export const STAGE_WAIT_MS_MAX = 5000;

/** Most unknown types that are remembered, so as to complain once about each. */
const UNKNOWN_TYPES_MAX = 32;

/** Most names that one log line shows. */
const NAMES_SHOWN_MAX = 10;

/** Where a client's responses go. */
export interface ResponseSink {
  /** False when no more fits for now: nothing is written until `AdsStream.drained()`. */
  write(bytes: Buffer): boolean;
}

/** What a stream needs from outside. */
export interface AdsStreamOptions {
  readonly clientId: string;
  readonly controlPlane: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricRegistry;
  readonly sink: ResponseSink;
  /** A bug: the stream is closed, and its owner has to end the call. */
  readonly onBroken: (error: unknown) => void;
  /** Called when a push has arrived in full, or as far as the client would take it. */
  readonly onSettled?: () => void;
}

/** What a client that comes back had on its earlier stream. */
export interface HeldState {
  readonly published: Published;
  /** The kinds it was subscribed to, and will ask for again. */
  readonly kinds: readonly ResourceKind[];
  /** Clusters that were offered and that it does not have. */
  readonly missingClusters: ReadonlySet<string>;
  readonly heldRoutes: readonly string[];
}

interface RunningStage extends OpenStage {
  /** Clusters that were not offered before, among what the client is subscribed to. */
  readonly added: readonly string[];
  readonly timer: Timer;
}

/**
 * One client's side of state-of-the-world discovery, without I/O: requests go in, responses come
 * out of the sink, everything happens within the call that causes it.
 *
 * A push runs through the steps of `planStages`. While it does, only the newest snapshot waits.
 * Per kind at most one response is due to be written, made when there is room for it.
 */
export class AdsStream {
  readonly #options: AdsStreamOptions;
  readonly #subscriptions = new Map<ResourceKind, Subscription>();
  /** Kinds that are to be answered; true: even when nothing changed. */
  readonly #due = new Map<ResourceKind, boolean>();
  readonly #unknownTypes = new Set<string>();
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
  #isWritable = true;
  #isClosed = false;
  #nonce = 0;

  /**
   * With `held`, the client is first offered what it has, so that the change to the snapshot goes
   * through the same steps as if it had never been away.
   */
  constructor(options: AdsStreamOptions, snapshot: XdsSnapshot, held?: HeldState) {
    this.#options = options;
    this.#target = snapshot;
    this.#published = held?.published ?? snapshot.resources;
    this.#isUnderWay = held === undefined;
    if (held === undefined) return;
    this.#waiting = snapshot;
    this.#mayLack = true;
    this.#heldRoutes = held.heldRoutes;
    for (const cluster of held.missingClusters) this.#missingClusters.add(cluster);
    for (const kind of held.kinds) this.#expected.add(kind);
    const endWait = (): void => {
      this.#expected.clear();
      this.#advance();
    };
    this.#returnTimer = options.clock.setTimer(STAGE_WAIT_MS_MAX, () => this.#guard(endWait));
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

  /** What to give the stream that follows this one, when the client comes back. */
  get heldState(): HeldState {
    return {
      published: this.#published,
      // Also what it was about to ask for again when it went once more.
      kinds: [...this.#subscriptions.keys(), ...this.#expected],
      missingClusters: this.#missingClusters,
      heldRoutes: this.#heldRoutes,
    };
  }

  /** By kind; a kind that the client never asked for is missing. */
  get subscriptions(): ReadonlyMap<ResourceKind, Subscription> {
    return this.#subscriptions;
  }

  /**
   * Virtual hosts that are not the newest, because those name a cluster that the client does not
   * have: `route configuration/virtual host`.
   */
  get heldRoutes(): readonly string[] {
    return this.#heldRoutes;
  }

  /** Whether the client has been offered everything, and no step waits for it. */
  get isSettled(): boolean {
    return this.#running === undefined && this.#waiting === undefined && this.#due.size === 0;
  }

  /** Hands out another snapshot; one that still waited for its turn is dropped. */
  update(snapshot: XdsSnapshot): void {
    if (this.#isClosed) return;
    this.#waiting = snapshot;
    this.#guard(() => this.#advance());
  }

  /** The sink has room again. */
  drained(): void {
    this.#isWritable = true;
    this.#guard(() => {
      this.#flush();
      this.#advance();
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#returnTimer?.cancel();
    this.#running?.timer.cancel();
    this.#running = undefined;
    this.#waiting = undefined;
    this.#due.clear();
  }

  /** Takes one request of the client. */
  receive(request: DiscoveryRequest): void {
    if (!this.#isClosed) this.#guard(() => this.#take(request));
  }

  /** Nothing that one client says may end the others. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.close();
      this.#options.onBroken(error);
    }
  }

  #take(request: DiscoveryRequest): void {
    const kind = kindOfTypeUrl(request.typeUrl);
    if (kind === undefined) {
      this.#noteUnknownType(request.typeUrl);
      return;
    }
    const subscription = this.#subscriptions.get(kind);
    if (subscription === undefined) this.#subscribe(kind, request);
    else this.#answer(subscription, request);
    this.#flush();
    this.#advance();
  }

  /** The first request of a kind on this stream: a new client, or one that came back. */
  #subscribe(kind: ResourceKind, request: DiscoveryRequest): void {
    const subscription = new Subscription(kind);
    this.#subscriptions.set(kind, subscription);
    this.#expected.delete(kind);
    const asksForAny = subscription.setNames(request.resourceNames);
    const selected = subscription.select(this.#published);
    const version = subscription.versionOf(this.#published, selected);
    if (request.versionInfo === version) {
      // Came back with what it is to have: sending it again would only make it work.
      const offered = this.#published[kind];
      subscription.sent = { version, nonce: "", atMs: this.#options.clock.nowMs(), offered };
      subscription.acked = subscription.sent;
      subscription.addDelivered(selected);
      return;
    }
    if (asksForAny) this.#due.set(kind, true);
  }

  #answer(subscription: Subscription, request: DiscoveryRequest): void {
    const { sent } = subscription;
    // An answer to an earlier response says nothing about the latest one, and the answer to that
    // will repeat the names (xDS protocol, "ACK and NACK": stale nonces are ignored).
    const isStale = request.responseNonce !== "" && request.responseNonce !== sent?.nonce;
    if (isStale) return;
    if (sent !== undefined && sent.nonce !== "" && request.responseNonce === sent.nonce) {
      const { errorDetail } = request;
      if (errorDetail === undefined) this.#ack(subscription);
      else this.#nack(subscription, errorDetail.message);
    }
    // A new name is answered at once and in any case, be it that there is nothing to say: who
    // asks waits for it.
    if (subscription.setNames(request.resourceNames)) this.#due.set(subscription.kind, true);
  }

  #ack(subscription: Subscription): void {
    const { sent } = subscription;
    if (sent === undefined || !subscription.isAwaited) return;
    subscription.acked = { ...sent, atMs: this.#options.clock.nowMs() };
    subscription.nacked = undefined;
  }

  #nack(subscription: Subscription, message: string): void {
    const { sent } = subscription;
    if (sent === undefined || !subscription.isAwaited) return;
    subscription.nacked = { ...sent, message, atMs: this.#options.clock.nowMs() };
    const type = XDS_SHORT_NAME[subscription.kind];
    this.#options.metrics.add("pilot_total_xds_rejects", { type });
    this.#options.log.warn("client rejected a response", {
      client: this.#options.clientId,
      type,
      version: sent.version,
      error: message,
    });
  }

  /** Goes through the steps as far as the client's answers allow. */
  #advance(): void {
    while (!this.#isClosed && this.#expected.size === 0) {
      if (this.#running !== undefined) {
        if (missingAnswers(this.#offer, this.#running).length > 0) return;
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
    const before = stage.isAllNew === true ? NOTHING_PUBLISHED : this.#published;
    this.#published = { ...this.#published, ...this.#withHolds(stage, this.#published) };
    const changed = (kind: "cluster" | "listener"): readonly string[] =>
      changedNames(before[kind], this.#published[kind]).filter(
        (name) => this.#subscriptions.get(kind)?.has(name) === true,
      );
    const timer = this.#options.clock.setTimer(STAGE_WAIT_MS_MAX, () =>
      this.#guard(() => this.#expire()),
    );
    const clusters = changed("cluster");
    this.#running = {
      ...stage,
      added: clusters.filter((name) => !before.cluster.has(name)),
      changed: { cluster: clusters, listener: changed("listener") },
      timer,
    };
    for (const kind of SEND_ORDER) {
      const isPublished = stage.publish[kind] !== undefined && this.#subscriptions.has(kind);
      if (isPublished && !this.#due.has(kind)) this.#due.set(kind, false);
    }
    this.#flush();
  }

  /** What a step hands out, with what has to stay because of clusters that are missing. */
  #withHolds({ step, publish }: PublishStage, before: Published): Partial<Published> {
    if (step === "switch" && publish.route !== undefined) {
      const { routes, held } = holdRoutes(publish.route, before.route, this.#missingClusters);
      this.#noteHeld(held);
      return { ...publish, route: routes };
    }
    const { cluster, endpoint } = publish;
    if (step !== "break" || this.#heldRoutes.length === 0) return publish;
    return {
      ...(cluster && { cluster: keepNamed(cluster, before.cluster, before.route) }),
      ...(endpoint && { endpoint: keepNamed(endpoint, before.endpoint, before.route) }),
    };
  }

  #noteHeld(held: readonly string[]): void {
    if (held.join() === this.#heldRoutes.join()) return;
    this.#heldRoutes = held;
    if (held.length === 0) return;
    this.#options.metrics.add("weft_xds_held_routes", {}, held.length);
    this.#options.log.warn("routes held at their last good form, the client lacks their clusters", {
      client: this.#options.clientId,
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
    for (const name of added) this.#missingClusters.add(name);
    for (const name of this.#missingClusters) {
      const isOffered = this.#published.cluster.has(name);
      if (!isOffered || hasCluster(this.#offer, name)) this.#missingClusters.delete(name);
    }
  }

  #endStage(): void {
    if (this.#running?.step === "make") this.#updateMissing(this.#running.added);
    this.#running?.timer.cancel();
    this.#running = undefined;
    const isLast = this.#stages.length === 0 && this.#waiting === undefined;
    if (isLast) this.#options.onSettled?.();
  }

  /** The client did not answer in time: the others' configuration may not wait for ever. */
  #expire(): void {
    const stage = this.#running;
    if (stage === undefined) return;
    const missing = missingAnswers(this.#offer, stage);
    this.#options.metrics.add("weft_xds_wait_expired", { stage: stage.step });
    this.#options.log.warn("client did not acknowledge in time, going on", {
      client: this.#options.clientId,
      stage: stage.step,
      waitMs: STAGE_WAIT_MS_MAX,
      missing: missing.slice(0, NAMES_SHOWN_MAX).join(", "),
      missingCount: missing.length,
    });
    this.#endStage();
    this.#advance();
  }

  get #offer(): Offer {
    return { published: this.#published, subscriptions: this.#subscriptions, due: this.#due };
  }

  /** Writes what is due, as far as there is room. */
  #flush(): void {
    for (const kind of SEND_ORDER) {
      if (!this.#isWritable || this.#isClosed) return;
      const isForced = this.#due.get(kind);
      const subscription = this.#subscriptions.get(kind);
      if (isForced === undefined || subscription === undefined) continue;
      this.#due.delete(kind);
      this.#respond(subscription, isForced);
    }
  }

  #respond(subscription: Subscription, isForced: boolean): void {
    const { kind } = subscription;
    if (!subscription.isWildcard && subscription.names.size === 0) return;
    const selected = subscription.select(this.#published);
    const changed = selected.filter(
      ({ name, version }) => subscription.delivered.get(name) !== version,
    );
    const version = subscription.versionOf(this.#published, selected);
    const isWhole = isWholeState(kind);
    // The same version is not sent twice, above all not to a client that refused it.
    const isNews = isWhole ? version !== subscription.sent?.version : changed.length > 0;
    if (!isNews && !isForced) return;
    this.#forgetChildren(kind, changed);
    if (isWhole) subscription.setDelivered(selected);
    else subscription.addDelivered(changed);
    this.#send(subscription, version, isWhole ? selected : changed);
  }

  /**
   * A client that takes a new or changed cluster, or a new listener, waits for its endpoints or
   * routes even when it had the same before, so they have to follow once more. (A changed listener
   * goes on with the routes it has.)
   */
  #forgetChildren(kind: ResourceKind, changed: readonly XdsResource[]): void {
    if (kind !== "cluster" && kind !== "listener") return;
    const childKind = CHILD_KIND[kind];
    const children = this.#subscriptions.get(childKind);
    if (children === undefined) return;
    let isAny = false;
    const held = this.#subscriptions.get(kind)?.delivered;
    for (const { name, references } of changed) {
      if (kind === "listener" && held?.has(name) === true) continue;
      for (const child of kind === "cluster" ? [name] : references) {
        if (children.delivered.delete(child)) isAny = true;
      }
    }
    if (isAny && !this.#due.has(childKind)) this.#due.set(childKind, false);
  }

  #send(subscription: Subscription, version: string, resources: readonly XdsResource[]): void {
    const { clock, metrics, sink, controlPlane } = this.#options;
    this.#nonce += 1;
    const nonce = String(this.#nonce);
    const { kind } = subscription;
    subscription.sent = { version, nonce, atMs: clock.nowMs(), offered: this.#published[kind] };
    const bytes = encodeResponse({ kind, version, nonce, resources, controlPlane });
    metrics.add("pilot_xds_pushes", { type: XDS_SHORT_NAME[kind] });
    metrics.observe("pilot_xds_config_size_bytes", bytes.length, { type: XDS_SHORT_NAME[kind] });
    this.#isWritable = sink.write(bytes);
  }

  #noteUnknownType(typeUrl: string): void {
    this.#options.metrics.add("weft_xds_unknown_types");
    if (this.#unknownTypes.has(typeUrl) || this.#unknownTypes.size >= UNKNOWN_TYPES_MAX) return;
    this.#unknownTypes.add(typeUrl);
    this.#options.log.warn("client asks for a resource type that is not served", {
      client: this.#options.clientId,
      typeUrl,
    });
  }
}
