import type { Socket } from "node:net";
import type { HttpConfig, HttpService } from "../http/http-config.ts";
import type { AcceptedConnection } from "../listener/accepted-connection.ts";
import type { ChainDeps } from "../listener/chain.ts";
import type { ListenerDeps } from "../listener/listener.ts";
import type { SocketOwner } from "../net/socket.ts";

/** A network filter, decoded and checked: the last of its chain, or one that stands before it. */
export type NetworkFilterConfig = TerminalFilterConfig | PassingFilterConfig;

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
  readonly isTerminal: true;
  /** Of a connection manager only. */
  readonly http: HttpConfig | undefined;
  create(deps: ChainDeps): TerminalFilter;
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
  /** A connection is gone that a filter before it did not let pass: it may be counted and logged. */
  onRefused?(connection: AcceptedConnection): void;
}

/** A filter that stands before the last, decoded and checked. */
export interface PassingFilterConfig {
  readonly isTerminal: false;
  /** Makes what looks at each connection of one chain. */
  create(deps: ListenerDeps): (connection: FilteredSocket) => PassingFilter;
}

/** What a filter may do to its connection. */
export interface FilteredSocket {
  readonly connection: AcceptedConnection;
  /** Closes it, without waiting for what is on its way. */
  destroy(): void;
  /** Keeps what comes, for a filter that stops it as it begins and will let it `continue`. */
  hold(): void;
  continue(): void;
}

/** Looks at one connection, and may end it; it does not change bytes. */
export interface PassingFilter {
  /**
   * Whether the connection goes on to the next filter; if not, this one will close it or let it
   * continue.
   */
  onNewConnection?(): boolean;
  /** The client sent bytes, or its end: whether they go on; if not, this filter closes it. */
  onData?(isEnd: boolean): boolean;
  /** The connection is gone. */
  onClose?(): void;
}
