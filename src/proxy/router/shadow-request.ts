import type { Host } from "../cluster/host.ts";
import type { UpstreamNames } from "../cluster/host-dial.ts";
import type { ProxyContext } from "../context.ts";
import { heedImmediateFail } from "../health/immediate-fail.ts";
import type { HeaderList } from "../http/header-list.ts";
import type { ResetReason } from "../http/local-reply.ts";
import type { RequestHead, ResponseHead } from "../http/message-head.ts";
import type {
  ResponseSink,
  UpstreamExchange,
  UpstreamPool,
  Waiter,
} from "../http/upstream-exchange.ts";
import { Deadline, type DeadlineEntry } from "../net/deadlines.ts";
import { HttpPool } from "../upstream/http-pool.ts";
import { judgeAnswer, judgeReset } from "./judge-host.ts";
import { KeptBody } from "./kept-body.ts";

/** What of a copy's body waits for its connection; one that falls further behind is given up. */
const EARLY_BYTES_MAX = 1_048_576;

/** It is over: the status, and what gRPC says of it; 0 where there was no answer, or not all of it. */
export type OnEnd = (status: number, grpcStatus: string | undefined) => void;

/**
 * A copy of a request on its way to another cluster. Nobody waits for it: its response is read and
 * dropped, and whatever goes wrong with it ends only itself.
 */
export class ShadowRequest implements ResponseSink, Waiter, DeadlineEntry {
  readonly #host: Host;
  readonly #head: RequestHead;
  readonly #scheme: string;
  readonly #isGrpc: boolean;
  readonly #pool: UpstreamPool;
  readonly #timeout: Deadline;
  readonly #onEnd: OnEnd | undefined;
  readonly #early = new KeptBody();
  #connection: UpstreamExchange | undefined = undefined;
  #trailers: HeaderList | undefined = undefined;
  #isRequestDone = false;
  #isWaiting = true;
  /** Of the answer; 0 before it. */
  #status = 0;
  #grpcStatus: string | undefined = undefined;
  #isOver = false;

  /** `head` is its own, which nobody changes any more; 0 for `timeoutMs` is without end. */
  constructor(
    context: ProxyContext,
    host: Host,
    options: {
      readonly head: RequestHead;
      readonly scheme: string;
      readonly isGrpc: boolean;
      readonly timeoutMs: number;
      readonly names: UpstreamNames | undefined;
      /** Told how it ended; absent where nobody wants to know. */
      readonly onEnd?: OnEnd;
    },
  ) {
    this.#host = host;
    this.#head = options.head;
    this.#scheme = options.scheme;
    this.#isGrpc = options.isGrpc;
    this.#onEnd = options.onEnd;
    this.#timeout = new Deadline(this);
    this.#pool = HttpPool.of(host, context, { names: options.names });
    if (options.timeoutMs !== 0) {
      context.deadlines.set(this.#timeout, options.timeoutMs, context.clock.monotonicMs());
    }
    this.#pool.acquire(this);
  }

  onConnection(connection: UpstreamExchange): void {
    this.#isWaiting = false;
    this.#connection = connection;
    this.#host.outlier?.onConnected();
    const isEnd = this.#isRequestDone && this.#early.bytes === 0;
    connection.begin(this, this.#head, this.#scheme, isEnd && this.#trailers === undefined);
    for (const bytes of this.#early.pieces) connection.sendBytes(bytes, 0, bytes.length);
    this.#early.clear();
    if (this.#isRequestDone) connection.sendEnd(this.#trailers);
    connection.flush();
  }

  onNoConnection(reason: ResetReason): void {
    this.#isWaiting = false;
    judgeReset(this.#host, reason);
    this.#end();
  }

  /** More of the request's body; `flush` follows. */
  sendBytes(buffer: Buffer, from: number, to: number): void {
    if (this.#isOver) return;
    const connection = this.#connection;
    if (connection !== undefined && !connection.isFull) {
      connection.sendBytes(buffer, from, to);
    } else if (connection !== undefined || this.#early.bytes + to - from > EARLY_BYTES_MAX) {
      // Who is slower than the request itself gets no copy: the request does not wait for it.
      this.destroy();
    } else {
      this.#early.add(buffer, from, to);
    }
  }

  endRequest(trailers: HeaderList | undefined): void {
    this.#isRequestDone = true;
    this.#trailers = trailers;
    this.#connection?.sendEnd(trailers);
  }

  flush(): void {
    this.#connection?.flush();
  }

  onResponseHead(head: ResponseHead): void {
    const { status } = head;
    this.#status = status;
    this.#grpcStatus = head.headers.first("grpc-status");
    const { outlier } = this.#host;
    if (outlier !== undefined) judgeAnswer(outlier, head, this.#isGrpc);
    heedImmediateFail(this.#host, head);
    this.#host.load.countResponse(status);
    this.#host.countResponse(status);
  }

  // The response is for nobody.
  onBodyBytes(): void {}
  onReadEnd(): void {}
  onSendDrain(): void {}

  onBodyEnd(trailers?: HeaderList): void {
    this.#connection = undefined;
    this.#end(this.#status, trailers?.first("grpc-status") ?? this.#grpcStatus);
  }

  onReset(reason: ResetReason): void {
    this.#connection = undefined;
    judgeReset(this.#host, reason);
    this.#host.requestErrors++;
    this.#end();
  }

  /** It took too long. */
  onDeadline(): void {
    const isAwaited = this.#connection !== undefined && this.#status === 0;
    if (isAwaited) this.#host.outlier?.onTimeout(504);
    this.#host.requestTimeouts++;
    this.#host.load.requestTimeouts++;
    this.destroy();
  }

  /** The request that it copies was cut off before its end, or the copy cannot keep up. */
  destroy(): void {
    if (this.#isOver) return;
    if (this.#isWaiting) this.#pool.cancel(this);
    this.#connection?.abandon();
    this.#connection = undefined;
    this.#end();
  }

  #end(status = 0, grpcStatus?: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timeout.cancel();
    this.#early.clear();
    this.#onEnd?.(status, grpcStatus);
  }
}
