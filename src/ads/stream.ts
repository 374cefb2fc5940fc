import type { Clock, Timer } from "../base/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import type { MetricRegistry } from "../telemetry/metrics.ts";
import type { ResourceKind, XdsSnapshot } from "../xds/snapshot.ts";
import { CHILD_KIND } from "./coverage.ts";
import { encodeResponse, kindOfTypeUrl } from "./discovery-response.ts";
import type { GrpcMessage } from "./grpc-message.ts";
import { type HeldState, Publication, type Returning } from "./publication.ts";
import { type Published, SEND_ORDER } from "./publish-plan.ts";
import { offeredOf } from "./selection.ts";
import { XDS_SHORT_NAME } from "./short-name.ts";
import { Subscription, WILDCARD } from "./subscription.ts";
import type { ClientRequest, ResponseDraft, Variant } from "./variant.ts";

/** How long a client waits for what somebody is making for it, before it is told that there is none. */
export const WANT_WAIT_MS_MAX = 5000;

/** Most names that one client waits for; further ones are told not to exist. */
const WANTED_MAX = 1000;

/** Most route configurations that are remembered until their virtual hosts are asked for. */
const NEW_ROUTES_MAX = 1000;

/** Most unknown types that are remembered, so as to complain once about each. */
const UNKNOWN_TYPES_MAX = 32;

/** Istiod counts rejections by type in metrics of their own. */
const REJECTS = {
  cluster: "pilot_xds_cds_reject",
  endpoint: "pilot_xds_eds_reject",
  listener: "pilot_xds_lds_reject",
  route: "pilot_xds_rds_reject",
  virtualHost: "weft_xds_vhds_reject",
} as const;

/** Where a client's responses go. */
export interface ResponseSink {
  /** False when nothing is to be written for now, until `AdsStream.drained()`. */
  hasRoom(): boolean;
  write(response: GrpcMessage): void;
}

/** What a stream needs from outside. */
export interface AdsStreamOptions {
  readonly clientId: string;
  readonly variant: Variant;
  readonly controlPlane: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricRegistry;
  readonly sink: ResponseSink;
  /** See `SnapshotSource.want`. */
  readonly want: (kind: ResourceKind, names: readonly string[]) => boolean;
  /** A bug: the stream is closed, and its owner has to end the call. */
  readonly onBroken: (error: unknown) => void;
  /** Called when a push has arrived in full, or as far as the client would take it. */
  readonly onSettled?: () => void;
}

/**
 * One client's side of discovery, without I/O: requests go in, responses come out of the sink,
 * everything happens within the call that causes it.
 *
 * What is offered when is the `Publication`'s. Per kind at most one response is due to be written,
 * made when there is room for it.
 */
export class AdsStream {
  readonly #options: AdsStreamOptions;
  readonly #subscriptions = new Map<ResourceKind, Subscription>();
  /** Kinds that are to be answered; true: even when nothing changed. */
  readonly #due = new Map<ResourceKind, boolean>();
  readonly #publication: Publication;
  /** What was complained about once. */
  readonly #unserved = new Set<string>();
  /** Route configurations that went out while virtual hosts were not asked for yet. */
  readonly #newRoutes = new Set<string>();
  #wantTimer: Timer | undefined;
  #isClosed = false;
  #nonce = 0;

  /** `returning` when the client came back; see `Publication`. */
  constructor(options: AdsStreamOptions, snapshot: XdsSnapshot, returning?: Returning) {
    this.#options = options;
    const { clientId, clock, log, metrics } = options;
    const shared = { clientId, clock, log, metrics, subscriptions: this.#subscriptions };
    this.#publication = new Publication(
      {
        ...shared,
        due: this.#due,
        flush: () => this.#flush(),
        guard: (work) => this.#guard(work),
        onSettled: () => options.onSettled?.(),
      },
      snapshot,
      returning,
    );
  }

  /** The snapshot that everything leads to. */
  get target(): XdsSnapshot {
    return this.#publication.target;
  }

  /** The last target of which every step has been taken, whatever came of it. */
  get completed(): XdsSnapshot | undefined {
    return this.#publication.completed;
  }

  /** What is handed out at this moment. */
  get published(): Published {
    return this.#publication.published;
  }

  /** What to give the stream that follows this one, when the client comes back. */
  get heldState(): HeldState | undefined {
    return this.#publication.heldState;
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
    return this.#publication.heldRoutes;
  }

  /** Whether the client has been offered everything, and no step waits for it. */
  get isSettled(): boolean {
    return this.#publication.isSettled;
  }

  /** Hands out another snapshot; one that still waited for its turn is dropped. */
  update(snapshot: XdsSnapshot): void {
    if (!this.#isClosed) this.#guard(() => this.#publication.update(snapshot));
  }

  /** The sink has room again. */
  drained(): void {
    if (this.#isClosed) return;
    this.#guard(() => {
      this.#flush();
      this.#publication.advance();
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#wantTimer?.cancel();
    this.#publication.close();
    this.#due.clear();
  }

  /** Takes one request of the client. */
  receive(request: ClientRequest): void {
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

  #take(request: ClientRequest): void {
    const { typeUrl } = request;
    const kind = kindOfTypeUrl(typeUrl);
    if (request.hasLocators) {
      this.#noteUnserved(`${typeUrl}#locators`, "resource_locators are not served: name resources");
    }
    const refusal =
      kind === undefined ? "the type is not served" : this.#options.variant.refusal(kind);
    if (kind === undefined || refusal !== undefined) {
      this.#options.metrics.add("weft_xds_unknown_types");
      this.#noteUnserved(typeUrl, refusal ?? "");
      return;
    }
    const known = this.#subscriptions.get(kind);
    const subscription = known ?? new Subscription(kind);
    if (known === undefined) {
      this.#subscriptions.set(kind, subscription);
      this.#publication.noteAsked(kind);
    } else if (request.nonce !== "") {
      this.#answer(subscription, request);
    }
    const { isDue, added } = request.ask(subscription, known === undefined);
    if (isDue) this.#due.set(kind, true);
    if (known === undefined && kind === "virtualHost") this.#forgetHosts();
    if (added.length > 0) this.#want(subscription, added);
    this.#flush();
    this.#publication.advance();
  }

  /** Has made what the client asks for by name and is not offered; endpoints come with clusters. */
  #want(subscription: Subscription, added: readonly string[]): void {
    const { kind, pending } = subscription;
    if (kind === "endpoint") return;
    const [offered, target] = [this.published[kind], this.target.resources[kind]];
    const absent = added.filter((name) => name !== WILDCARD && !offered.has(name));
    // What is on its way need not be made.
    const wanted = absent.filter((name) => !target.has(name));
    const isMade = wanted.length > 0 && this.#options.want(kind, wanted);
    const awaited = isMade ? absent : absent.filter((name) => target.has(name));
    subscription.awaitNames(awaited.slice(0, Math.max(0, WANTED_MAX - pending.size)));
    if (pending.size === 0 || this.#wantTimer !== undefined) return;
    this.#wantTimer = this.#options.clock.setTimer(WANT_WAIT_MS_MAX, () =>
      this.#guard(() => this.#endWant()),
    );
  }

  #endWant(): void {
    this.#wantTimer = undefined;
    for (const [kind, subscription] of this.#subscriptions) {
      if (subscription.endWait()) this.#due.set(kind, true);
    }
    this.#flush();
    this.#publication.advance();
  }

  #answer(subscription: Subscription, { nonce, error }: ClientRequest): void {
    const { clock, variant, metrics, log, clientId } = this.#options;
    const isTaken = subscription.answer(nonce, error, clock.nowMs(), variant.isInOrder);
    const type = XDS_SHORT_NAME[subscription.kind];
    if (!isTaken) metrics.add("pilot_xds_expired_nonce", { type });
    if (!isTaken || error === undefined) return;
    metrics.add("pilot_total_xds_rejects", { type });
    metrics.add(REJECTS[subscription.kind]);
    const version = subscription.nacked?.version;
    log.warn("client rejected a response", { client: clientId, type, version, error });
  }

  /** Writes what is due, as far as there is room. */
  #flush(): void {
    for (const kind of SEND_ORDER) {
      const isForced = this.#due.get(kind);
      const subscription = this.#subscriptions.get(kind);
      if (isForced === undefined || subscription === undefined) continue;
      if (this.#publication.isWithheld(kind)) continue;
      if (this.#isClosed || !this.#options.sink.hasRoom()) return;
      this.#due.delete(kind);
      this.#respond(subscription, isForced);
    }
  }

  #respond(subscription: Subscription, isForced: boolean): void {
    const { variant, clock } = this.#options;
    const offered = offeredOf(subscription.kind, this.published);
    const { keepsLost } = this.#publication;
    const about = { isForced, atMs: clock.nowMs(), keepsLost };
    const draft = variant.respond(subscription, offered, about);
    if (draft === undefined) return;
    this.#forgetChildren(subscription, draft);
    subscription.moveTo(offered.map);
    this.#send(subscription, draft);
  }

  /**
   * A client that takes a new or changed cluster, or a new listener, waits for its endpoints or
   * routes even when it had the same before, so they have to follow once more. (A changed listener
   * goes on with the routes it has.) The same of a new route configuration and its virtual hosts.
   */
  #forgetChildren(parents: Subscription, { changed }: ResponseDraft): void {
    const { kind } = parents;
    if (kind === "endpoint" || kind === "virtualHost") return;
    const children = this.#subscriptions.get(CHILD_KIND[kind]);
    if (children === undefined && kind !== "route") return;
    for (const { name, references } of changed) {
      if (kind !== "cluster" && parents.isKnown(name)) continue;
      if (kind === "route") this.#noteNewRoute(name);
      else this.#forget(children, kind === "cluster" ? [name] : references);
    }
    this.#forgetHosts();
  }

  #noteNewRoute(name: string): void {
    const hasHosts = this.published.virtualHost.size > 0;
    if (hasHosts && this.#newRoutes.size < NEW_ROUTES_MAX) this.#newRoutes.add(name);
  }

  /** Once virtual hosts are asked for: those of routes that went out since. */
  #forgetHosts(): void {
    const hosts = this.#subscriptions.get("virtualHost");
    const routes = this.#newRoutes;
    if (hosts === undefined || routes.size === 0) return;
    const ofRoutes = [...hosts.known()].filter((name) =>
      routes.has(name.slice(0, name.lastIndexOf("/"))),
    );
    routes.clear();
    this.#forget(hosts, ofRoutes);
  }

  #forget(subscription: Subscription | undefined, names: readonly string[]): void {
    if (subscription === undefined) return;
    let isAny = false;
    for (const name of names) if (subscription.forget(name)) isAny = true;
    const { kind } = subscription;
    if (isAny && !this.#due.has(kind)) this.#due.set(kind, false);
  }

  #send(subscription: Subscription, draft: ResponseDraft): void {
    const { clock, metrics, sink, controlPlane, variant } = this.#options;
    const { kind } = subscription;
    const { version, names, body, removed } = draft;
    this.#nonce += 1;
    const nonce = String(this.#nonce);
    subscription.noteSent({
      version,
      nonce,
      atMs: clock.nowMs(),
      offered: this.published[kind],
      ...(names && { names }),
    });
    const response = encodeResponse(variant.name, {
      kind,
      version,
      nonce,
      body,
      removed,
      controlPlane,
    });
    const type = XDS_SHORT_NAME[kind];
    metrics.add("pilot_xds_pushes", { type });
    metrics.observe("pilot_xds_config_size_bytes", response.byteLength, { type });
    sink.write(response);
  }

  #noteUnserved(typeUrl: string, reason: string): void {
    if (this.#unserved.has(typeUrl) || this.#unserved.size >= UNKNOWN_TYPES_MAX) return;
    this.#unserved.add(typeUrl);
    const { log, clientId } = this.#options;
    log.warn("client asks for resources that it is not served", {
      client: clientId,
      typeUrl,
      reason,
    });
  }
}
