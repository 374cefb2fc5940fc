import type { ClusterAction } from "../../match/route.ts";
import type { ProxyContext } from "../context.ts";
import { Deadline } from "../net/deadlines.ts";
import type { HttpConfig } from "./http-config.ts";

/** What a stream is told by its timers. */
export interface TimedStream {
  readonly config: HttpConfig;
  readonly context: ProxyContext;
  /** Nothing moved for as long as it may. */
  onStreamIdle(): void;
  /** It has lasted as long as it may. */
  onStreamTooLong(): void;
  /** The request is not here after as long as it may take. */
  onRequestTooSlow(): void;
}

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
    this.#duration = new Deadline({ onDeadline: () => stream.onStreamTooLong() });
    this.#request = new Deadline({ onDeadline: () => stream.onRequestTooSlow() });
  }

  start(nowMs: number, isRequestDone: boolean): void {
    const { streamIdleTimeoutMs, streamDurationMsMax, requestTimeoutMs } = this.#stream.config;
    this.#lastMoveMs = nowMs;
    this.#idleMs = streamIdleTimeoutMs;
    if (streamIdleTimeoutMs !== 0) this.#set(this.#idle, streamIdleTimeoutMs, nowMs);
    if (streamDurationMsMax !== 0) this.#set(this.#duration, streamDurationMsMax, nowMs);
    if (requestTimeoutMs !== 0 && !isRequestDone) this.#set(this.#request, requestTimeoutMs, nowMs);
  }

  /** What a route says takes the place of what the listener says. */
  follow({ idleTimeoutMs, streamLimits }: ClusterAction, startMs: number): void {
    if (idleTimeoutMs !== undefined && idleTimeoutMs !== this.#idleMs) {
      this.#idleMs = idleTimeoutMs;
      this.#idle.cancel();
      if (idleTimeoutMs !== 0) this.#set(this.#idle, idleTimeoutMs, this.#lastMoveMs);
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

  #set(deadline: Deadline, delayMs: number, fromMs: number): void {
    this.#stream.context.deadlines.set(deadline, delayMs, fromMs);
  }

  /** Nothing moved since the deadline was set, or since some point after: then it waits on. */
  #onIdle(): void {
    const leftMs = this.#lastMoveMs + this.#idleMs - this.#stream.context.clock.monotonicMs();
    if (leftMs > 1) this.#set(this.#idle, this.#idleMs, this.#lastMoveMs);
    else this.#stream.onStreamIdle();
  }
}
