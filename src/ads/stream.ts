import type { Clock } from "../base/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import type { MetricRegistry } from "../telemetry/metrics.ts";
import type { ResourceKind, XdsSnapshot } from "../xds/snapshot.ts";
import { CHILD_KIND } from "./coverage.ts";
import { encodeResponse, kindOfTypeUrl } from "./discovery-response.ts";
import { type HeldState, Publication } from "./publication.ts";
import { type Published, SEND_ORDER } from "./publish-plan.ts";
import { offeredOf } from "./selection.ts";
import { XDS_SHORT_NAME } from "./short-name.ts";
import { Subscription } from "./subscription.ts";
import type { ClientRequest, ResponseDraft, Variant } from "./variant.ts";

/** Most unknown types that are remembered, so as to complain once about each. */
const UNKNOWN_TYPES_MAX = 32;

/** Where a client's responses go. */
export interface ResponseSink {
  /** False when no more fits for now: nothing is written until `AdsStream.drained()`. */
  write(bytes: Buffer): boolean;
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
  #isWritable = true;
  #isClosed = false;
  #nonce = 0;

  /** With `held`, the client came back; see `Publication`. */
  constructor(options: AdsStreamOptions, snapshot: XdsSnapshot, held?: HeldState) {
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
      held,
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
  get heldState(): HeldState {
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
    this.#isWritable = true;
    this.#guard(() => {
      this.#flush();
      this.#publication.advance();
    });
  }

  close(): void {
    this.#isClosed = true;
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
    if (request.ask(subscription, known === undefined).isDue) this.#due.set(kind, true);
    this.#flush();
    this.#publication.advance();
  }

  #answer(subscription: Subscription, { nonce, error }: ClientRequest): void {
    const { clock, variant, metrics, log, clientId } = this.#options;
    const isTaken = subscription.answer(nonce, error, clock.nowMs(), variant.isInOrder);
    if (!isTaken || error === undefined) return;
    const type = XDS_SHORT_NAME[subscription.kind];
    metrics.add("pilot_total_xds_rejects", { type });
    const version = subscription.nacked?.version;
    log.warn("client rejected a response", { client: clientId, type, version, error });
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
    const { variant, clock } = this.#options;
    const offered = offeredOf(subscription.kind, this.published);
    const about = { isForced, atMs: clock.nowMs() };
    const draft = variant.respond(subscription, offered, about);
    if (draft === undefined) return;
    this.#forgetChildren(subscription, draft);
    subscription.moveTo(offered.map);
    this.#send(subscription, draft);
  }

  /**
   * A client that takes a new or changed cluster, or a new listener, waits for its endpoints or
   * routes even when it had the same before, so they have to follow once more. (A changed listener
   * goes on with the routes it has.)
   */
  #forgetChildren(parents: Subscription, { changed }: ResponseDraft): void {
    const { kind } = parents;
    if (kind !== "cluster" && kind !== "listener") return;
    const childKind = CHILD_KIND[kind];
    const children = this.#subscriptions.get(childKind);
    if (children === undefined) return;
    let isAny = false;
    for (const { name, references } of changed) {
      if (kind === "listener" && parents.wasGiven(name)) continue;
      for (const child of kind === "cluster" ? [name] : references) {
        if (children.forget(child)) isAny = true;
      }
    }
    if (isAny && !this.#due.has(childKind)) this.#due.set(childKind, false);
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
    const bytes = encodeResponse(variant.name, {
      kind,
      version,
      nonce,
      body,
      removed,
      controlPlane,
    });
    const type = XDS_SHORT_NAME[kind];
    metrics.add("pilot_xds_pushes", { type });
    metrics.observe("pilot_xds_config_size_bytes", bytes.length, { type });
    this.#isWritable = sink.write(bytes);
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
