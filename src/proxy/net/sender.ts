import { writeSome } from "./direct-write.ts";
import { latin1 } from "./latin1.ts";
import { SocketWriter } from "./socket-writer.ts";

/** Pieces up to this size are joined with what stands before them; larger ones go out alone. */
const JOIN_BYTES_MAX = 8192;

/**
 * Collects what one turn wants to write to a socket, so that it leaves with one system call. Text
 * is Latin-1: one byte for each character.
 */
export class Sender extends SocketWriter {
  #text = "";
  #isQueued = false;

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
    if (this.isDirect()) {
      this.flushNow();
      this.#writeLarge(buffer, from, to);
      return;
    }
    const copy = copyOf(buffer, from, to);
    if (this.#text === "") {
      this.socket.write(copy);
      return;
    }
    this.socket.cork();
    this.flushNow();
    this.socket.write(copy);
    this.socket.uncork();
  }

  /** Writes at the end of this turn; what is added until then goes with it. */
  flush(): void {
    if (this.#isQueued || this.#text === "") return;
    this.#isQueued = true;
    this.queue.add(this);
  }

  /** Writes at once: before the socket is ended, or its fullness counts. */
  flushNow(): void {
    this.#isQueued = false;
    const text = this.#text;
    if (text === "") return;
    this.#text = "";
    this.bytesSent += text.length;
    const { direct } = this.queue;
    if (!this.isDirect() || this.handle === undefined || direct === undefined) {
      this.socket.write(text, "latin1");
    } else if (!this.socket.destroyed) {
      this.took(direct.text(this.handle, text, this));
    }
  }

  /** The shared buffer is written from as it is; only what the kernel leaves is copied. */
  #writeLarge(buffer: Buffer, from: number, to: number): void {
    const { direct } = this.queue;
    if (this.handle === undefined || direct === undefined || this.socket.destroyed) return;
    let at = from;
    try {
      if (this.pending === 0) at += writeSome(this.handle, buffer, from, to);
    } catch (error) {
      this.socket.destroy(error as Error);
      return;
    }
    if (at < to) this.took(direct.bytes(this.handle, copyOf(buffer, at, to), this));
  }
}

function copyOf(buffer: Buffer, from: number, to: number): Buffer {
  const copy = Buffer.allocUnsafe(to - from);
  buffer.copy(copy, 0, from, to);
  return copy;
}
