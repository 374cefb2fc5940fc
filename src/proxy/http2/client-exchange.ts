import type { Host } from "../cluster/host.ts";
import type { HeaderList } from "../http/header-list.ts";
import { RESET, type ResetReason } from "../http/local-reply.ts";
import { type RequestHead, ResponseHead } from "../http/message-head.ts";
import type { ResponseSink, UpstreamExchange } from "../http/upstream-exchange.ts";
import { Deadline } from "../net/deadlines.ts";
import type { UpstreamLine } from "../upstream/upstream-line.ts";
import { CODE } from "./frame.ts";
import {
  Http2Stream,
  type RequestLine,
  type StreamEnd,
  type StreamHandler,
} from "./http2-stream.ts";
import type { Http2Session } from "./session.ts";

/** Whose exchanges they are. */
interface ExchangeOwner {
  readonly line: UpstreamLine;
  readonly session: Http2Session;
  /** Responses that have come on the connection. */
  responses: number;
}

/** Says in one place what is sent, so that nothing is allocated for it. */
const LINE = { method: "", scheme: "", authority: "", path: "", protocol: "" };

/**
 * One stream of an upstream connection: a request and its response. It serves one exchange after the
 * other; the connection gives it to the next once its stream is closed.
 */
export class ClientExchange implements UpstreamExchange, StreamHandler<ResponseHead> {
  readonly protocol = "HTTP/2";
  readonly host: Host;
  readonly head = new ResponseHead();
  readonly #owner: ExchangeOwner;
  readonly line: UpstreamLine;
  readonly #stream: Http2Stream<ResponseHead>;
  #sink: ResponseSink | undefined = undefined;
  /** Of HTTP/1.1, which the peer is asked for by an extended CONNECT; "" for none. */
  #upgrade = "";
  #isCounted = false;
  #isFirst = true;
  /** When it has taken too long; only where there is such a bound. */
  #end: Deadline | undefined = undefined;

  constructor(owner: ExchangeOwner) {
    this.#owner = owner;
    this.line = owner.line;
    this.host = owner.line.host;
    this.#stream = new Http2Stream<ResponseHead>(this);
  }

  get isReused(): boolean {
    return !this.#isFirst;
  }
  get isFull(): boolean {
    return this.#stream.isFull;
  }

  begin(sink: ResponseSink, head: RequestHead, scheme: string, isEnd: boolean): void {
    this.#sink = sink;
    this.#stream.meter = sink.meter;
    this.#upgrade = head.upgrade;
    this.#isFirst = this.#owner.responses === 0;
    this.#count();
    if (this.host.load.config.maxStreamDurationMs !== 0) this.#limit();
    this.#owner.session.openStream(this.#stream);
    this.#stream.sendRequest(lineOf(head, scheme), head.headers, isEnd);
  }

  sendBytes(buffer: Buffer, from: number, to: number): void {
    this.#stream.sendBytes(buffer, from, to);
  }

  sendEnd(trailers: HeaderList | undefined): void {
    this.#stream.sendEnd(trailers);
  }

  endTunnel(): void {
    this.#stream.sendEnd(undefined);
  }

  flush(): void {
    // Frames leave at the end of the turn by themselves.
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  abandon(): void {
    this.#sink = undefined;
    this.#countEnd();
    // Of what is complete on both sides nothing has to be said.
    if (this.#stream.isRemoteDone && this.#stream.isLocalDone) this.#stream.reset(CODE.noError);
    else this.#break();
  }

  /** Breaks the stream off on our own account. */
  #break(): void {
    if (!this.#stream.isOpen) return;
    this.host.load.requestsReset++;
    // Envoy's code, too.
    this.#stream.reset(CODE.internalError);
  }

  #count(): void {
    this.#isCounted = true;
    this.host.onRequestStarted(this.line.priority);
  }

  #countEnd(): void {
    if (!this.#isCounted) return;
    this.#isCounted = false;
    this.#stream.meter = undefined;
    this.#end?.cancel();
    this.host.onRequestEnded(this.line.priority);
  }

  #limit(): void {
    const { clock, deadlines } = this.line.context;
    this.#end ??= new Deadline({
      onDeadline: () => {
        this.host.load.requestsMaxDuration++;
        const sink = this.#sink;
        this.abandon();
        sink?.onReset(RESET.maxDuration);
      },
    });
    deadlines.set(this.#end, this.host.load.config.maxStreamDurationMs, clock.monotonicMs());
  }

  onHead(isEnd: boolean): void {
    const { head } = this;
    if (head.status < 200) {
      this.#sink?.onInterim?.(head);
      return;
    }
    this.#owner.responses++;
    if (this.#upgrade !== "" && head.status === 200) this.#takeUpgrade();
    this.#sink?.onResponseHead(head, !isEnd);
    if (isEnd) this.#finish(undefined);
  }

  /** What HTTP/2 grants with 200 HTTP/1.1 grants with 101 (RFC 8441 5). */
  #takeUpgrade(): void {
    const { head } = this;
    head.status = 101;
    head.connection = "upgrade";
    head.headers.set("upgrade", this.#upgrade);
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    this.#sink?.onBodyBytes(buffer, from, to);
  }

  onBodyEnd(trailers?: HeaderList): void {
    this.#finish(trailers);
  }

  #finish(trailers: HeaderList | undefined): void {
    const sink = this.#sink;
    this.#sink = undefined;
    this.#countEnd();
    sink?.onBodyEnd(trailers);
    // Nobody reads what would follow of a request that was answered before its end.
    if (sink !== undefined && !this.#stream.isLocalDone) this.#break();
  }

  onReadEnd(): void {
    this.#sink?.onReadEnd();
  }

  onSendDrain(): void {
    this.#sink?.onSendDrain();
  }

  onStreamEnd(end: StreamEnd): void {
    const sink = this.#sink;
    this.#sink = undefined;
    this.#countEnd();
    const reason = this.line.isClosed ? RESET.termination : reasonOf(end);
    const { load } = this.host;
    if (end.isRemote && reason === RESET.remote) load.requestsResetByPeer++;
    else if (reason === RESET.protocol) load.requestsReset++;
    else if (reason === RESET.termination) load.pendingFailures++;
    sink?.onReset(reason);
  }
}

/** What the peer's codes mean where they do not mean just that it broke the stream off. */
const OF_PEER: Readonly<Record<number, ResetReason>> = {
  [CODE.protocolError]: RESET.protocol,
  [CODE.connectError]: RESET.connect,
};

/** In Envoy's words why a stream ended that its connection outlived, or brought down. */
function reasonOf({ code, isRemote, isUntouched, detail }: StreamEnd): ResetReason {
  if (isUntouched) return RESET.refused;
  if (isRemote) return OF_PEER[code] ?? RESET.remote;
  return detail === "http2.keepalive_timeout" ? RESET.termination : RESET.protocol;
}

/** The first line of a request; an upgrade is an extended CONNECT (RFC 8441). */
function lineOf(head: RequestHead, scheme: string): RequestLine {
  const { upgrade } = head;
  LINE.method = upgrade === "" ? head.method : "CONNECT";
  LINE.scheme = scheme;
  LINE.authority = head.authority;
  LINE.path = head.path;
  LINE.protocol = upgrade;
  return LINE;
}
