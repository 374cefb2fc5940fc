import type { Adopt } from "../network-filter/network-filter.ts";
import type { DownstreamTlsConfig } from "../tls/tls-config.ts";
import type { AcceptedConnection } from "./accepted-connection.ts";
import type { ListenerDeps } from "./listener.ts";

/** The transport socket of a chain, decoded; a chain of plain text has none. */
export interface TransportConfig {
  readonly tls: DownstreamTlsConfig;
  create(deps: ListenerDeps): DownstreamTransport;
}

/** What a chain's connections are opened over. */
export interface DownstreamTransport {
  /** Whether what it needs (secrets) has come; a listener warms until then. */
  readonly isReady: boolean;
  /**
   * Takes the paused socket of `connection`, with the bytes that were read from it already, and
   * shakes hands. Calls back once, from this turn or a later one: with what hands the opened
   * socket over to its owner, or with `undefined` when it failed and the socket is closed. What it
   * learns it writes to `connection` before.
   */
  open(
    connection: AcceptedConnection,
    peeked: Buffer | undefined,
    onDone: (adopt: Adopt | undefined) => void,
  ): Handshake;
  /** The listener's address, and so the prefix of its counters, is known now. */
  countUnder(prefix: string): void;
  /** The chain is gone, with all its connections. */
  close(): void;
}

/** A handshake in progress. */
export interface Handshake {
  /** Closes the socket; nobody is called back. */
  destroy(): void;
}
