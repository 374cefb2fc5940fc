import type { ConnectionInfo } from "../../match/connection-info.ts";
import type { ProxyContext } from "../context.ts";
import { opensTunnel } from "../http/framing.ts";
import { GuardedStream } from "../http/guarded-stream.ts";
import { HeaderList } from "../http/header-list.ts";
import type { HttpService } from "../http/http-config.ts";
import type { HttpStream } from "../http/http-stream.ts";
import { DISPATCH_REFUSED, type LocalReply } from "../http/local-reply.ts";
import { CODING, RequestHead, type ResponseHead } from "../http/message-head.ts";
import type { StreamCarrier } from "../http/stream-carrier.ts";
import { Deadline } from "../net/deadlines.ts";
import type { Http2Counters } from "../stats/http2-stats.ts";
import { CODE } from "./frame.ts";
import { Http2Stream, type StreamEnd, type StreamHandler } from "./http2-stream.ts";
import { BAD_MESSAGE } from "./message-fields.ts";

/** The connection that a stream's requests come over. */
export interface StreamParent {
  readonly service: HttpService;
  readonly context: ProxyContext;
  readonly connection: ConnectionInfo;
  readonly http2Counters: Http2Counters;
  /** A request's head has come: whether it is to be refused unread, since there is too much to do. */
  onRequest(): boolean;
  /** The listener is going, or the connection is to: no more streams. */
  drain(): void;
  readonly isDraining: boolean;
  /** The peer ended the stream before it was answered, so soon after it began. */
  onReset(lifetimeMs: number, isAnswered: boolean): void;
}

/** One request and its response on a stream of HTTP/2; used again for another one when it is over. */
export class ServerStream implements StreamCarrier, StreamHandler<RequestHead> {
  readonly head = new RequestHead();
  readonly stream: Http2Stream<RequestHead> = new Http2Stream(this);
  readonly service: HttpService;
  readonly context: ProxyContext;
  readonly connection: ConnectionInfo;
  readonly protocol = "HTTP/2";
  readonly #parent: StreamParent;
  readonly #http: HttpStream;
  /** Counts while what was answered waits for the client's window. */
  #flushing: Deadline | undefined = undefined;
  /** Between the head and the end of the response. */
  #isActive = false;

  constructor(parent: StreamParent) {
    this.service = parent.service;
    this.context = parent.context;
    this.connection = parent.connection;
    this.#parent = parent;
    this.#http = new GuardedStream(this, this.head);
    this.stream.meter = this.#http.meter;
  }

  // From the client.

  onHead(isEnd: boolean): void {
    const { head } = this;
    this.#begin();
    if (this.#parent.onRequest()) return this.#http.refuse(DISPATCH_REFUSED);
    const isTunnel = head.upgrade !== "" || head.method === "CONNECT";
    // Where the body ends HTTP/1.1 has to say.
    if (!isEnd && !isTunnel && head.contentLength === -1) head.coding = CODING.chunked;
    if (head.expectsContinue && !this.service.config.proxies100Continue) {
      this.stream.sendResponse(100, NO_HEADERS, false);
    }
    if (head.path.includes("#")) return this.#http.refuse(FRAGMENT);
    this.#http.start(isEnd);
    if (isEnd && isTunnel) this.#http.onBodyEnd();
  }

  #begin(): void {
    const { counters } = this.service.stats;
    this.#isActive = true;
    counters.downstream_rq_total++;
    counters.downstream_rq_http2_total++;
    counters.downstream_rq_active++;
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    this.#http.onBodyBytes(buffer, from, to);
  }

  onBodyEnd(trailers?: HeaderList): void {
    this.#http.onBodyEnd(trailers);
  }

  onReadEnd(): void {
    this.#http.onReadEnd();
  }

  onSendDrain(): void {
    if (this.#isActive) this.#http.onDownstreamDrain();
  }

  onStreamEnd({ isRemote, detail }: StreamEnd): void {
    this.#flushing?.cancel();
    const hasHead = this.stream.hasHead;
    if (!hasHead) this.#begin();
    if (!this.#isActive) return;
    this.#end();
    const { counters } = this.service.stats;
    if (detail === CLOSED_BY_CLIENT) return this.#http.onDownstreamReset("DC", detail);
    counters.downstream_rq_rx_reset++;
    const isTooLarge = detail === BAD_MESSAGE.tooManyHeaders || detail === BAD_MESSAGE.headTooLarge;
    const flag = isRemote || isTooLarge ? "DR" : "DPE";
    if (!hasHead) {
      this.head.reset();
      return this.#http.refuse({ status: 0, body: "", flag, details: detail }, false);
    }
    if (isRemote) {
      const { times, status } = this.#http;
      this.#parent.onReset(this.context.clock.monotonicMs() - times.startMs, status !== 0);
    }
    this.#http.onDownstreamReset(flag, detail);
  }

  // To the client.

  get isDraining(): boolean {
    return this.#parent.isDraining;
  }

  get isFull(): boolean {
    return this.stream.isFull;
  }

  pauseReading(): void {
    this.stream.pause();
  }

  resumeReading(): void {
    this.stream.resume();
  }

  sendInterim({ status, headers }: ResponseHead): void {
    this.stream.sendResponse(status, headers, false);
  }

  sendHead(
    { status, headers }: ResponseHead,
    { method, upgrade }: RequestHead,
    hasBody: boolean,
    _isRequestDone: boolean,
    closes: boolean,
  ): boolean {
    if (closes) this.#parent.drain();
    const isUpgraded = status === 101;
    // An extended CONNECT is answered as any other is (RFC 8441 5.1).
    if (isUpgraded) headers.remove("upgrade");
    const isOpen = hasBody || isUpgraded || opensTunnel(method, status);
    if (upgrade !== "" && isUpgraded) headers.remove("content-length");
    this.stream.sendResponse(isUpgraded ? 200 : status, headers, !isOpen);
    return false;
  }

  sendBytes(buffer: Buffer, from: number, to: number): void {
    this.stream.sendBytes(buffer, from, to);
  }

  sendEnd(trailers: HeaderList | undefined): void {
    this.stream.sendEnd(trailers);
  }

  /** Frames leave at the end of the turn by themselves. */
  flush(): void {}

  finishResponse(isRequestDone: boolean): void {
    if (!this.#isActive) return;
    this.#end();
    const { stream } = this;
    if (!isRequestDone) {
      this.service.stats.counters.downstream_rq_response_before_rq_complete++;
      // What else the client has to say is for nobody.
      stream.endEarly(CODE.noError);
    }
    const { streamIdleTimeoutMs } = this.service.config;
    if (!stream.isOpen || streamIdleTimeoutMs === 0) return;
    this.#flushing ??= new Deadline({ onDeadline: () => this.#onFlushTimeout() });
    const { deadlines, clock } = this.context;
    deadlines.set(this.#flushing, streamIdleTimeoutMs, clock.monotonicMs());
  }

  #onFlushTimeout(): void {
    this.#parent.http2Counters.tx_flush_timeout++;
    this.stream.reset(CODE.noError);
  }

  breakResponse(): void {
    if (!this.#isActive) return;
    this.#end();
    this.service.stats.counters.downstream_rq_tx_reset++;
    this.stream.reset(this.head.method === "CONNECT" ? CODE.connectError : CODE.internalError);
  }

  #end(): void {
    this.#isActive = false;
    this.service.stats.counters.downstream_rq_active--;
  }

  /** Nothing of it is left on the connection. */
  onClosed(): void {
    this.#flushing?.cancel();
  }
}

/** No client may send the fragment of a URL. */
const FRAGMENT: LocalReply = {
  status: 400,
  body: "",
  flag: "",
  details: "path_normalization_failed",
};

const NO_HEADERS = new HeaderList();

/** What a session's streams are told when the client has closed the connection. */
export const CLOSED_BY_CLIENT = "downstream_remote_disconnect";
