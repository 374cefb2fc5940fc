import type { PeerAddress, TlsInfo } from "../../match/connection-info.ts";
import type { Host } from "../cluster/host.ts";
import type { BodySink } from "./body-sink.ts";
import type { ByteMeter } from "./byte-meter.ts";
import type { HeaderList } from "./header-list.ts";
import type { ResetReason } from "./local-reply.ts";
import type { RequestHead, ResponseHead } from "./message-head.ts";

/** Who gets a response. */
export interface ResponseSink extends BodySink {
  /** Where the bytes on the wire are counted; absent where nobody asks. */
  readonly meter?: ByteMeter | undefined;
  /** A response that says something before the final one; never 101. */
  onInterim?(head: ResponseHead): void;
  /** `head` is valid until the response ends. `onBodyEnd` follows, at once when there is no body. */
  onResponseHead(head: ResponseHead, hasBody: boolean): void;
  /** The exchange is over and broken; nothing else follows. */
  onReset(reason: ResetReason): void;
  /** What one read brought has been handed over. */
  onReadEnd(): void;
  /** What the request's sender held back may go on. */
  onSendDrain(): void;
}

/** A connection to an upstream host, as logs and statistics tell of it. */
export interface ExchangeLine {
  /** Counted over all connections of the proxy, from 1. */
  readonly id: number;
  readonly connectStartMs: number;
  /** -1 until it is made. */
  readonly connectedMs: number;
  /** Its own end; `undefined` until it is made. */
  readonly localAddress: PeerAddress | undefined;
  /** Which of the host's addresses it goes to; `undefined` until it is made. */
  readonly remoteAddress: PeerAddress | undefined;
  readonly tls: TlsInfo | undefined;
  /** What TLS or the system says of its end; "" when that was not the cause. */
  readonly transportFailure: string;
}

/**
 * What carries one exchange to an upstream host, as its owner sees it: a whole connection of
 * HTTP/1.1 while it lasts, one stream of HTTP/2, the bare TCP connection of a tunnel. What is sent
 * leaves with `flush`, at the end of the turn.
 */
export interface UpstreamExchange {
  readonly host: Host;
  /** Its connection. */
  readonly line: ExchangeLine;
  /** `undefined` where the bytes inside a CONNECT are all that is sent. */
  readonly protocol: "HTTP/1.1" | "HTTP/2" | undefined;
  /** Whether the peer has answered on it before: then its closing may just be its old age. */
  readonly isReused: boolean;
  /** Whether what is sent now waits here; `onSendDrain` says when it has gone. */
  readonly isFull: boolean;
  /**
   * Begins with the head. Only what it says now counts: the owner may change it afterwards. With
   * `isEnd` no body follows, and `sendEnd` is still called.
   */
  begin(sink: ResponseSink, head: RequestHead, scheme: string, isEnd: boolean): void;
  /** Sends `buffer[from, to)` of the body; the buffer may be overwritten after. */
  sendBytes(buffer: Buffer, from: number, to: number): void;
  /** All of the request has been sent; its trailers go where the upstream gets any. */
  sendEnd(trailers: HeaderList | undefined): void;
  /** The client of a tunnel sends no more. */
  endTunnel(): void;
  flush(): void;
  /** Nobody wants the response any more; what can be kept of the connection is kept. */
  abandon(): void;
  pause(): void;
  resume(): void;
}

/** Somebody who wants an exchange: answered once, perhaps before `acquire` returns. */
export interface Waiter {
  onConnection(exchange: UpstreamExchange): void;
  /** `transportFailure` is why none could be made, in the words of TLS or the system. */
  onNoConnection(reason: ResetReason, transportFailure: string): void;
}

/** Where the exchanges with one host come from. */
export interface UpstreamPool {
  acquire(waiter: Waiter): void;
  /** Gives up waiting. */
  cancel(waiter: Waiter): void;
}
