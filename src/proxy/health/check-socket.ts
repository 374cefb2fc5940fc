import type { Socket } from "node:net";
import type { ConnectionInfo } from "../../match/connection-info.ts";
import { dialAddress, type Host } from "../cluster/host.ts";
import { dialHost, type Hop } from "../cluster/host-dial.ts";
import {
  localAddressOf,
  type ReadBuffer,
  remoteAddressOf,
  type SocketOwner,
} from "../net/socket.ts";
import type { HealthCheckConfig } from "./health-config.ts";

/** What a check hears of its connection, while it has not closed it. */
export interface CheckEvents {
  onConnect(): void;
  onBytes(buffer: Buffer, length: number): void;
  /** The host ended it, or it never stood. */
  onEnd(): void;
}

const NOWHERE = { address: "", port: 0 };

/** A connection of a health check's own: to where the host is checked, over its transport. */
export class CheckSocket implements SocketOwner {
  readonly #events: CheckEvents;
  readonly #socket: Socket;
  readonly #early: Buffer[] = [];
  #isConnected = false;
  #isClosed = false;

  constructor(
    host: Host,
    config: HealthCheckConfig,
    buffer: ReadBuffer,
    events: CheckEvents,
    ownAlpn: readonly string[] = [],
  ) {
    this.#events = events;
    const { transports, config: cluster } = host.load;
    const dial = dialAddress(checkAddress(host), cluster.connection);
    const metadata = config.transportMetadata ?? host.state.metadata;
    const hop: Hop = {
      tls: transports?.for(metadata),
      header: transports?.headerFor(metadata),
      client: undefined,
      keepAlive: cluster.connection.keepAlive,
      hello: { alpn: config.alpn, ownAlpn, hostname: host.state.hostname },
    };
    this.#socket = dialHost(dial, hop, buffer, this, () => this.#onConnect());
  }

  #onConnect(): void {
    if (this.#isClosed) return;
    this.#isConnected = true;
    // Behind the PROXY header that the host may have been told.
    for (const bytes of this.#early.splice(0)) this.#socket.write(bytes);
    this.#events.onConnect();
  }

  /** For whoever writes frames; to be used once it is connected. */
  get socket(): Socket {
    return this.#socket;
  }

  /** Its two ends; nowhere before it is connected, and for a Unix socket. */
  get ends(): Pick<ConnectionInfo, "local" | "remote"> {
    const local = localAddressOf(this.#socket) ?? NOWHERE;
    return { local, remote: remoteAddressOf(this.#socket) ?? NOWHERE };
  }

  /** Before it is connected it is kept. */
  write(bytes: Buffer): void {
    if (this.#isConnected) this.#socket.write(bytes);
    else this.#early.push(bytes);
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
