import type { ConnectionInfo } from "../../match/connection-info.ts";
import type { ProxyContext } from "../context.ts";
import type { HeaderList } from "./header-list.ts";
import type { HttpService } from "./http-config.ts";
import type { RequestHead, ResponseHead } from "./message-head.ts";

/**
 * What carries one request and its response between a client and its `HttpStream`: a whole
 * connection of HTTP/1.1 for as long as that lasts, one stream of HTTP/2. What is sent leaves with
 * `flush`, or with the end, at the end of the turn.
 */
export interface StreamCarrier {
  readonly service: HttpService;
  readonly context: ProxyContext;
  /** Who speaks, and over what. */
  readonly connection: ConnectionInfo;
  /** What access logs call it. */
  readonly protocol: "HTTP/1.0" | "HTTP/1.1" | "HTTP/2";
  /** No more requests are taken on this connection. */
  readonly isDraining: boolean;
  /** Whether what is sent now waits here; `onDownstreamDrain` of the stream says when it has gone. */
  readonly isFull: boolean;
  /** Reads no more of this request's body for now. */
  pauseReading(): void;
  resumeReading(): void;
  /** Something before the final response, never 101; leaves at once. */
  sendInterim(head: ResponseHead): void;
  /**
   * Begins the response. `isRequestDone`: all of the request was read; what comes of it later is for
   * nobody. `closes`: the client shall use the connection no more. Answers whether it ends with the
   * response, which also the client or the protocol may want.
   */
  sendHead(
    head: ResponseHead,
    request: RequestHead,
    hasBody: boolean,
    isRequestDone: boolean,
    closes: boolean,
  ): boolean;
  /** Sends `buffer[from, to)`; the buffer may be overwritten after. */
  sendBytes(buffer: Buffer, from: number, to: number): void;
  /** Behind the body, where there was one; trailers go where the client gets any. */
  sendEnd(trailers: HeaderList | undefined): void;
  flush(): void;
  /** The response has been sent; `closes` ends the connection with it, where it carries one request. */
  finishResponse(isRequestDone: boolean, closes: boolean): void;
  /** The response cannot be ended in order: the client must see that it is cut off. */
  breakResponse(): void;
}
