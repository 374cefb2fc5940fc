import type { Socket } from "node:net";
import type { FlushQueue } from "../net/flush-queue.ts";
import { Sender } from "../net/sender.ts";
import type { Adopt, OpenConnection, TerminalFilterConfig } from "./network-filter.ts";

/** Gives every client back what it sends. */
export const ECHO: TerminalFilterConfig = {
  isTerminal: true,
  http: undefined,
  create: ({ context }) => ({
    service: undefined,
    open: (_connection, adopt, onEnd) => new EchoConnection(context.flushQueue, adopt, onEnd),
  }),
};

class EchoConnection implements OpenConnection {
  readonly #socket: Socket;
  readonly #out: Sender;
  readonly #onEnd: (connection: OpenConnection) => void;

  constructor(queue: FlushQueue, adopt: Adopt, onEnd: (connection: OpenConnection) => void) {
    this.#onEnd = onEnd;
    this.#socket = adopt(this);
    this.#out = new Sender(this.#socket, queue);
  }

  onBytes(buffer: Buffer, length: number): void {
    this.#out.bytes(buffer, 0, length);
    this.#out.flushNow();
    if (this.#out.isFull) this.#socket.pause();
  }

  onEnd(): void {
    this.#socket.destroySoon();
  }

  onDrain(): void {
    this.#socket.resume();
  }

  onClose(): void {
    this.#onEnd(this);
  }

  closeIfIdle(): void {
    // It has pauses that mean nothing.
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
