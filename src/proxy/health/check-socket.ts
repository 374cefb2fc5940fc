import type { Socket } from "node:net";
import { dialAddress, type Host } from "../cluster/host.ts";
import { connectSocket, type ReadBuffer, type SocketOwner } from "../net/socket.ts";
import type { HealthCheckConfig } from "./health-config.ts";

/** What a check hears of its connection, while it has not closed it. */
export interface CheckEvents {
  onConnect(): void;
  onBytes(buffer: Buffer, length: number): void;
  /** The host ended it, or it never stood. */
  onEnd(): void;
}

/** A connection of a health check's own: to where the host is checked, over its transport. */
export class CheckSocket implements SocketOwner {
  readonly #events: CheckEvents;
  readonly #socket: Socket;
  #isClosed = false;

  constructor(host: Host, config: HealthCheckConfig, buffer: ReadBuffer, events: CheckEvents) {
    this.#events = events;
    const { transports, config: cluster } = host.load;
    const dial = dialAddress(checkAddress(host), cluster.connection);
    const transport = transports?.for(config.transportMetadata ?? host.state.metadata);
    const onConnect = (): void => {
      if (!this.#isClosed) this.#events.onConnect();
    };
    this.#socket =
      transport === undefined
        ? connectSocket(dial, buffer, this, onConnect)
        : transport.connect(dial, buffer, this, onConnect, config.alpn);
  }

  /** Before it is connected it is kept. */
  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** Nothing more is told of it. */
  close(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }

  onBytes(buffer: Buffer, length: number): void {
    if (!this.#isClosed) this.#events.onBytes(buffer, length);
  }

  onEnd(): void {
    this.onClose();
  }

  onClose(): void {
    if (this.#isClosed) return;
    this.close();
    this.#events.onEnd();
  }

  onDrain(): void {
    // What a check says is short, and said once.
  }
}

/** Where a host is checked. */
export function checkAddress({ address, port, state }: Host): { address: string; port: number } {
  const own = state.healthCheck?.address ?? { address, port };
  const other = state.healthCheck?.port ?? 0;
  return other === 0 ? own : { address: own.address, port: other };
}
