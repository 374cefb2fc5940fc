import type { Clock, Timer } from "../base/clock.ts";
import type { MetricRegistry } from "../telemetry/metrics.ts";
import type { GrpcCall } from "./grpc-call.ts";
import type { GrpcMessage } from "./grpc-message.ts";
import { GRPC_STATUS, type GrpcStatusCode } from "./grpc-status.ts";
import { RequestPacer } from "./request-pacer.ts";
import { ResponseWriter } from "./response-writer.ts";
import type { WriteBudget } from "./write-budget.ts";

/** How long a stream may be open without saying who it is. */
export const FIRST_REQUEST_MS_MAX = 15_000;

/** What a call needs from outside. */
export interface AdsCallOptions {
  readonly clock: Clock;
  readonly metrics: MetricRegistry;
  /** Shared by all calls of a server. */
  readonly budget: WriteBudget;
}

/** What a call tells its owner. */
export interface AdsCallEvents {
  readonly onRequest: (bytes: Buffer) => void;
  /** There is room for responses again. */
  readonly onDrained: () => void;
  /** The call ended, whoever ended it; called once. */
  readonly onEnd: () => void;
}

/** One call of gRPC: bytes in and out, paced and bounded. Its owner has it ended, or the client does. */
export class AdsCall {
  readonly #call: GrpcCall;
  readonly #metrics: MetricRegistry;
  readonly #events: AdsCallEvents;
  readonly #writer: ResponseWriter;
  readonly #pacer: RequestPacer;
  readonly #firstTimer: Timer;
  #isLeft = false;

  constructor(call: GrpcCall, { clock, metrics, budget }: AdsCallOptions, events: AdsCallEvents) {
    this.#call = call;
    this.#metrics = metrics;
    this.#events = events;
    this.#writer = new ResponseWriter({
      clock,
      budget,
      target: call,
      onDrained: events.onDrained,
      onWritten: (tookMs) => metrics.observe("pilot_xds_send_time", tookMs / 1000),
      onStuck: () => {
        metrics.add("pilot_xds_write_timeout");
        this.end(GRPC_STATUS.DEADLINE_EXCEEDED, "unread", "responses are not read");
      },
    });
    this.#pacer = new RequestPacer(clock, call, () => metrics.add("weft_xds_throttled_requests"));
    this.#firstTimer = clock.setTimer(FIRST_REQUEST_MS_MAX, () =>
      this.end(GRPC_STATUS.DEADLINE_EXCEEDED, "silent", "no request came"),
    );
    call.listen({
      onMessage: (bytes) => {
        this.#firstTimer.cancel();
        this.#pacer.note();
        events.onRequest(bytes);
      },
      onClose: () => this.#leave(),
    });
  }

  get peer(): string {
    return this.#call.peer;
  }

  /** What was written so far. */
  get sent(): { readonly bytes: number; readonly responses: number } {
    return { bytes: this.#writer.bytesSent, responses: this.#writer.responses };
  }

  /** Bytes that the network has not taken yet. */
  get pendingBytes(): number {
    return this.#writer.pendingBytes;
  }

  /** Whether a response may be made now; otherwise `onDrained` tells when. */
  hasRoom(): boolean {
    return this.#writer.hasRoom();
  }

  write(response: GrpcMessage): void {
    this.#writer.write(response);
  }

  /** Ends the call with a status; `reason` is what it is counted under. */
  end(code: GrpcStatusCode, reason: string, details: string): void {
    if (this.#isLeft) return;
    this.#metrics.add("weft_xds_refused_streams", { reason });
    this.#call.end({ code, details });
  }

  #leave(): void {
    if (this.#isLeft) return;
    this.#isLeft = true;
    this.#firstTimer.cancel();
    this.#pacer.close();
    this.#writer.close();
    this.#events.onEnd();
  }
}
