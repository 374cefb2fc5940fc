import type { Socket } from "node:net";
import type { Host } from "../cluster/host.ts";
import type { ProxyContext } from "../context.ts";
import type { BodySink } from "../http/body-sink.ts";
import type { ByteMeter } from "../http/byte-meter.ts";
import { dropFraming, responseFraming } from "../http/framing.ts";
import type { HeaderList } from "../http/header-list.ts";
import { RESET, type ResetReason } from "../http/local-reply.ts";
import { CODING, type RequestHead, ResponseHead } from "../http/message-head.ts";
import type { ResponseSink, UpstreamExchange } from "../http/upstream-exchange.ts";
import { Deadline } from "../net/deadlines.ts";
import { Sender } from "../net/sender.ts";
import type { ClientCodec, LinePool, UpstreamLine } from "../upstream/upstream-line.ts";
import { BodyReader, FRAMING } from "./body-reader.ts";
import { encodeRequestHead, writeRequestBytes, writeRequestEnd } from "./encode-request.ts";
import { HeadReader } from "./head-reader.ts";
import { parseResponseHead } from "./parse-head.ts";

const HEAD_BYTES_MAX = 61_440;
/** A connection that its peer closes so soon after a response was never meant to be kept. */
const HASTE_MS = 10;
/** Of a response that nobody wants any more, so much is read to keep the connection. */
const DISCARD_BYTES_MAX = 65_536;
/** And so long it is waited for. */
const DISCARD_MS_MAX = 1000;

/** HTTP/1.1 over one connection to an upstream host: one exchange at a time. */
export class ClientConnection implements ClientCodec, BodySink, UpstreamExchange {
  readonly protocol = "HTTP/1.1";
  readonly isShared = false;
  readonly host: Host;
  readonly line: UpstreamLine;
  readonly #pool: LinePool;
  readonly #context: ProxyContext;
  readonly #socket: Socket;
  readonly #out: Sender;
  readonly #heads = new HeadReader("response");
  readonly #head = new ResponseHead();
  readonly #body: BodyReader;
  #trailers: HeaderList | undefined = undefined;
  #sink: ResponseSink | undefined = undefined;
  #meter: ByteMeter | undefined = undefined;
  #method = "";
  #coding: number = CODING.none;
  #isRequestDone = true;
  #awaitsHead = false;
  #isUpgrade = false;
  #isEnding = false;
  #isInHead = false;
  #isReusable = true;
  /** From when it was given to somebody until it can serve again. */
  #isTaken = false;
  #discarded = 0;
  #exchanges = 0;
  /** When the last exchange ended; 0 before there was one. */
  #freeSinceMs = 0;
  /** From the beginning of an exchange until somebody is done with it. */
  #isCounted = false;
  #countedSent = 0;
  /** When an exchange has taken too long; only where there is such a bound. */
  #streamEnd: Deadline | undefined = undefined;
  /** When what nobody wants is no longer read. */
  #discardEnd: Deadline | undefined = undefined;
  isHasty = false;

  constructor(line: UpstreamLine, pool: LinePool, socket: Socket) {
    const { host, context } = line;
    this.host = host;
    this.line = line;
    this.#pool = pool;
    this.#context = context;
    this.#socket = socket;
    this.#out = new Sender(socket, context.flushQueue);
    const { passesTrailers, responseHeads } = host.load.config.connection;
    this.#body = new BodyReader(HEAD_BYTES_MAX, passesTrailers ? responseHeads : undefined);
  }

  get isReused(): boolean {
    return this.#exchanges > 1;
  }

  get active(): number {
    return this.#isCounted ? 1 : 0;
  }

  get room(): number {
    return this.#isTaken ? 0 : 1;
  }

  open(): UpstreamExchange {
    this.#isTaken = true;
    return this;
  }

  get isFull(): boolean {
    return this.#out.isFull;
  }

  begin(sink: ResponseSink, head: RequestHead, scheme: string): void {
    this.line.work();
    this.#count();
    this.#sink = sink;
    this.#meter = sink.meter;
    this.#method = head.method;
    this.#isUpgrade = head.upgrade !== "";
    this.#coding = head.coding;
    this.#isRequestDone = false;
    this.#awaitsHead = true;
    this.#exchanges++;
    if (this.host.load.config.maxStreamDurationMs !== 0) this.#limitStream();
    const text = encodeRequestHead(head, scheme, this.host.load.config.connection);
    this.#meter?.sentHead(text);
    this.#out.text(text);
  }

  sendBytes(buffer: Buffer, from: number, to: number): void {
    const written = writeRequestBytes(this.#out, this.#coding, buffer, from, to);
    if (this.#meter !== undefined) this.#meter.sent += written;
  }

  sendEnd(trailers: HeaderList | undefined): void {
    const { connection } = this.host.load.config;
    const written = writeRequestEnd(this.#out, this.#coding, trailers, connection);
    if (this.#meter !== undefined) this.#meter.sent += written;
    if (this.#isUpgrade || this.#method === "CONNECT") this.endTunnel();
    else this.#isRequestDone = true;
  }

  flush(): void {
    this.#out.flush();
  }

  #limitStream(): void {
    const { clock, deadlines } = this.#context;
    this.#streamEnd ??= new Deadline({
      onDeadline: () => {
        this.host.load.requestsMaxDuration++;
        this.#fail(RESET.maxDuration);
      },
    });
    deadlines.set(this.#streamEnd, this.host.load.config.maxStreamDurationMs, clock.monotonicMs());
  }

  #count(): void {
    this.#isCounted = true;
    this.host.onRequestStarted(this.line.priority);
  }

  #countEnd(): void {
    if (!this.#isCounted) return;
    this.#isCounted = false;
    this.#streamEnd?.cancel();
    this.host.onRequestEnded(this.line.priority);
    this.host.load.bytesSent += this.#out.bytesSent - this.#countedSent;
    this.#countedSent = this.#out.bytesSent;
  }

  endTunnel(): void {
    this.#isReusable = false;
    this.#out.flushNow();
    this.#socket.end();
  }

  abandon(): void {
    // What came right before the client's end is still meant for the peer.
    if (this.#body.isUntilClose) this.#out.flushNow();
    this.#sink = undefined;
    this.#countEnd();
    this.#discarded = 0;
    if (this.#awaitsHead || !this.#isRequestDone || this.#body.isUntilClose) this.line.close();
    else if (!this.#body.isDone) this.#discard();
    // Who gives up at the head of a response without body leaves its end to the reader.
    else if (!this.#isInHead) this.#endExchange();
  }

  #discard(): void {
    const { clock, deadlines } = this.#context;
    this.#discardEnd ??= new Deadline({ onDeadline: () => this.line.close() });
    deadlines.set(this.#discardEnd, DISCARD_MS_MAX, clock.monotonicMs());
    this.#socket.resume();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  onBytes(buffer: Buffer, length: number): void {
    let at = 0;
    while (at < length && !this.line.isClosed) {
      const start = at;
      if (this.#awaitsHead) at = this.#readHead(buffer, at, length);
      else if (!this.#body.isDone) at = this.#body.read(buffer, at, length, this);
      // Bytes that nobody asked for: whatever comes next could not be trusted.
      else at = -1;
      if (this.#meter !== undefined) this.#meter.received += (at === -1 ? length : at) - start;
      if (at === -1) return this.#fail(RESET.protocol);
      if (!this.#isEnding) continue;
      // What follows a response may not be taken for the next one's.
      if (at < length) this.#isReusable = false;
      this.#finish();
      return;
    }
    this.#sink?.onReadEnd();
  }

  /** Where the head ended, `to` when it has not, -1 when it is wrong. */
  #readHead(buffer: Buffer, from: number, to: number): number {
    const found = this.#heads.read(buffer, from, to, HEAD_BYTES_MAX);
    if (found === "more") return to;
    if (found === "error") return -1;
    const head = this.#head;
    const options = this.host.load.config.connection.responseHeads;
    if (parseResponseHead(this.#heads.text, head, options) !== undefined) return -1;
    if ((head.status < 200 || head.status === 204) && !dropFraming(head)) return -1;
    this.#meter?.tookHead(this.#heads.text);
    if (head.status === 101 ? !this.#isUpgrade : head.status < 200) {
      // Those before the final one are not passed on, as in Envoy; 101 was not asked for.
      if (head.status === 101) return -1;
      this.#sink?.onInterim?.(head);
      return this.#heads.next;
    }
    this.#awaitsHead = false;
    this.#takeFraming(head);
    const hasBody = !this.#body.isDone;
    this.#isInHead = true;
    this.#sink?.onResponseHead(head, hasBody);
    this.#isInHead = false;
    if (!hasBody) this.#isEnding = true;
    return this.#heads.next;
  }

  #takeFraming(head: ResponseHead): void {
    const framing = responseFraming(head, this.#method);
    this.#body.start(framing, head.contentLength);
    const keepsAlive = head.minor === 1 ? !head.wantsClose : head.wantsKeepAlive;
    this.#isReusable = keepsAlive && framing !== FRAMING.untilClose;
    if (head.wantsClose) this.host.load.closeNotifies++;
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    if (this.#sink !== undefined) {
      this.#sink.onBodyBytes(buffer, from, to);
      return;
    }
    this.#discarded += to - from;
    if (this.#discarded > DISCARD_BYTES_MAX) this.line.close();
  }

  onBodyEnd(trailers?: HeaderList): void {
    this.#isEnding = true;
    this.#trailers = trailers;
  }

  #finish(): void {
    this.#isEnding = false;
    const sink = this.#sink;
    const trailers = this.#trailers;
    this.#sink = undefined;
    this.#meter = undefined;
    this.#trailers = undefined;
    // First, so that the next request of the same client finds this connection idle.
    this.#endExchange();
    if (sink === undefined) return;
    sink.onBodyEnd(trailers);
  }

  #endExchange(): void {
    this.#countEnd();
    const { load } = this.host;
    const { maxRequests } = load.config.connection;
    const isUsedUp = maxRequests !== 0 && this.#exchanges >= maxRequests;
    if (isUsedUp) load.connectionsMaxRequests++;
    // A request that was answered before its end would run into the next one.
    if (!this.#isReusable || !this.#isRequestDone || isUsedUp || this.line.isClosed) {
      this.line.close();
      return;
    }
    const { clock } = this.#context;
    this.#freeSinceMs = clock.monotonicMs();
    this.#discardEnd?.cancel();
    // Who waited for its reader as the last bytes came never said that it may go on.
    if (this.#socket.isPaused()) this.#socket.resume();
    this.line.rest(this.#freeSinceMs);
    this.#isTaken = false;
    this.#pool.onRoom(this.line);
  }

  onEnd(): void {
    if (this.#body.isUntilClose && !this.#awaitsHead && this.#sink !== undefined) {
      this.#body.finish();
      this.#finish();
      return;
    }
    // It is in order with itself only between two messages.
    const isInBody = !this.#awaitsHead && !this.#body.isDone;
    this.#fail(isInBody ? RESET.protocol : this.#brokenOff());
  }

  /** A head that was cut off is worse than none: the peer has seen the request. */
  #brokenOff(): ResetReason {
    return this.#awaitsHead && this.#heads.isInside ? RESET.protocol : RESET.termination;
  }

  onLost(): void {
    this.#fail(this.#brokenOff());
  }

  onDrain(): void {
    this.#sink?.onSendDrain();
  }

  /** The exchange breaks off, and the connection with it. */
  #fail(reason: ResetReason): void {
    if (this.line.isClosed) return;
    const sink = this.#sink;
    if (reason === RESET.protocol) this.host.load.connectionProtocolErrors++;
    this.line.close(reason !== RESET.protocol && reason !== RESET.maxDuration);
    sink?.onReset(reason);
  }

  onRelease(isRemote: boolean): void {
    this.#sink = undefined;
    this.#discardEnd?.cancel();
    const isAnswered = this.#isCounted && !this.#awaitsHead;
    if (isRemote && this.#freeSinceMs !== 0 && !isAnswered) {
      this.isHasty = this.#context.clock.monotonicMs() - this.#freeSinceMs < HASTE_MS;
    }
    this.#countEnd();
  }
}
