import type { MirrorPolicy } from "../../match/mirror-policy.ts";
import { MOMENT } from "../http/stream-times.ts";
import type { UpstreamExchange } from "../http/upstream-exchange.ts";
import { KeptBody } from "./kept-body.ts";
import type { RoutedStream } from "./routed-stream.ts";
import type { ShadowRequest } from "./shadow-request.ts";
import { NO_SHADOWS, startShadows } from "./shadows.ts";

/**
 * What comes behind the head of a request, on its way to the attempt in progress and to the
 * request's copies; kept as long as it may have to be said, or said again.
 */
export class RequestBody {
  readonly #stream: RoutedStream;
  readonly #kept = new KeptBody();
  #shadows: readonly ShadowRequest[] = NO_SHADOWS;
  /** So much is kept. */
  #bytesMax = 0;
  /** What the client sends stays here until the upstream has opened the tunnel. */
  isTunnelShut = false;
  /** All of it has come. */
  isDone = false;
  /** In the last attempt. */
  bytesSent = 0;

  constructor(stream: RoutedStream) {
    this.#stream = stream;
  }

  /** A request is sent to a cluster; what a redirect left of its body is still there. */
  begin(isDone: boolean, bytesMax: number): void {
    this.isDone = isDone;
    this.#bytesMax = bytesMax;
  }

  /** How it is sent. `mayRepeat`: more than once, where it need not be kept for too long. */
  prepare(mayRepeat: boolean, isTunnel: boolean): void {
    this.#kept.staysWhenSent = mayRepeat;
    this.isTunnelShut = isTunnel;
  }

  startShadows(policies: readonly MirrorPolicy[], timeoutMs: number): void {
    const sent = { body: this.#kept.pieces, isRequestDone: this.isDone };
    this.#shadows = startShadows(policies, this.#stream, timeoutMs, sent);
  }

  /** Whether it can be sent again. */
  get stays(): boolean {
    return this.#kept.staysWhenSent;
  }

  /** Whether the head is all of the request. */
  get isNone(): boolean {
    if (!this.isDone || this.isTunnelShut || this.#kept.bytes > 0) return false;
    return this.#stream.requestTrailers === undefined;
  }

  /** An attempt has begun on `exchange`: it gets what was kept for it. */
  sendKept(exchange: UpstreamExchange): void {
    if (exchange.protocol === undefined) this.isTunnelShut = false;
    this.bytesSent = this.isTunnelShut ? 0 : this.#kept.bytes;
    if (!this.isTunnelShut) this.#kept.sendTo(exchange, this.#bytesMax);
    if (this.isDone) this.#sendEnd(exchange);
  }

  /** The upstream has granted a tunnel. */
  openTunnel(exchange: UpstreamExchange): void {
    this.isTunnelShut = false;
    this.bytesSent = this.#kept.bytes;
    this.#kept.sendTo(exchange, this.#bytesMax);
    if (this.isDone && this.#stream.head.upgrade !== "") this.#sendEnd(exchange);
    exchange.flush();
    this.#stream.resumeRequest();
  }

  /** More of it; `flush` follows. `exchange` is that of the attempt in progress. */
  send(exchange: UpstreamExchange | undefined, buffer: Buffer, from: number, to: number): void {
    const taker = this.isTunnelShut ? undefined : exchange;
    if (this.#kept.staysWhenSent || taker === undefined) {
      this.#keep(taker !== undefined, buffer, from, to);
    }
    if (taker !== undefined) {
      taker.sendBytes(buffer, from, to);
      this.bytesSent += to - from;
    }
    for (const shadow of this.#shadows) shadow.sendBytes(buffer, from, to);
  }

  /** Keeps a copy. Past the bound a retry is given up, or the client has to wait. */
  #keep(isSent: boolean, buffer: Buffer, from: number, to: number): void {
    if (isSent && this.#kept.bytes + to - from > this.#bytesMax) {
      this.#kept.drop();
      return;
    }
    this.#kept.add(buffer, from, to);
    if (this.#kept.bytes > this.#bytesMax) this.#stream.pauseRequest();
  }

  end(exchange: UpstreamExchange | undefined): void {
    this.isDone = true;
    if (exchange !== undefined) this.#sendEnd(exchange);
    const { requestTrailers } = this.#stream;
    for (const shadow of this.#shadows) shadow.endRequest(requestTrailers);
  }

  #sendEnd(exchange: UpstreamExchange): void {
    const { head, requestTrailers, times } = this.#stream;
    // What waits for the upgrade goes before the end.
    if (this.isTunnelShut && head.upgrade !== "") return;
    times.note(MOMENT.sendEnd);
    exchange.sendEnd(requestTrailers);
  }

  /** What one read from the client brought has been handed over. */
  flush(exchange: UpstreamExchange | undefined): void {
    for (const shadow of this.#shadows) shadow.flush();
    if (exchange === undefined) return;
    exchange.flush();
    if (exchange.isFull) this.#stream.pauseRequest();
  }

  /** It will not be sent again. */
  drop(): void {
    this.#kept.drop();
  }

  /** A redirect takes the request elsewhere, with its body or without. */
  leave(keepsBody: boolean): void {
    this.release();
    if (!keepsBody) this.#kept.clear();
  }

  /** The response is complete: copies go on by themselves. */
  release(): void {
    this.#shadows = NO_SHADOWS;
  }

  /** The request is over; copies of one that was cut off end with it. */
  destroy(): void {
    if (!this.isDone) for (const shadow of this.#shadows) shadow.destroy();
    this.#shadows = NO_SHADOWS;
    this.#kept.drop();
  }
}
