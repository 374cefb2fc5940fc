import type { Socket } from "node:net";
import type { Adopt, OpenConnection, TerminalFilterConfig } from "./network-filter.ts";

/** Says the same to every client and closes. */
export function directResponse(response: Buffer): TerminalFilterConfig {
  return {
    isTerminal: true,
    http: undefined,
    create: () => ({
      service: undefined,
      open: (_connection, adopt, onEnd) => new DirectResponse(response, adopt, onEnd),
    }),
  };
}

class DirectResponse implements OpenConnection {
  readonly #socket: Socket;
  readonly #onEnd: (connection: OpenConnection) => void;

  constructor(response: Buffer, adopt: Adopt, onEnd: (connection: OpenConnection) => void) {
    this.#onEnd = onEnd;
    this.#socket = adopt(this);
    if (response.length > 0) this.#socket.write(response);
    this.#socket.destroySoon();
  }

  onBytes(): void {
    // Nobody listens.
  }

  onEnd(): void {
    // It is closing already.
  }

  onDrain(): void {
    // All was written at once.
  }

  onClose(): void {
    this.#onEnd(this);
  }

  closeIfIdle(): void {
    // It closes as soon as it has spoken.
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
