import type { Socket } from "node:net";
import type { Host } from "../cluster/host.ts";
import type { ProxyContext } from "../context.ts";
import { Deadline } from "../net/deadlines.ts";
import { Sender } from "../net/sender.ts";
import { connectSocket, type SocketOwner } from "../net/socket.ts";
import { BodyReader, type BodySink, FRAMING } from "./body-reader.ts";
import { dropFraming, responseFraming } from "./framing.ts";
import { HeadReader } from "./head-reader.ts";
import { RESET, type ResetReason } from "./local-reply.ts";
import { ResponseHead } from "./message-head.ts";
import { parseResponseHead } from "./parse-head.ts";

/** Who gets a response. */
export interface ResponseSink extends BodySink {
  /** `head` is valid until the response ends. `onBodyEnd` follows, at once when there is no body. */
  onResponseHead(head: ResponseHead, hasBody: boolean): void;
  /** The exchange is over and broken; nothing else follows. */
  onReset(reason: ResetReason): void;
  /** What one read brought has been handed over. */
  onReadEnd(): void;
  /** What the request's sender held back may go on. */
  onSendDrain(): void;
}

/** Whom a connection tells of its life. */
export interface ConnectionPool {
  onIdle(connection: ClientConnection): void;
  onClosed(connection: ClientConnection): void;
}

const HEAD_BYTES_MAX = 61_440;
const HEADER_COUNT_MAX = 100;
/** Of a response that nobody wants any more, so much is read to keep the connection. */
const DISCARD_BYTES_MAX = 65_536;

/** One HTTP/1.1 connection to an upstream host: one exchange at a time, then back to its pool. */
export class ClientConnection implements SocketOwner, BodySink {
  readonly host: Host;
  readonly #pool: ConnectionPool;
  readonly #context: ProxyContext;
  readonly #socket: Socket;
  readonly #deadline: Deadline;
  readonly #heads = new HeadReader("response");
  readonly #head = new ResponseHead();
  readonly #body = new BodyReader(HEAD_BYTES_MAX);
  /** The one place that writes; flush it when an event has written all it has. */
  readonly out: Sender;
  #sink: ResponseSink | undefined = undefined;
  #isHeadRequest = false;
  #isRequestDone = true;
  #awaitsHead = false;
  #isUpgrade = false;
  #isEnding = false;
  #isConnected = false;
  #isClosed = false;
  #isReusable = true;
  #discarded = 0;
  #exchanges = 0;

  constructor(host: Host, pool: ConnectionPool, context: ProxyContext) {
    this.host = host;
    this.#pool = pool;
    this.#context = context;
    this.#deadline = new Deadline(this);
    this.#socket = connectSocket(
      { host: host.address, port: host.port },
      context.readBuffer,
      this,
      () => this.#onConnect(),
    );
    this.out = new Sender(this.#socket, context.flushQueue);
    const { load } = host;
    load.connections++;
    load.connectionsTotal++;
    host.activeConnections++;
    host.connectionsTotal++;
    context.deadlines.set(
      this.#deadline,
      load.config.connectTimeoutMs,
      context.clock.monotonicMs(),
    );
  }

  /** Whether the peer has answered on it before: then its closing may just be its old age. */
  get isReused(): boolean {
    return this.#exchanges > 1;
  }

  /** Begins an exchange; then the head is to be written to `out`. */
  begin(sink: ResponseSink, isHeadRequest: boolean, isUpgrade: boolean): void {
    if (this.#isConnected) this.#deadline.cancel();
    this.#sink = sink;
    this.#isHeadRequest = isHeadRequest;
    this.#isUpgrade = isUpgrade;
    this.#isRequestDone = false;
    this.#awaitsHead = true;
    this.#exchanges++;
  }

  /** All of the request has been written. */
  endRequest(): void {
    this.#isRequestDone = true;
  }

  /** The client of a tunnel sends no more. */
  endTunnel(): void {
    this.#isReusable = false;
    this.out.flushNow();
    this.#socket.end();
  }

  /** Nobody wants the response any more; what can be kept of the connection is kept. */
  abandon(): void {
    this.#sink = undefined;
    this.#discarded = 0;
    if (this.#awaitsHead || !this.#isRequestDone || this.#body.isUntilClose) this.close();
    else if (this.#body.isDone) this.#endExchange();
    else this.#socket.resume();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#sink = undefined;
    this.#socket.destroy();
    this.#release();
  }

  onBytes(buffer: Buffer, length: number): void {
    let at = 0;
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
    if (parseResponseHead(this.#heads.text, head, HEADER_COUNT_MAX) !== undefined) return -1;
    if ((head.status < 200 || head.status === 204) && !dropFraming(head)) return -1;
    if (head.status === 101 ? !this.#isUpgrade : head.status < 200) {
      // Those before the final one are not passed on, as in Envoy; 101 was not asked for.
      return head.status === 101 ? -1 : this.#heads.next;
    }
    this.#awaitsHead = false;
    this.#takeFraming(head);
    const hasBody = !this.#body.isDone;
    this.#sink?.onResponseHead(head, hasBody);
    if (!hasBody) this.#isEnding = true;
    return this.#heads.next;
  }

  #takeFraming(head: ResponseHead): void {
    const framing = responseFraming(head, this.#isHeadRequest);
    this.#body.start(framing, head.contentLength);
    const keepsAlive = head.minor === 1 ? !head.wantsClose : head.wantsKeepAlive;
    this.#isReusable = keepsAlive && framing !== FRAMING.untilClose;
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    if (this.#sink !== undefined) {
      this.#sink.onBodyBytes(buffer, from, to);
      return;
    }
    this.#discarded += to - from;
    if (this.#discarded > DISCARD_BYTES_MAX) this.close();
  }

  onBodyEnd(): void {
    this.#isEnding = true;
  }

  #finish(): void {
    this.#isEnding = false;
    const sink = this.#sink;
    this.#sink = undefined;
    // First, so that the next request of the same client finds this connection idle.
    this.#endExchange();
    if (sink === undefined) return;
    sink.onBodyEnd();
  }

  #endExchange(): void {
    const { maxRequestsPerConnection, idleTimeoutMs } = this.host.load.config;
    const isUsedUp = maxRequestsPerConnection !== 0 && this.#exchanges >= maxRequestsPerConnection;
    // A request that was answered before its end would run into the next one.
    if (!this.#isReusable || !this.#isRequestDone || isUsedUp || this.#isClosed) {
      this.close();
      return;
    }
    if (idleTimeoutMs !== 0) {
      const { clock, deadlines } = this.#context;
      deadlines.set(this.#deadline, idleTimeoutMs, clock.monotonicMs());
    }
    this.#pool.onIdle(this);
  }

  #onConnect(): void {
    this.#isConnected = true;
    this.#deadline.cancel();
  }

  /** Connecting took too long, or nobody needed the connection for a long time. */
  onDeadline(): void {
    if (this.#isConnected) return this.close();
    this.host.load.connectTimeouts++;
    this.#countConnectFail();
    this.#fail(RESET.connectTimeout);
  }

  onEnd(): void {
    if (this.#body.isUntilClose && !this.#awaitsHead && this.#sink !== undefined) {
      this.#body.finish();
      this.#finish();
      return;
    }
    this.#fail(this.#brokenOff());
  }

  /** A head that was cut off is worse than none: the peer has seen the request. */
  #brokenOff(): ResetReason {
    return this.#awaitsHead && this.#heads.isInside ? RESET.protocol : RESET.termination;
  }

  onClose(): void {
    if (!this.#isConnected && !this.#isClosed) {
      this.#countConnectFail();
      this.#fail(RESET.connectFailure);
    } else {
      this.#fail(this.#brokenOff());
    }
  }

  onDrain(): void {
    this.#sink?.onSendDrain();
  }

  #countConnectFail(): void {
    this.host.load.connectFails++;
    this.host.connectFails++;
  }

  #fail(reason: ResetReason): void {
    const sink = this.#sink;
    this.close();
    sink?.onReset(reason);
  }

  #release(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#deadline.cancel();
    this.host.load.connections--;
    this.host.activeConnections--;
    this.#pool.onClosed(this);
  }
}
