import type { Socket } from "node:net";
import type { ConnectionInfo } from "../../match/connection-info.ts";
import type { ProxyContext } from "../context.ts";
import type { BodySink } from "../http/body-sink.ts";
import type { ByteMeter } from "../http/byte-meter.ts";
import { requestFraming } from "../http/framing.ts";
import { GuardedStream } from "../http/guarded-stream.ts";
import type { HeaderList } from "../http/header-list.ts";
import type { HttpService } from "../http/http-config.ts";
import type { HttpStream } from "../http/http-stream.ts";
import { DISPATCH_REFUSED } from "../http/local-reply.ts";
import { type HeadError, RequestHead, type ResponseHead } from "../http/message-head.ts";
import { ServerLine, type ServerParts } from "../http/server-line.ts";
import { reasonOf } from "../http/status-text.ts";
import type { StreamCarrier } from "../http/stream-carrier.ts";
import { Deadline } from "../net/deadlines.ts";
import { Sender } from "../net/sender.ts";
import type { SocketOwner } from "../net/socket.ts";
import type { HttpCounters } from "../stats/http-stats.ts";
import { BodyReader } from "./body-reader.ts";
import { HeadReader } from "./head-reader.ts";
import { parseRequestHead } from "./parse-head.ts";
import { ResponseWriter } from "./response-writer.ts";

/**
 * One HTTP/1.1 connection from a client. It reads requests one after the other, and answers them
 * in that order: what a client sends ahead waits, and so does the client when it sends much.
 */
export class ServerConnection implements SocketOwner, BodySink, StreamCarrier {
  readonly service: HttpService;
  readonly context: ProxyContext;
  readonly connection: ConnectionInfo;
  readonly #line: ServerLine;
  readonly #socket: Socket;
  readonly #out: Sender;
  readonly #writer: ResponseWriter;
  readonly #onEnd: ServerParts["onEnd"];
  readonly #heads = new HeadReader("request");
  readonly #body: BodyReader;
  readonly #head = new RequestHead();
  readonly #stream: HttpStream;
  readonly #meter: ByteMeter | undefined;
  readonly #deadline: Deadline;
  readonly #counters: HttpCounters;
  #requests = 0;
  #isOld = false;
  /** Between the head of a request and the end of its response. */
  #isActive = false;
  #isRequestDone = false;
  #isConsuming = false;
  /** What came behind the request in progress. */
  #ahead: Buffer | undefined = undefined;
  /** No more requests are read: the connection only lives to get its last bytes out. */
  #isClosing = false;

  constructor(parts: ServerParts) {
    const { service, context, connection } = parts;
    this.service = service;
    this.context = context;
    this.connection = connection;
    this.#onEnd = parts.onEnd;
    const { limits, passesTrailers } = service.config;
    this.#body = new BodyReader(limits.headBytesMax, passesTrailers ? limits : undefined);
    this.#deadline = new Deadline(this);
    this.#line = new ServerLine(this, parts, {
      isHttp2: false,
      onOldAge: () => this.#onOldAge(),
    });
    this.#socket = this.#line.socket;
    this.#counters = this.#line.counters;
    this.#out = new Sender(this.#socket, context.flushQueue);
    this.#stream = new GuardedStream(this, this.#head);
    this.#meter = this.#stream.meter;
    this.#writer = new ResponseWriter(this.#out, service.config, this.#meter);
    this.#waitForRequest();
  }

  /** Whether the request in progress is the last; asked once, as its response begins. */
  get isDraining(): boolean {
    if (this.#isSpent) return true;
    if (!this.service.isDraining) return false;
    this.#counters.downstream_cx_drain_close++;
    return true;
  }

  /** Too old, or too many requests. */
  get #isSpent(): boolean {
    const { requestsMax } = this.service.config;
    return this.#isOld || (requestsMax !== 0 && this.#requests >= requestsMax);
  }

  #onOldAge(): void {
    this.#isOld = true;
    this.closeIfIdle();
  }

  onBytes(buffer: Buffer, length: number): void {
    this.#counters.downstream_cx_rx_bytes_total += length;
    // After the last response whatever still comes is read only so that closing loses no answer.
    if (this.#isClosing) return;
    if (this.#ahead !== undefined) {
      this.#ahead = Buffer.concat([this.#ahead, buffer.subarray(0, length)]);
      return;
    }
    this.#consume(buffer, 0, length);
  }

  #consume(buffer: Buffer, from: number, to: number): void {
    this.#isConsuming = true;
    let at = from;
    while (at < to && !this.#isClosing) {
      if (!this.#isActive) {
        at = this.#isShed() ? to : this.#readHead(buffer, at, to);
      } else if (this.#isRequestDone) {
        this.#keepAhead(buffer, at, to);
        break;
      } else {
        const start = at;
        at = this.#body.read(buffer, at, to, this);
        if (this.#meter !== undefined) this.#meter.received += (at === -1 ? to : at) - start;
        if (at === -1) {
          this.#refuseBody();
          break;
        }
      }
    }
    this.#isConsuming = false;
    if (this.#isActive) this.#stream.onReadEnd();
  }

  /** Keeps what came too early and stops reading: the client waits, not our memory. */
  #keepAhead(buffer: Buffer, from: number, to: number): void {
    const rest = Buffer.allocUnsafe(to - from);
    buffer.copy(rest, 0, from, to);
    this.#ahead = rest;
    this.#socket.pause();
  }

  /** Whether a request that begins is refused before it is read. */
  #isShed(): boolean {
    const { overload } = this.context;
    if (overload === undefined || this.#heads.isInside) return false;
    if (!overload.refusesDispatch(this.#counters)) return false;
    this.#countRequest();
    this.#counters.downstream_rq_rx_reset++;
    this.#head.reset();
    this.#stream.refuse(DISPATCH_REFUSED);
    return true;
  }

  /** Where the head ended; `to` when it has not, or was refused. */
  #readHead(buffer: Buffer, from: number, to: number): number {
    const { limits, headTimeoutMs } = this.service.config;
    const found = this.#heads.read(buffer, from, to, limits.headBytesMax);
    if (this.#meter !== undefined) {
      this.#meter.received += (found === "head" ? this.#heads.next : to) - from;
    }
    if (found === "more") {
      if (this.#heads.isInside && headTimeoutMs !== 0) this.#setDeadline(headTimeoutMs);
      return to;
    }
    const head = this.#head;
    const error =
      found === "error" ? this.#heads.error : parseRequestHead(this.#heads.text, head, limits);
    if (error !== undefined) {
      // What its codec refuses has no headers for Envoy yet.
      if (found === "error" || !MANAGERS_BODIES.has(error.detail)) head.reset();
      else this.#meter?.tookHead(this.#heads.text);
      this.#refuse(error);
      return to;
    }
    this.#deadline.cancel();
    this.#meter?.tookHead(this.#heads.text);
    const next = this.#heads.next;
    this.#isActive = true;
    if (++this.#requests === this.service.config.requestsMax) {
      this.#counters.downstream_cx_max_requests_reached++;
    }
    this.#startBody(head);
    this.#counters.downstream_rq_total++;
    this.#counters.downstream_rq_http1_total++;
    this.#counters.downstream_rq_active++;
    this.#stream.start(this.#isRequestDone);
    return next;
  }

  #startBody(head: RequestHead): void {
    // Whether the route allows it is not known yet; where it does not, the connection ends.
    const isUpgrade = head.upgrade !== "" && head.upgrade.toLowerCase() !== "h2c";
    const isTunnel = isUpgrade || head.method === "CONNECT";
    this.#body.start(requestFraming(head, isTunnel), head.contentLength);
    this.#isRequestDone = this.#body.isDone;
    if (head.expectsContinue && !this.service.config.proxies100Continue) {
      this.#out.text("HTTP/1.1 100 Continue\r\n\r\n");
      this.#out.flush();
    }
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    this.#stream.onBodyBytes(buffer, from, to);
  }

  onBodyEnd(trailers?: HeaderList): void {
    this.#isRequestDone = true;
    this.#stream.onBodyEnd(trailers);
  }

  /** A head that cannot be read: answered without a stream, then closed. */
  #refuse(error: HeadError): void {
    this.#countRequest();
    const managersBody = MANAGERS_BODIES.get(error.detail);
    if (managersBody === undefined) {
      this.#counters.downstream_cx_protocol_error++;
      this.#counters.downstream_rq_rx_reset++;
    }
    this.#stream.refuse({
      status: error.status,
      body: managersBody ?? reasonOf(error.status),
      flag: managersBody === undefined ? "DPE" : "",
      details: error.detail,
    });
  }

  /** One that will not be read to its end. */
  #countRequest(): void {
    this.#counters.downstream_rq_total++;
    this.#counters.downstream_rq_http1_total++;
    this.#counters.downstream_rq_active++;
    this.#isActive = true;
    this.#isRequestDone = false;
  }

  #refuseBody(): void {
    const { detail, status } = this.#body.error;
    this.#counters.downstream_cx_protocol_error++;
    this.#stream.onBadBody({ status, body: reasonOf(status), flag: "DPE", details: detail });
  }

  pauseReading(): void {
    this.#socket.pause();
  }

  resumeReading(): void {
    // What came ahead keeps the client waiting until its turn comes.
    if (this.#ahead === undefined) this.#socket.resume();
  }

  get protocol(): "HTTP/1.0" | "HTTP/1.1" {
    return this.#head.minor === 0 ? "HTTP/1.0" : "HTTP/1.1";
  }

  get isFull(): boolean {
    return this.#out.isFull;
  }

  sendInterim(head: ResponseHead): void {
    this.#writer.interim(head, this.#head);
  }

  sendHead(
    head: ResponseHead,
    request: RequestHead,
    hasBody: boolean,
    isRequestDone: boolean,
    closes: boolean,
  ): boolean {
    return this.#writer.head(head, request, hasBody, isRequestDone, closes);
  }

  sendBytes(buffer: Buffer, from: number, to: number): void {
    this.#writer.bytes(buffer, from, to);
  }

  sendEnd(trailers: HeaderList | undefined): void {
    this.#writer.end(trailers);
  }

  flush(): void {
    this.#out.flush();
  }

  finishResponse(isRequestDone: boolean, closes: boolean): void {
    this.#out.flush();
    this.#isActive = false;
    this.#counters.downstream_rq_active--;
    if (!isRequestDone) this.#counters.downstream_rq_response_before_rq_complete++;
    // Of a tunnel the client may have ended its side first: nothing more comes.
    if (closes || !isRequestDone || this.#socket.readableEnded) {
      this.#startClosing();
      return;
    }
    if (this.#socket.isPaused()) this.resumeReading();
    if (this.#ahead === undefined) this.#waitForRequest();
    // Otherwise the loop that is running goes on with what came ahead.
    else if (!this.#isConsuming) this.#consumeAhead();
  }

  #consumeAhead(): void {
    const ahead = this.#ahead;
    if (ahead === undefined || this.#line.isClosed) return;
    this.#ahead = undefined;
    this.#consume(ahead, 0, ahead.length);
    if (this.#ahead === undefined) this.#socket.resume();
  }

  #waitForRequest(): void {
    const { idleTimeoutMs } = this.service.config;
    if ((this.#isSpent || this.service.isEnding) && !this.#isClosing) this.#startClosing();
    else if (idleTimeoutMs !== 0) {
      const { timeouts, clock } = this.context;
      timeouts.connectionIdle.set(this.#deadline, idleTimeoutMs, clock.monotonicMs());
    }
  }

  #setDeadline(delayMs: number): void {
    this.context.deadlines.set(this.#deadline, delayMs, this.context.clock.monotonicMs());
  }

  /** Sends the end and leaves the client a moment to close, or it might lose the last response. */
  #startClosing(): void {
    this.#isClosing = true;
    this.#ahead = undefined;
    this.#out.flushNow();
    this.#socket.end();
    this.#socket.resume();
    this.#setDeadline(this.service.config.delayedCloseMs);
  }

  /** Idle for too long, a head that does not end, or a client that does not close. */
  onDeadline(): void {
    if (this.#isClosing) this.#socket.destroy();
    else if (this.#heads.isInside) {
      this.#counters.downstream_rq_header_timeout++;
      this.#refuse({ status: 408, detail: "request_header_timeout" });
    } else {
      this.#counters.downstream_cx_idle_timeout++;
      this.#startClosing();
    }
  }

  /** Ends it unless a request is in progress. */
  closeIfIdle(): void {
    if (!this.#isActive && !this.#heads.isInside && !this.#isClosing) this.#startClosing();
  }

  breakResponse(): void {
    this.#out.flushNow();
    this.destroy();
  }

  /** Ends at once, whatever is in progress. */
  destroy(): void {
    this.#socket.destroy();
    this.onClose();
  }

  onEnd(): void {
    const isInTunnel = this.#body.isUntilClose && this.#isActive && !this.#isRequestDone;
    if (isInTunnel && this.#head.method !== "CONNECT") {
      this.#body.finish();
      this.onBodyEnd();
      this.#stream.onReadEnd();
      return;
    }
    // Like Envoy, a client that closes its side while it waits is taken to be gone.
    this.destroy();
  }

  onClose(): void {
    if (this.#line.isClosed) return;
    this.#line.close(this.#isClosing, this.#isActive);
    this.#isClosing = true;
    this.#deadline.cancel();
    if (this.#isActive) {
      this.#isActive = false;
      this.#counters.downstream_rq_active--;
      this.#stream.onDownstreamReset("DC", "downstream_remote_disconnect");
    }
    this.#onEnd(this);
  }

  onDrain(): void {
    if (this.#isActive) this.#stream.onDownstreamDrain();
  }
}

/** Bodies of the refusals that Envoy makes above its codec, without a flag. */
const MANAGERS_BODIES: ReadonlyMap<string, string> = new Map([
  ["missing_host_header", ""],
  ["path_normalization_failed", ""],
  ["request_header_timeout", "request header timeout"],
]);
