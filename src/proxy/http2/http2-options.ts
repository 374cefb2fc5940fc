/**
 * How HTTP/2 is spoken on a connection, to clients or to upstreams (Envoy,
 * `Http2ProtocolOptions`), decoded and checked.
 */
export interface Http2Options {
  /** The HPACK table's bytes: ours for what the peer sends, and the most of the peer's. */
  readonly hpackTableSize: number;
  /** Streams at a time: what the peer may open here, and what is opened there at most. */
  readonly maxConcurrentStreams: number;
  /** Bytes that may be under way to us, on each stream and on all of them. */
  readonly streamWindow: number;
  readonly connectionWindow: number;
  /** Whether extended CONNECT is offered and sent (RFC 8441). */
  readonly allowsConnect: boolean;
  /** Frames of all kinds, and of PING, SETTINGS and RST_STREAM, that may wait for the socket. */
  readonly outboundFramesMax: number;
  readonly outboundControlFramesMax: number;
  /** HEADERS, CONTINUATION and DATA in a row that say nothing. */
  readonly emptyFramesMax: number;
  /** For each stream that was opened, and for one more. */
  readonly priorityFramesMax: number;
  /** For each DATA frame that was sent. */
  readonly windowUpdatesMax: number;
  /** Whether a message that breaks a rule ends its stream alone; else the connection. */
  readonly endsStreamOnError: boolean;
  /** How a silent peer is asked whether it is there; `undefined` is never. */
  readonly keepalive: KeepaliveOptions | undefined;
}

/** PING frames that must be answered (Envoy, `KeepaliveSettings`). */
export interface KeepaliveOptions {
  /** 0: none at a pace. */
  readonly intervalMs: number;
  /** Of silence after a PING; whatever comes begins it anew. */
  readonly timeoutMs: number;
  /** What is added to an interval at most, at random, in percent of it. */
  readonly jitterPercent: number;
  /** A connection that was silent for so long is asked before a new stream; 0: it is not. */
  readonly idleIntervalMs: number;
}

/** What Envoy 1.40 says where nothing is configured. */
export const HTTP2_DEFAULTS: Http2Options = {
  hpackTableSize: 4096,
  maxConcurrentStreams: 1024,
  streamWindow: 16_777_216,
  connectionWindow: 25_165_824,
  allowsConnect: false,
  outboundFramesMax: 10_000,
  outboundControlFramesMax: 1000,
  emptyFramesMax: 1,
  priorityFramesMax: 100,
  windowUpdatesMax: 10,
  endsStreamOnError: false,
  keepalive: undefined,
};
