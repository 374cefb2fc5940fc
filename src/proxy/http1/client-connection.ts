import type { Socket } from "node:net";
import type { PeerAddress, TlsInfo } from "../../match/connection-info.ts";
import type { Priority } from "../cluster/breakers.ts";
import type { Host } from "../cluster/host.ts";
import type { DialClient, UpstreamNames } from "../cluster/host-dial.ts";
import type { ProxyContext } from "../context.ts";
import type { BodySink } from "../http/body-sink.ts";
import { dropFraming, responseFraming } from "../http/framing.ts";
import type { HeaderList } from "../http/header-list.ts";
import { RESET, type ResetReason } from "../http/local-reply.ts";
import { CODING, type RequestHead, ResponseHead } from "../http/message-head.ts";
import type { ResponseSink, UpstreamExchange } from "../http/upstream-exchange.ts";
import { Deadline } from "../net/deadlines.ts";
import type { Dialing, OnConnect } from "../net/dial.ts";
import { Sender } from "../net/sender.ts";
import { describeConnectError, localAddressOf, type SocketOwner } from "../net/socket.ts";
import { TransportError } from "../tls/tls-error.ts";
import { BodyReader, FRAMING } from "./body-reader.ts";
import { encodeRequestHead, writeRequestBytes, writeRequestEnd } from "./encode-request.ts";
import { HeadReader } from "./head-reader.ts";
import { parseResponseHead } from "./parse-head.ts";

/** What is spoken, by its name in ALPN. */
const PROTOCOLS = ["http/1.1"];

/** Which requests a connection is for. */
export interface ConnectionPurpose {
  readonly priority: Priority;
  /** `undefined` for those of all clients. */
  readonly client: DialClient | undefined;
  /** What TLS is told; `undefined` for what the cluster says. */
  readonly names: UpstreamNames | undefined;
}

/** Whom a connection tells of its life. */
export interface ConnectionPool {
  /** It stands, and can serve. */
  onConnected(connection: ClientConnection): void;
  onIdle(connection: ClientConnection): void;
  onClosed(connection: ClientConnection): void;
  /** One never stood; `onClosed` follows. */
  onConnectFailed(reason: ResetReason, transportFailure: string): void;
}

const HEAD_BYTES_MAX = 61_440;
/** A connection that its peer closes so soon after a response was never meant to be kept. */
const HASTE_MS = 10;
/** Of a response that nobody wants any more, so much is read to keep the connection. */
const DISCARD_BYTES_MAX = 65_536;
/** And so long it is waited for. */
const DISCARD_MS_MAX = 1000;

/** One HTTP/1.1 connection to an upstream host: one exchange at a time, then back to its pool. */
export class ClientConnection implements SocketOwner, BodySink, UpstreamExchange {
  readonly protocol = "HTTP/1.1";
  readonly host: Host;
  readonly connectStartMs: number;
  /** -1 until it is made. */
  connectedMs = -1;
  /** Its own end; `undefined` until it is made. */
  localAddress: PeerAddress | undefined = undefined;
  remoteAddress: PeerAddress | undefined = undefined;
  tls: TlsInfo | undefined = undefined;
  readonly #pool: ConnectionPool;
  readonly #context: ProxyContext;
  /** What is being connected, or is open. */
  #dialing: Dialing;
  #socket: Socket | undefined = undefined;
  readonly #deadline: Deadline;
  readonly #heads = new HeadReader("response");
  readonly #head = new ResponseHead();
  readonly #body: BodyReader;
  #trailers: HeaderList | undefined = undefined;
  #out: Sender | undefined = undefined;
  #sink: ResponseSink | undefined = undefined;
  #method = "";
  #coding: number = CODING.none;
  #isRequestDone = true;
  #awaitsHead = false;
  #isUpgrade = false;
  #isEnding = false;
  #isInHead = false;
  #isConnected = false;
  #isClosed = false;
  #isReusable = true;
  #discarded = 0;
  #exchanges = 0;
  /** When the last exchange ended; 0 before there was one. */
  #freeSinceMs = 0;
  /** From the beginning of an exchange until somebody is done with it. */
  #isCounted = false;
  #countedSent = 0;
  /** After so long it takes no new request; only where there is such a bound. */
  #lifetime: Deadline | undefined = undefined;
  /** When an exchange has taken too long; only where there is such a bound. */
  #streamEnd: Deadline | undefined = undefined;
  readonly priority: Priority;
  /** What TLS says of its end; "" when that was not the cause. */
  transportFailure = "";
  /** Closes when its exchange ends. */
  isDraining = false;
  /** Once closed: whether the peer did that right behind a response, without saying so. */
  isHasty = false;

  constructor(
    host: Host,
    pool: ConnectionPool,
    context: ProxyContext,
    { priority, client, names }: ConnectionPurpose,
  ) {
    this.host = host;
    this.priority = priority;
    this.#pool = pool;
    this.#context = context;
    this.#deadline = new Deadline(this);
    const { passesTrailers, responseHeads } = host.load.config.connection;
    this.#body = new BodyReader(HEAD_BYTES_MAX, passesTrailers ? responseHeads : undefined);
    this.connectStartMs = context.clock.monotonicMs();
    const onConnect: OnConnect = (socket, info) => this.#onConnect(socket, info);
    this.#dialing = host.connect(context, this, onConnect, client, {
      ...names,
      ownAlpn: PROTOCOLS,
    });
    host.onConnectionOpened(priority);
    host.load.httpConnectionsTotal++;
    const { connectTimeoutMs } = host.load.config;
    context.deadlines.set(this.#deadline, connectTimeoutMs, this.connectStartMs);
  }

  get isReused(): boolean {
    return this.#exchanges > 1;
  }

  /** The one place that writes, once it is connected. */
  get #writer(): Sender {
    if (this.#out === undefined) throw new Error("the connection is not made yet");
    return this.#out;
  }

  get isFull(): boolean {
    return this.#out?.isFull ?? false;
  }

  begin(sink: ResponseSink, head: RequestHead, scheme: string): void {
    this.#deadline.cancel();
    this.#count();
    this.#sink = sink;
    this.#method = head.method;
    this.#isUpgrade = head.upgrade !== "";
    this.#coding = head.coding;
    this.#isRequestDone = false;
    this.#awaitsHead = true;
    this.#exchanges++;
    if (this.host.load.config.maxStreamDurationMs !== 0) this.#limitStream();
    this.#writer.text(encodeRequestHead(head, scheme, this.host.load.config.connection));
  }

  sendBytes(buffer: Buffer, from: number, to: number): void {
    writeRequestBytes(this.#writer, this.#coding, buffer, from, to);
  }

  sendEnd(trailers: HeaderList | undefined): void {
    const { connection } = this.host.load.config;
    writeRequestEnd(this.#writer, this.#coding, trailers, connection);
    if (this.#isUpgrade) this.endTunnel();
    else this.#isRequestDone = true;
  }

  flush(): void {
    this.#writer.flush();
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
    const { host } = this;
    const { load } = host;
    this.#isCounted = true;
    host.activeRequests++;
    host.requestsTotal++;
    load.requestsTotal++;
    load.breakers[this.priority].requests++;
  }

  #countEnd(): void {
    if (!this.#isCounted) return;
    this.#isCounted = false;
    this.#streamEnd?.cancel();
    const { host } = this;
    host.activeRequests--;
    host.load.breakers[this.priority].requests--;
    host.load.bytesSent += this.#writer.bytesSent - this.#countedSent;
    this.#countedSent = this.#writer.bytesSent;
  }

  endTunnel(): void {
    this.#isReusable = false;
    this.#writer.flushNow();
    this.#socket?.end();
  }

  abandon(): void {
    // What came right before the client's end is still meant for the peer.
    if (this.#body.isUntilClose) this.#writer.flushNow();
    this.#sink = undefined;
    this.#countEnd();
    this.#discarded = 0;
    if (this.#awaitsHead || !this.#isRequestDone || this.#body.isUntilClose) this.close();
    else if (!this.#body.isDone) this.#discard();
    // Who gives up at the head of a response without body leaves its end to the reader.
    else if (!this.#isInHead) this.#endExchange();
  }

  #discard(): void {
    const { clock, deadlines } = this.#context;
    deadlines.set(this.#deadline, DISCARD_MS_MAX, clock.monotonicMs());
    this.#socket?.resume();
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  /** Closes it from this side; a request that is under way is not told. */
  close(): void {
    this.#close(false);
  }

  #close(isRemote: boolean): void {
    this.#sink = undefined;
    this.#dialing.destroy();
    this.#release(isRemote);
  }

  onBytes(buffer: Buffer, length: number): void {
    let at = 0;
    this.host.load.bytesReceived += length;
    while (at < length && !this.#isClosed) {
      if (this.#awaitsHead) at = this.#readHead(buffer, at, length);
      else if (!this.#body.isDone) at = this.#body.read(buffer, at, length, this);
      // Bytes that nobody asked for: whatever comes next could not be trusted.
      else at = -1;
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
    if (this.#discarded > DISCARD_BYTES_MAX) this.close();
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
    this.#trailers = undefined;
    // First, so that the next request of the same client finds this connection idle.
    this.#endExchange();
    if (sink === undefined) return;
    sink.onBodyEnd(trailers);
  }

  #endExchange(): void {
    this.#countEnd();
    const { load } = this.host;
    const { maxRequests, idleTimeoutMs } = load.config.connection;
    const isUsedUp = maxRequests !== 0 && this.#exchanges >= maxRequests;
    if (isUsedUp) load.connectionsMaxRequests++;
    const isOld = this.#lifetime !== undefined && !this.#lifetime.isSet;
    // A request that was answered before its end would run into the next one.
    if (!this.#isReusable || !this.#isRequestDone || isUsedUp || isOld || this.#isClosed) {
      this.close();
      return;
    }
    const { clock, deadlines } = this.#context;
    this.#freeSinceMs = clock.monotonicMs();
    if (idleTimeoutMs === 0) this.#deadline.cancel();
    else deadlines.set(this.#deadline, idleTimeoutMs, this.#freeSinceMs);
    this.#pool.onIdle(this);
  }

  #onConnect(socket: Socket, tls: TlsInfo | undefined): void {
    this.#dialing = socket;
    this.#socket = socket;
    this.#out = new Sender(socket, this.#context.flushQueue);
    this.tls = tls;
    const { maxDurationMs } = this.host.load.config.connection;
    const { clock, deadlines } = this.#context;
    this.#isConnected = true;
    this.#deadline.cancel();
    this.connectedMs = clock.monotonicMs();
    this.host.load.connectTime.add(Math.floor(this.connectedMs - this.connectStartMs));
    this.localAddress = localAddressOf(socket);
    this.remoteAddress = this.host.remoteAddressOn(socket);
    if (maxDurationMs !== 0) {
      this.#lifetime = new Deadline({ onDeadline: () => this.#onOldAge() });
      deadlines.set(this.#lifetime, maxDurationMs, clock.monotonicMs());
    }
    this.#pool.onConnected(this);
  }

  #onOldAge(): void {
    this.host.load.connectionsMaxDuration++;
    if (!this.#isCounted) this.close();
  }

  /** Connecting took too long, what nobody wants did not end, or nobody needed the connection. */
  onDeadline(): void {
    const { load } = this.host;
    if (this.#isConnected) {
      if (this.#body.isDone) load.connectionsIdleTimeout++;
      this.close();
      return;
    }
    load.connectTimeouts++;
    this.#failConnect(RESET.connectTimeout);
  }

  #failConnect(reason: ResetReason): void {
    this.#dialing.destroy();
    if (this.#isClosed) return;
    this.#pool.onConnectFailed(reason, this.transportFailure);
    this.#release(true);
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

  onClose(error: Error | undefined): void {
    if (error instanceof TransportError) this.transportFailure = error.message;
    else if (!this.#isConnected) this.transportFailure = describeConnectError(error);
    if (this.#isConnected) this.#fail(this.#brokenOff());
    else this.#failConnect(RESET.connectFailure);
  }

  onDrain(): void {
    this.#sink?.onSendDrain();
  }

  /** The exchange breaks off, and the connection with it. */
  #fail(reason: ResetReason): void {
    if (this.#isClosed) return;
    const sink = this.#sink;
    if (reason === RESET.protocol) this.host.load.connectionProtocolErrors++;
    this.#close(reason !== RESET.protocol && reason !== RESET.maxDuration);
    sink?.onReset(reason);
  }

  #release(isRemote: boolean): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#deadline.cancel();
    this.#lifetime?.cancel();
    const { load } = this.host;
    const nowMs = this.#context.clock.monotonicMs();
    const isAnswered = this.#isCounted && !this.#awaitsHead;
    if (isRemote && this.#freeSinceMs !== 0 && !isAnswered) {
      this.isHasty = nowMs - this.#freeSinceMs < HASTE_MS;
    }
    load.countDestroyed(isRemote, this.#isCounted);
    load.connectionLength.add(Math.floor(nowMs - this.connectStartMs));
    this.#countEnd();
    this.host.onConnectionClosed(this.priority, this.#isConnected);
    this.#pool.onClosed(this);
  }
}
