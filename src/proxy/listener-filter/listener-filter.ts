import type { AcceptedConnection } from "../listener/accepted-connection.ts";

/** What a filter says of the bytes so far, when it is not done. */
export const INSPECT = {
  /** It needs more of them. */
  more: -1,
  /** The connection must be closed. */
  close: -2,
} as const;

/** A listener filter, decoded and checked. */
export interface ListenerFilterConfig {
  /** Connections that it passes over; `undefined`: none. */
  readonly isDisabled: ((connection: AcceptedConnection) => boolean) | undefined;
  create(): ListenerFilter;
}

/** Looks at a connection before its filter chain is chosen; one for all connections. */
export interface ListenerFilter {
  /** Whether it looks at the first bytes; if not, it is called without any. */
  readonly needsBytes: boolean;
  /**
   * Looks at all bytes that have come so far, and writes what it finds to `connection`. Returns
   * how many of them belong to nobody further on, or one of `INSPECT`. It must come to an end
   * after a bounded number of bytes.
   */
  inspect(connection: AcceptedConnection, bytes: Buffer): number;
}
