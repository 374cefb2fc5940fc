import type { AcceptedConnection } from "../listener/accepted-connection.ts";
import type { ListenerDeps } from "../listener/listener.ts";

/** What a filter says of the bytes so far, when it is not done. */
export const INSPECT = {
  /** It needs more of them. */
  more: -1,
  /** The connection must be closed. */
  close: -2,
} as const;

/** The most that any filter waits for: a PROXY header with all the extensions it may have. */
export const INSPECTED_BYTES_MAX = 65_551;

/** A listener filter, decoded and checked. */
export interface ListenerFilterConfig {
  create(deps: ListenerDeps): ListenerFilter;
}

/** Whether a filter passes over a connection. */
export type ConnectionPredicate = (connection: AcceptedConnection) => boolean;

/** Looks at a connection before its filter chain is chosen; one for all connections. */
export interface ListenerFilter {
  /** Whether it looks at the first bytes; if not, it is called without any. */
  readonly needsBytes: boolean;
  /**
   * Looks at all bytes that have come so far, and writes what it finds to `connection`. Returns
   * how many of them belong to nobody further on, or one of `INSPECT`. After
   * `INSPECTED_BYTES_MAX` nothing more is read.
   */
  inspect(connection: AcceptedConnection, bytes: Buffer): number;
}
