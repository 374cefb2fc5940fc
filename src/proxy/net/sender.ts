import type { Socket } from "node:net";
import { latin1 } from "./latin1.ts";

/** Pieces up to this size are joined with what stands before them; larger ones go out alone. */
const JOIN_BYTES_MAX = 8192;

/**
 * Lets all senders of one proxy write together, at the end of the turn of the event loop. What one
 * turn read is then worked through before the first write wakes another process: 5 to 10 % less
 * CPU for each request than writing at once, and more requests per second.
 */
export class FlushQueue {
  #dirty: Sender[] = [];
  #flushing: Sender[] = [];

  add(sender: Sender): void {
    if (this.#dirty.push(sender) === 1) setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    const all = this.#dirty;
    this.#dirty = this.#flushing;
    for (const sender of all) sender.flushNow();
    all.length = 0;
    this.#flushing = all;
  };
}

/**
 * Collects what one turn wants to write to a socket, so that it leaves with one system call. Text
 * is Latin-1: one byte for each character.
 */
export class Sender {
  readonly #socket: Socket;
  readonly #queue: FlushQueue;
  #text = "";
  #isQueued = false;

  constructor(socket: Socket, queue: FlushQueue) {
    this.#socket = socket;
    this.#queue = queue;
  }

  /** Whether more should wait for the socket's drain event. */
  get isFull(): boolean {
    return this.#socket.writableNeedDrain;
  }

  text(text: string): void {
    this.#text += text;
  }

  /** Adds `buffer[from, to)`; the bytes are copied, so the buffer may be overwritten after. */
  bytes(buffer: Buffer, from: number, to: number): void {
    if (to - from <= JOIN_BYTES_MAX) {
      this.#text += latin1(buffer, from, to);
      if (this.#text.length > JOIN_BYTES_MAX) this.flushNow();
      return;
    }
    const copy = Buffer.allocUnsafe(to - from);
    buffer.copy(copy, 0, from, to);
    if (this.#text === "") {
      this.#socket.write(copy);
      return;
    }
    this.#socket.cork();
    this.flushNow();
    this.#socket.write(copy);
    this.#socket.uncork();
  }

  /** Writes at the end of this turn; what is added until then goes with it. */
  flush(): void {
    if (this.#isQueued || this.#text === "") return;
    this.#isQueued = true;
    this.#queue.add(this);
  }

  /** Writes at once: before the socket is ended, or its fullness counts. */
  flushNow(): void {
    this.#isQueued = false;
    const text = this.#text;
    if (text === "") return;
    this.#text = "";
    this.#socket.write(text, "latin1");
  }
}
