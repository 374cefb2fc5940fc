import { formatGrpcTimeout, parseGrpcTimeout } from "../../match/grpc-timeout.ts";
import type { ClusterAction, StreamLimits } from "../../match/route.ts";
import type { ProxyContext } from "../context.ts";
import { Deadline } from "../net/deadlines.ts";
import type { HeaderList } from "./header-list.ts";
import type { HttpConfig } from "./http-config.ts";
import {
  type LocalReply,
  REQUEST_IDLE,
  REQUEST_TOO_LONG,
  REQUEST_TOO_SLOW,
  STREAM_IDLE,
  STREAM_TOO_LONG,
} from "./local-reply.ts";

/** What a stream is told by its timers. */
export interface TimedStream {
  readonly config: HttpConfig;
  readonly context: ProxyContext;
  /** It took too long, in one way or another. */
  onTimeout(reply: TimeoutReply): void;
}

/** What is answered when time is up: with the whole request here, or a part of it. */
export interface TimeoutReply {
  readonly whole: LocalReply;
  readonly partial: LocalReply;
}

/** Nothing moved for as long as it may. */
const IDLE: TimeoutReply = { whole: STREAM_IDLE, partial: REQUEST_IDLE };
/** It has lasted as long as it may. */
const TOO_LONG: TimeoutReply = { whole: STREAM_TOO_LONG, partial: REQUEST_TOO_LONG };
/** The request is not here after as long as it may take. */
const TOO_SLOW: TimeoutReply = { whole: REQUEST_TOO_SLOW, partial: REQUEST_TOO_SLOW };

/** How long one stream may take, and how long it may stand still. */
export class StreamTimers {
  readonly #stream: TimedStream;
  readonly #idle: Deadline;
  readonly #duration: Deadline;
  readonly #request: Deadline;
  #idleMs = 0;
  #lastMoveMs = 0;

  constructor(stream: TimedStream) {
    this.#stream = stream;
    this.#idle = new Deadline({ onDeadline: () => this.#onIdle() });
    this.#duration = new Deadline({ onDeadline: () => stream.onTimeout(TOO_LONG) });
    this.#request = new Deadline({ onDeadline: () => stream.onTimeout(TOO_SLOW) });
  }

  start(nowMs: number, isRequestDone: boolean): void {
    const { streamIdleTimeoutMs, streamDurationMsMax, requestTimeoutMs } = this.#stream.config;
    this.#lastMoveMs = nowMs;
    this.#idleMs = streamIdleTimeoutMs;
    if (streamIdleTimeoutMs !== 0) this.#setIdle();
    if (streamDurationMsMax !== 0) this.#set(this.#duration, streamDurationMsMax, nowMs);
    if (requestTimeoutMs !== 0 && !isRequestDone) this.#set(this.#request, requestTimeoutMs, nowMs);
  }

  /** What a route says takes the place of what the listener says, and `grpc-timeout` of that. */
  follow(
    { idleTimeoutMs, streamLimits }: ClusterAction,
    startMs: number,
    headers: HeaderList,
  ): void {
    if (idleTimeoutMs !== undefined && idleTimeoutMs !== this.#idleMs) {
      this.#idleMs = idleTimeoutMs;
      this.#idle.cancel();
      if (idleTimeoutMs !== 0) this.#setIdle();
    }
    const { grpcTimeoutMsMax } = streamLimits;
    const header = grpcTimeoutMsMax === undefined ? undefined : headers.get("grpc-timeout");
    const asked = header === undefined ? undefined : parseGrpcTimeout(header);
    if (asked !== undefined) {
      const length = boundDuration(asked, streamLimits);
      headers.set("grpc-timeout", formatGrpcTimeout(length));
      this.#duration.cancel();
      this.#set(this.#duration, length, startMs);
      return;
    }
    if (streamLimits.maxMs === undefined) return;
    this.#duration.cancel();
    if (streamLimits.maxMs !== 0) this.#set(this.#duration, streamLimits.maxMs, startMs);
  }

  moved(): void {
    if (this.#idle.isSet) this.#lastMoveMs = this.#stream.context.clock.monotonicMs();
  }

  requestEnded(): void {
    this.#request.cancel();
  }

  cancel(): void {
    this.#idle.cancel();
    this.#duration.cancel();
    this.#request.cancel();
  }

  #setIdle(): void {
    const { timeouts } = this.#stream.context;
    timeouts.streamIdle.set(this.#idle, this.#idleMs, this.#lastMoveMs);
  }

  #set(deadline: Deadline, delayMs: number, fromMs: number): void {
    this.#stream.context.deadlines.set(deadline, delayMs, fromMs);
  }

  /** Nothing moved since the deadline was set, or since some point after: then it waits on. */
  #onIdle(): void {
    // No clock is asked: one that stands still for a turn would have it wait on for ever.
    if (this.#lastMoveMs > this.#idle.sinceMs) this.#setIdle();
    else this.#stream.onTimeout(IDLE);
  }
}

/** Of what a gRPC client asks for; nothing at all may be left of it. */
function boundDuration(askedMs: number, limits: StreamLimits): number {
  const { grpcTimeoutMsMax: max = 0, grpcTimeoutOffsetMs } = limits;
  const bounded = max === 0 ? askedMs : Math.min(askedMs, max);
  return Math.max(0, bounded - grpcTimeoutOffsetMs);
}
