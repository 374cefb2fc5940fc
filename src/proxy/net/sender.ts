import type { Socket } from "node:net";
import { latin1 } from "./latin1.ts";

/** Pieces up to this size are joined with what stands before them; larger ones go out alone. */
const JOIN_BYTES_MAX = 8192;

/**
 * Collects what one event wants to write to a socket, so that it leaves with one system call.
 * Text is Latin-1: one byte for each character.
 */
export class Sender {
  readonly #socket: Socket;
  #text = "";

  constructor(socket: Socket) {
    this.#socket = socket;
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
      if (this.#text.length > JOIN_BYTES_MAX) this.flush();
      return;
    }
    const copy = Buffer.allocUnsafe(to - from);
    buffer.copy(copy, 0, from, to);
    if (this.#text === "") {
      this.#socket.write(copy);
      return;
    }
    this.#socket.cork();
    this.flush();
    this.#socket.write(copy);
    this.#socket.uncork();
  }

  flush(): void {
    const text = this.#text;
    if (text === "") return;
    this.#text = "";
    this.#socket.write(text, "latin1");
  }
}
