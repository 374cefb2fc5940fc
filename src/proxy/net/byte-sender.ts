import type { Socket } from "node:net";
import { WRITE } from "./direct-write.ts";
import type { FlushQueue } from "./flush-queue.ts";
import { SocketWriter } from "./socket-writer.ts";

/** Below this a copy costs less than a chunk that cannot be used again. */
const KEPT_BYTES_MIN = 8192;

const NOTHING = Buffer.alloc(0);

/**
 * Collects what one turn wants to write to a socket as bytes, so that it leaves with one system
 * call. Whoever writes asks for room, fills `chunk` from `at` on, and moves `at`.
 */
export class ByteSender extends SocketWriter {
  /** What is being filled; another one after each `reserve` and each flush. */
  chunk: Buffer = NOTHING;
  /** Where the next byte goes. */
  at = 0;
  /** How often something was handed to the socket. */
  writes = 0;
  #isQueued = false;

  constructor(socket: Socket, queue: FlushQueue) {
    super(socket, queue);
  }

  /** Makes room for so many bytes behind `at`. What is in the way is written. */
  reserve(bytes: number): void {
    const { chunk, at } = this;
    if (at + bytes <= chunk.length) return;
    const { chunks } = this.queue;
    if (at === 0) {
      if (chunk !== NOTHING) chunks.put(chunk);
      this.chunk = chunks.take(bytes);
    } else if (chunks.mayGrow(chunk, at + bytes)) {
      const grown = chunks.take(at + bytes);
      chunk.copy(grown, 0, 0, at);
      chunks.put(chunk);
      this.chunk = grown;
    } else {
      this.#write();
      this.chunk = chunks.take(bytes);
    }
  }

  /** Adds `buffer[from, to)`; the buffer may be overwritten after. */
  bytes(buffer: Buffer, from: number, to: number): void {
    this.reserve(to - from);
    buffer.copy(this.chunk, this.at, from, to);
    this.at += to - from;
  }

  /** Writes at the end of this turn; what is added until then goes with it. */
  flush(): void {
    if (this.#isQueued || this.at === 0) return;
    this.#isQueued = true;
    this.queue.add(this);
  }

  flushNow(): void {
    this.#isQueued = false;
    if (this.at > 0) this.#write();
  }

  /** Hands the chunk over: to the kernel, or to whoever keeps what the kernel does not take. */
  #write(): void {
    const { chunk, at } = this;
    this.chunk = NOTHING;
    this.at = 0;
    this.bytesSent += at;
    this.writes++;
    const bytes = chunk.subarray(0, at);
    const { direct, chunks } = this.queue;
    if (!this.isDirect() || this.handle === undefined || direct === undefined) {
      // The stream keeps what it is given until it has left.
      if (at > KEPT_BYTES_MIN) this.socket.write(bytes);
      else {
        this.socket.write(Buffer.from(bytes));
        chunks.put(chunk);
      }
      return;
    }
    if (this.socket.destroyed) return chunks.put(chunk);
    const result = direct.bytes(this.handle, bytes, this);
    this.took(result);
    if (result !== WRITE.pending) chunks.put(chunk);
  }
}
