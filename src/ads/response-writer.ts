import type { Clock, Timer } from "../base/clock.ts";
import type { GrpcMessage } from "./grpc-message.ts";
import type { WriteBudget } from "./write-budget.ts";

/**
 * Bytes on their way to one client beyond which no response is made for it. The next is made of the
 * newest state once there is room: who reads slowly misses what was in between, and costs no memory.
 */
const PENDING_BYTES_MAX = 256 * 1024;

/** How long a client may leave responses unread before they no longer keep others from theirs. */
const SLOW_MS = 1000;

/** How long a client may leave one response unread. */
export const UNREAD_MS_MAX = 60_000;

/** What takes the bytes: a call of gRPC. */
export interface ResponseTarget {
  /** Calls back when the bytes have left for the network, also when they could not. */
  write(response: GrpcMessage, onWritten: () => void): unknown;
}

/** What a writer tells its owner. */
export interface ResponseWriterOptions {
  readonly clock: Clock;
  readonly target: ResponseTarget;
  /** Shared by the writers of all clients. */
  readonly budget: WriteBudget;
  /** There is room again after `hasRoom` said that there was none. */
  readonly onDrained: () => void;
  /** How long a response took until it had left for the network. */
  readonly onWritten: (tookMs: number) => void;
  /** The client does not read. */
  readonly onStuck: () => void;
}

/** Writes one client's responses, and knows how much of them the network has not taken yet. */
export class ResponseWriter {
  readonly #options: ResponseWriterOptions;
  readonly #onRoom: () => void;
  #pendingBytes = 0;
  /** How much of it counts against the others' budget. */
  #chargedBytes = 0;
  #bytesSent = 0;
  #responses = 0;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: ResponseWriterOptions) {
    this.#options = options;
    this.#onRoom = () => options.onDrained();
  }

  /** All that was written. */
  get bytesSent(): number {
    return this.#bytesSent;
  }

  get responses(): number {
    return this.#responses;
  }

  /** What the network has not taken yet. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Whether a response may be made now; otherwise `onDrained` tells when. */
  hasRoom(): boolean {
    const { budget } = this.#options;
    if (this.#pendingBytes >= PENDING_BYTES_MAX) return false;
    if (!budget.isFull) return true;
    budget.wait(this.#onRoom);
    return false;
  }

  write(response: GrpcMessage): void {
    const { clock, target, budget } = this.#options;
    const { byteLength } = response;
    const startMs = clock.monotonicMs();
    this.#pendingBytes += byteLength;
    this.#chargedBytes += byteLength;
    this.#bytesSent += byteLength;
    this.#responses += 1;
    budget.take(byteLength);
    if (this.#timer === undefined) this.#watch();
    target.write(response, () => this.#noteWritten(byteLength, startMs));
  }

  close(): void {
    const { budget } = this.#options;
    this.#isClosed = true;
    this.#timer?.cancel();
    budget.leave(this.#onRoom);
    this.#release(this.#chargedBytes);
  }

  #noteWritten(byteLength: number, startMs: number): void {
    const { clock, onWritten, onDrained } = this.#options;
    const wasFull = this.#pendingBytes >= PENDING_BYTES_MAX;
    this.#pendingBytes -= byteLength;
    if (this.#isClosed) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#pendingBytes > 0) this.#watch();
    onWritten(clock.monotonicMs() - startMs);
    this.#release(Math.min(byteLength, this.#chargedBytes));
    if (wasFull && this.#pendingBytes < PENDING_BYTES_MAX) onDrained();
  }

  #release(bytes: number): void {
    this.#chargedBytes -= bytes;
    this.#options.budget.give(bytes);
  }

  /** One client that does not read may not keep the others from theirs. */
  #watch(): void {
    const { clock, onStuck } = this.#options;
    this.#timer = clock.setTimer(SLOW_MS, () => {
      this.#timer = clock.setTimer(UNREAD_MS_MAX - SLOW_MS, onStuck);
      this.#release(this.#chargedBytes);
    });
  }
}
