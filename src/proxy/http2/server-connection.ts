import type { Socket } from "node:net";
import type { ConnectionInfo } from "../../match/connection-info.ts";
import type { ProxyContext } from "../context.ts";
import type { HttpService } from "../http/http-config.ts";
import type { RequestHead } from "../http/message-head.ts";
import { ServerLine, type ServerParts } from "../http/server-line.ts";
import { ByteSender } from "../net/byte-sender.ts";
import { Deadline } from "../net/deadlines.ts";
import type { SocketOwner } from "../net/socket.ts";
import type { HttpCounters } from "../stats/http-stats.ts";
import { type Http2Counters, http2Counters } from "../stats/http2-stats.ts";
import { CODE } from "./frame.ts";
import type { Http2Stream, StreamEnd } from "./http2-stream.ts";
import { CLOSED_BY_CLIENT, ServerStream, type StreamParent } from "./server-stream.ts";
import { Http2Session, type SessionOwner } from "./session.ts";

/** Streams that are kept for the next requests of their connection. */
const KEPT_STREAMS_MAX = 32;
/** How many streams are looked at before a client that resets them is known to be one that does. */
const RESETS_COUNTED = 500;

/** One HTTP/2 connection from a client, with all of its requests. */
export class Http2ServerConnection implements SocketOwner, SessionOwner, StreamParent {
  readonly service: HttpService;
  readonly context: ProxyContext;
  readonly connection: ConnectionInfo;
  readonly http2Counters: Http2Counters;
  readonly #line: ServerLine;
  readonly #socket: Socket;
  readonly #out: ByteSender;
  readonly #onEnd: ServerParts["onEnd"];
  readonly #session: Http2Session;
  readonly #counters: HttpCounters;
  /** Idleness, the end of a head, the end of draining and of closing: never two of them. */
  readonly #deadline: Deadline;
  readonly #free: ServerStream[] = [];
  #requests = 0;
  #streamsEnded = 0;
  #earlyResets = 0;
  #isInsideHead = false;
  /** The client was told that there will be no more streams; later, that there are no more. */
  #drains: "no" | "announced" | "refusing" = "no";
  #isClosing = false;

  constructor(parts: ServerParts) {
    const { service, context, connection } = parts;
    this.service = service;
    this.context = context;
    this.connection = connection;
    this.#onEnd = parts.onEnd;
    this.#deadline = new Deadline({ onDeadline: () => this.#onDeadline() });
    this.#line = new ServerLine(this, parts, { isHttp2: true, onOldAge: () => this.drain() });
    this.#socket = this.#line.socket;
    this.#counters = this.#line.counters;
    this.#out = new ByteSender(this.#socket, context.flushQueue);
    const { config } = service;
    // One group for all connection managers, as in Envoy.
    this.http2Counters = context.counters.get("http2", http2Counters());
    this.#session = new Http2Session(
      {
        side: "server",
        options: config.http2,
        limits: config.limits,
        counters: this.http2Counters,
        out: this.#out,
        context,
      },
      this,
    );
    this.#session.start();
    this.#waitForRequest();
  }

  // The socket.

  onBytes(buffer: Buffer, length: number): void {
    this.#counters.downstream_cx_rx_bytes_total += length;
    // After the end whatever still comes is read only so that closing loses nothing.
    if (this.#isClosing) return;
    this.#session.onBytes(buffer, length);
    if (this.service.config.headTimeoutMs !== 0) this.#watchHead();
  }

  /** A head that comes in pieces has to be complete in time. */
  #watchHead(): void {
    const { isInsideHead, streams } = this.#session;
    if (this.#isClosing || isInsideHead === this.#isInsideHead || this.#drains !== "no") return;
    this.#isInsideHead = isInsideHead;
    this.#deadline.cancel();
    if (isInsideHead) this.#setDeadline(this.service.config.headTimeoutMs);
    else if (streams.size === 0) this.#waitForRequest();
  }

  onEnd(): void {
    // Like Envoy, a client that closes its side is taken to be gone.
    this.destroy();
  }

  onDrain(): void {
    this.#session.onSocketDrain();
  }

  onClose(): void {
    if (this.#line.isClosed) return;
    this.#line.close(this.#isClosing, this.#session.streams.size > 0);
    this.#deadline.cancel();
    this.#session.onClose(CLOSED_BY_CLIENT);
    this.#onEnd(this);
  }

  /** Ends at once, whatever is in progress. */
  destroy(): void {
    this.#socket.destroy();
    this.onClose();
  }

  // Streams.

  accept(): Http2Stream<RequestHead> {
    if (!this.#isInsideHead && this.#drains === "no") this.#deadline.cancel();
    const { stream } = this.#free.pop() ?? new ServerStream(this);
    // What came and went after the last request's end was logged is not this one's.
    stream.meter?.reset();
    return stream;
  }

  onRequest(): boolean {
    const { config } = this.service;
    if (++this.#requests === config.requestsMax) {
      this.#counters.downstream_cx_max_requests_reached++;
      this.drain();
    }
    return this.context.overload?.refusesDispatch(this.#counters) === true;
  }

  onStreamClosed({ handler }: Http2Stream): void {
    const stream = handler as ServerStream;
    this.#streamsEnded++;
    stream.onClosed();
    if (this.#free.length < KEPT_STREAMS_MAX) this.#free.push(stream);
    if (this.#session.streams.size > 0 || this.#isClosing || this.#line.isClosed) return;
    if (this.#drains === "refusing") this.#startClosing();
    else if (this.#drains === "no" && !this.#isInsideHead) this.#waitForRequest();
  }

  /** Envoy's rule: when more than half of all streams, or of the first 500, are reset at once. */
  onReset(lifetimeMs: number, isAnswered: boolean): void {
    const { runtime } = this.context;
    const lifetimeMin =
      runtime.integer("overload.premature_reset_min_stream_lifetime_seconds") ?? 1;
    if (isAnswered || lifetimeMs >= lifetimeMin * 1000) return;
    const counted =
      runtime.integer("overload.premature_reset_total_stream_count") ?? RESETS_COUNTED;
    const all = Math.max(counted, this.#streamsEnded + 1);
    if (++this.#earlyResets * 2 < all) return;
    this.#counters.downstream_rq_too_many_premature_resets++;
    this.#session.fail(CODE.enhanceYourCalm, "http2.too_many_premature_resets");
  }

  // Ends.

  get isDraining(): boolean {
    return this.service.isDraining || this.#drains !== "no";
  }

  /**
   * Says that there will be no more streams. When the client has read that, those that it opened
   * before are known, and no others are taken; with the last of them the connection ends.
   */
  drain(): void {
    if (this.#drains !== "no" || this.#isClosing) return;
    this.#drains = "announced";
    this.#deadline.cancel();
    this.#session.announceEnd();
    const { drainTimeoutMs } = this.service.config;
    this.#setDeadline(drainTimeoutMs);
  }

  onAnnounced(): void {
    if (this.#drains !== "announced" || this.#isClosing) return;
    this.#deadline.cancel();
    this.#drains = "refusing";
    this.#session.refuseStreams();
    if (this.#session.streams.size === 0) this.#startClosing();
  }

  /** Ends it unless a request is in progress; then, after that. */
  closeIfIdle(): void {
    this.drain();
  }

  onSessionEnd({ code, detail }: StreamEnd): void {
    // Floods have counters of their own.
    const isFlood = code === CODE.enhanceYourCalm && detail.endsWith("_flood");
    if (code === CODE.protocolError || (code === CODE.enhanceYourCalm && !isFlood)) {
      this.#counters.downstream_cx_protocol_error++;
    }
    this.#startClosing();
  }

  onGoAway(): void {
    // The client opens no more streams; it closes the connection itself.
  }

  onSettings(): void {
    // The session heeds them.
  }

  /** Leaves the client a moment to close, or it might lose what was sent last. */
  #startClosing(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#out.flushNow();
    this.#socket.end();
    this.#socket.resume();
    this.#deadline.cancel();
    this.#setDeadline(this.service.config.delayedCloseMs);
  }

  #waitForRequest(): void {
    const { idleTimeoutMs } = this.service.config;
    if (idleTimeoutMs === 0 || this.#deadline.isSet) return;
    const { timeouts, clock } = this.context;
    timeouts.connectionIdle.set(this.#deadline, idleTimeoutMs, clock.monotonicMs());
  }

  #setDeadline(delayMs: number): void {
    this.context.deadlines.set(this.#deadline, delayMs, this.context.clock.monotonicMs());
  }

  #onDeadline(): void {
    if (this.#isClosing) this.#socket.destroy();
    else if (this.#drains === "announced") this.onAnnounced();
    else if (this.#isInsideHead) {
      this.#counters.downstream_rq_header_timeout++;
      this.#session.fail(CODE.noError, "request_header_timeout");
    } else {
      this.#counters.downstream_cx_idle_timeout++;
      this.drain();
    }
  }
}
