import type { Socket } from "node:net";
import type { HttpConfig, HttpService } from "../http/http-config.ts";
import type { AcceptedConnection } from "../listener/accepted-connection.ts";
import type { ListenerDeps } from "../listener/listener.ts";
import type { SocketOwner } from "../net/socket.ts";

/** Hands an open socket to its owner, who is told of all that happens to it from now on. */
export type Adopt = (owner: SocketOwner) => Socket;

/** A connection in the hands of the last filter of its chain. */
export interface OpenConnection extends SocketOwner {
  /** Ends at once, whatever is in progress. */
  destroy(): void;
  /** Ends it unless something is in progress. */
  closeIfIdle(): void;
}

/** The last filter of a chain, decoded and checked. */
export interface TerminalFilterConfig {
  /** Of a connection manager only. */
  readonly http: HttpConfig | undefined;
  create(deps: ListenerDeps): TerminalFilter;
}

/** The last filter of a chain: it makes something of the bytes. */
export interface TerminalFilter {
  /** Of a connection manager only. */
  readonly service: HttpService | undefined;
  /** Takes a connection; `onEnd` is called once, when nothing of it is left. */
  open(
    connection: AcceptedConnection,
    adopt: Adopt,
    onEnd: (connection: OpenConnection) => void,
  ): OpenConnection;
}
