import type { Socket } from "node:net";
import {
  type DirectWriter,
  type StreamHandle,
  WRITE,
  type WriteOwner,
  writeError,
  writeSome,
} from "./direct-write.ts";
import { latin1 } from "./latin1.ts";

/** Pieces up to this size are joined with what stands before them; larger ones go out alone. */
const JOIN_BYTES_MAX = 8192;

/**
 * Lets all senders of one proxy write together, at the end of the turn of the event loop. What one
 * turn read is then worked through before the first write wakes another process: 5 to 10 % less
 * CPU for each request than writing at once, and more requests per second.
 */
export class FlushQueue {
  /** How to write past `net.Socket`; `undefined` where this Node cannot. */
  readonly direct: DirectWriter | undefined;
  #dirty: Sender[] = [];
  #flushing: Sender[] = [];
  #turn = 0;
  #isArmed = false;

  constructor(direct: DirectWriter | undefined) {
    this.direct = direct;
  }

  add(sender: Sender): void {
    this.#dirty.push(sender);
    this.#arm();
  }

  /** The number of this turn of the event loop: what has one number happened in one turn. */
  get turn(): number {
    this.#arm();
    return this.#turn;
  }

  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#isArmed = false;
    this.#turn++;
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
 *
 * A plain socket's bytes go to its handle directly once it is connected, and through the stream
 * otherwise (while it connects; TLS). What the kernel does not take at once waits in libuv, which
 * keeps the order of writes, and of the end after them, whichever way they came.
 */
export class Sender implements WriteOwner {
  readonly #socket: Socket;
  readonly #queue: FlushQueue;
  #text = "";
  #isQueued = false;
  #handle: StreamHandle | undefined = undefined;
  #isDecided = false;
  /** Writes to the handle that wait for the peer. */
  #pending = 0;
  /** What was handed to the socket so far. */
  bytesSent = 0;

  constructor(socket: Socket, queue: FlushQueue) {
    this.#socket = socket;
    this.#queue = queue;
    this.#isDecided = queue.direct === undefined;
  }

  /** Whether more should wait for the socket's drain event. */
  get isFull(): boolean {
    return this.#pending > 0 || this.#socket.writableNeedDrain;
  }

  text(text: string): void {
    this.#text += text;
  }

  /** Adds `buffer[from, to)`; the buffer may be overwritten after. */
  bytes(buffer: Buffer, from: number, to: number): void {
    if (to - from <= JOIN_BYTES_MAX) {
      this.#text += latin1(buffer, from, to);
      if (this.#text.length > JOIN_BYTES_MAX) this.flushNow();
      return;
    }
    this.bytesSent += to - from;
    if (this.#isDirect()) {
      this.flushNow();
      this.#writeLarge(buffer, from, to);
      return;
    }
    const copy = copyOf(buffer, from, to);
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
    this.bytesSent += text.length;
    const { direct } = this.#queue;
    if (!this.#isDirect() || this.#handle === undefined || direct === undefined) {
      this.#socket.write(text, "latin1");
    } else if (!this.#socket.destroyed) {
      this.#took(direct.text(this.#handle, text, this));
    }
  }

  /** Once the socket is connected and what was written before has left the stream. */
  #isDirect(): boolean {
    if (this.#isDecided) return this.#handle !== undefined;
    const socket = this.#socket;
    if (socket.connecting || socket.writableLength > 0 || socket.writableEnded) return false;
    this.#isDecided = true;
    this.#handle = this.#queue.direct?.handleOf(socket);
    return this.#handle !== undefined;
  }

  /** The shared buffer is written from as it is; only what the kernel leaves is copied. */
  #writeLarge(buffer: Buffer, from: number, to: number): void {
    const { direct } = this.#queue;
    if (this.#handle === undefined || direct === undefined || this.#socket.destroyed) return;
    let at = from;
    try {
      if (this.#pending === 0) at += writeSome(this.#handle, buffer, from, to);
    } catch (error) {
      this.#socket.destroy(error as Error);
      return;
    }
    if (at < to) this.#took(direct.bytes(this.#handle, copyOf(buffer, at, to), this));
  }

  #took(result: number): void {
    if (result === WRITE.pending) this.#pending++;
    else if (result < 0) this.#socket.destroy(writeError(result));
  }

  onWritten(status: number): void {
    this.#pending--;
    if (this.#socket.destroyed) return;
    if (status < 0) this.#socket.destroy(writeError(status));
    else if (this.#pending === 0) this.#socket.emit("drain");
  }
}

function copyOf(buffer: Buffer, from: number, to: number): Buffer {
  const copy = Buffer.allocUnsafe(to - from);
  buffer.copy(copy, 0, from, to);
  return copy;
}
