import type { ClusterLoad } from "../cluster/load.ts";
import type { ProxyContext } from "../context.ts";
import type { LocalReply } from "../http/local-reply.ts";
import { Deadline } from "../net/deadlines.ts";

/** How a request may run out of time, by Envoy's details. */
export const TIMEOUT = {
  response: "response_timeout",
  perTry: "upstream_per_try_timeout",
  perTryIdle: "upstream_per_try_idle_timeout",
} as const;
export type TimeoutKind = (typeof TIMEOUT)[keyof typeof TIMEOUT];

/** Counts that a request to a cluster ran out of time. */
export function countTimeout(load: ClusterLoad, kind: TimeoutKind): void {
  if (kind === TIMEOUT.response) load.requestTimeouts++;
  else if (kind === TIMEOUT.perTry) load.perTryTimeouts++;
  else load.perTryIdleTimeouts++;
}

/** What a client is answered then, who may have said that it is no error. */
export function timedOut(kind: TimeoutKind, isNoError: boolean): LocalReply {
  return isNoError
    ? { status: 204, body: "", flag: "UT", details: kind }
    : { status: 504, body: "upstream request timeout", flag: "UT", details: kind };
}

/** What bounds one request and each of its attempts in time. All lengths in milliseconds, 0 is none. */
export class AttemptTimers {
  readonly #context: ProxyContext;
  readonly #onTimeout: (kind: TimeoutKind) => void;
  readonly #response: Deadline;
  readonly #perTry: Deadline;
  readonly #idle: Deadline;
  #requestDoneMs = 0;
  #idleMs = 0;
  #lastMoveMs = 0;

  constructor(context: ProxyContext, onTimeout: (kind: TimeoutKind) => void) {
    this.#context = context;
    this.#onTimeout = onTimeout;
    this.#response = new Deadline({ onDeadline: () => this.#onTimeout(TIMEOUT.response) });
    this.#perTry = new Deadline({ onDeadline: () => this.#onTimeout(TIMEOUT.perTry) });
    this.#idle = new Deadline({ onDeadline: () => this.#onIdle() });
  }

  /** The whole request has come: from here to the end of the response. */
  startResponse(lengthMs: number): void {
    if (lengthMs === 0) return;
    this.#requestDoneMs = this.#context.clock.monotonicMs();
    this.#context.deadlines.set(this.#response, lengthMs, this.#requestDoneMs);
  }

  /** From the beginning of an attempt to the head of its response; goes on if it has begun. */
  startPerTry(lengthMs: number): void {
    if (lengthMs === 0 || this.#perTry.isSet) return;
    this.#context.deadlines.set(this.#perTry, lengthMs, this.#context.clock.monotonicMs());
  }

  /** Of an attempt during which nothing comes from the upstream. */
  startIdle(lengthMs: number): void {
    if (lengthMs === 0) return;
    this.#idleMs = lengthMs;
    this.#lastMoveMs = this.#context.clock.monotonicMs();
    this.#context.deadlines.set(this.#idle, lengthMs, this.#lastMoveMs);
  }

  /** Something came from the upstream. */
  moved(): void {
    if (this.#idle.isSet) this.#lastMoveMs = this.#context.clock.monotonicMs();
  }

  #onIdle(): void {
    // No clock is asked: one that stands still for a turn would have it wait on for ever.
    if (this.#lastMoveMs <= this.#idle.sinceMs) this.#onTimeout(TIMEOUT.perTryIdle);
    else this.#context.deadlines.set(this.#idle, this.#idleMs, this.#lastMoveMs);
  }

  /** Since the whole request had come. */
  get goneMs(): number {
    return Math.floor(this.#context.clock.monotonicMs() - this.#requestDoneMs);
  }

  /** The attempt's response has begun. */
  endPerTry(): void {
    this.#perTry.cancel();
  }

  /** The attempt is over; the request may go on. */
  endAttempt(): void {
    this.#perTry.cancel();
    this.#idle.cancel();
  }

  /** The request is over. */
  end(): void {
    this.#response.cancel();
    this.endAttempt();
  }
}
