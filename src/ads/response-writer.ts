import type { Clock, Timer } from "../base/clock.ts";

/**
 * Bytes on their way to one client beyond which no response is made for it. The next is made of the
 * newest state once there is room: who reads slowly misses what was in between, and costs no memory.
 */
const PENDING_BYTES_MAX = 256 * 1024;

/** How long a client may leave one response unread. */
export const UNREAD_MS_MAX = 60_000;

/** What takes the bytes: a call of gRPC. */
export interface ResponseTarget {
  /** Calls back when the bytes have left for the network, also when they could not. */
  write(bytes: Buffer, onWritten: (error?: Error | null) => void): unknown;
}

/** What a writer tells its owner. */
export interface ResponseWriterOptions {
  readonly clock: Clock;
  readonly target: ResponseTarget;
  /** There is room again after `write` said that there was none. */
  readonly onDrained: () => void;
  /** How long a response took until it had left for the network. */
  readonly onWritten: (tookMs: number) => void;
  /** The client does not read. */
  readonly onStuck: () => void;
}

/** Writes one client's responses, and knows how much of them the network has not taken yet. */
export class ResponseWriter {
  readonly #options: ResponseWriterOptions;
  #pendingBytes = 0;
  #bytesSent = 0;
  #responses = 0;
  #timer: Timer | undefined;

  constructor(options: ResponseWriterOptions) {
    this.#options = options;
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

  /** Writes one response; false when no other should be made until `onDrained`. */
  write(bytes: Buffer): boolean {
    const { clock, target } = this.#options;
    const startMs = clock.monotonicMs();
    this.#pendingBytes += bytes.length;
    this.#bytesSent += bytes.length;
    this.#responses += 1;
    this.#watch();
    target.write(bytes, () => this.#noteWritten(bytes.length, startMs));
    return this.#pendingBytes < PENDING_BYTES_MAX;
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #noteWritten(length: number, startMs: number): void {
    const { clock, onWritten, onDrained } = this.#options;
    const wasFull = this.#pendingBytes >= PENDING_BYTES_MAX;
    this.#pendingBytes -= length;
    // Nobody waits any more after `close`.
    if (this.#timer === undefined) return;
    this.close();
    if (this.#pendingBytes > 0) this.#watch();
    onWritten(clock.monotonicMs() - startMs);
    if (wasFull && this.#pendingBytes < PENDING_BYTES_MAX) onDrained();
  }

  #watch(): void {
    const { clock, onStuck } = this.#options;
    this.#timer ??= clock.setTimer(UNREAD_MS_MAX, onStuck);
  }
}
