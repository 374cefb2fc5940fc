import type { Timer } from "../../base/clock.ts";
import type { BodySink } from "../http/body-sink.ts";
import type { HeaderList } from "../http/header-list.ts";
import type { FilterStream } from "../http/http-filter.ts";

/** How often waiting bytes are let go, as Envoy has it. */
const TICK_MS = 50;
/** So much waits here before the upstream has to: Envoy's default buffer of a connection. */
const BUFFER_BYTES_MAX = 1_048_576;

/**
 * Lets the body of a response go on at so many KiB a second: a bucket of one second's bytes that
 * begins with those of one tick.
 */
export class ResponseRateLimit implements BodySink {
  readonly #stream: FilterStream;
  readonly #next: BodySink;
  readonly #bytesPerS: number;
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #tokens: number;
  #filledMs: number;
  #timer: Timer | undefined = undefined;
  #isEnd = false;
  #trailers: HeaderList | undefined = undefined;
  #isPaused = false;

  constructor(stream: FilterStream, kibPerS: number, next: BodySink) {
    this.#stream = stream;
    this.#next = next;
    this.#bytesPerS = kibPerS * 1024;
    this.#tokens = Math.floor((this.#bytesPerS * TICK_MS) / 1000);
    this.#filledMs = stream.context.clock.monotonicMs();
  }

  /** Keeps a copy: the bytes are valid during the call only. */
  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    this.#waiting.push(Buffer.from(buffer.subarray(from, to)));
    this.#waitingBytes += to - from;
    if (this.#waitingBytes > BUFFER_BYTES_MAX && !this.#isPaused) {
      this.#isPaused = true;
      this.#stream.pauseResponse();
    }
    this.#timer ??= this.#setTimer(0);
  }

  onBodyEnd(trailers?: HeaderList): void {
    this.#isEnd = true;
    this.#trailers = trailers;
    if (this.#waitingBytes === 0) this.stop();
    if (this.#waitingBytes === 0) this.#next.onBodyEnd(trailers);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #setTimer(delayMs: number): Timer {
    return this.#stream.context.clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      this.#write(this.#take());
    });
  }

  /** How many of the waiting bytes may go now. */
  #take(): number {
    const nowMs = this.#stream.context.clock.monotonicMs();
    const added = ((nowMs - this.#filledMs) / 1000) * this.#bytesPerS;
    this.#filledMs = nowMs;
    this.#tokens = Math.min(this.#bytesPerS, this.#tokens + added);
    const bytes = Math.min(Math.floor(this.#tokens), this.#waitingBytes);
    this.#tokens -= bytes;
    return bytes;
  }

  #write(bytes: number): void {
    this.#waitingBytes -= bytes;
    if (this.#waitingBytes > 0) this.#timer = this.#setTimer(TICK_MS);
    for (let left = bytes; left > 0; ) {
      const [first] = this.#waiting;
      if (first === undefined) break;
      const length = Math.min(left, first.length);
      if (length === first.length) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(length);
      left -= length;
      this.#next.onBodyBytes(first, 0, length);
    }
    if (this.#waitingBytes === 0 && this.#isEnd) return this.#next.onBodyEnd(this.#trailers);
    this.#stream.flushResponse();
    if (!this.#isPaused || this.#waitingBytes > BUFFER_BYTES_MAX / 2) return;
    this.#isPaused = false;
    this.#stream.resumeResponse();
  }
}
