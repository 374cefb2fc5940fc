import type { PeerAddress, TlsInfo } from "./connection-info.ts";
import type { MatchRequest, MetadataValue } from "./match-request.ts";

/** Where metadata of configuration is kept, by the names of Envoy's METADATA operator. */
export const METADATA_KINDS = [
  "CLUSTER",
  "LISTENER",
  "LISTENER_FILTER_CHAIN",
  "ROUTE",
  "UPSTREAM_HOST",
  "VIRTUAL_HOST",
] as const;
export type MetadataKind = (typeof METADATA_KINDS)[number];

/** Moments in the life of a stream that are kept, by the names of COMMON_DURATION. */
export const TIME_POINTS = [
  "DS_RX_BEG",
  "DS_RX_HDR_END",
  "DS_RX_END",
  "US_CX_BEG",
  "US_CX_END",
  "US_TX_BEG",
  "US_TX_END",
  "US_RX_BEG",
  "US_RX_BODY_BEG",
  "US_RX_END",
  "DS_TX_BEG",
  "DS_TX_END",
  "DS_CX_BEG",
  "DS_CX_END",
] as const;
export type TimePoint = (typeof TIME_POINTS)[number];

/** What went over the wire on one side; all 0 where nothing did. */
export interface WireBytes {
  readonly received: number;
  readonly sent: number;
  /** Of header fields alone; 0 for TCP. */
  readonly headReceived: number;
  readonly headSent: number;
}

export const NO_BYTES: WireBytes = { received: 0, sent: 0, headReceived: 0, headSent: 0 };

/** Where a host is, or a proxy; "" for what nobody said. */
export interface Place {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

/** Who this proxy is, as its bootstrap says; "" for what it does not. */
export interface NodeInfo {
  readonly id: string;
  readonly cluster: string;
  readonly zone: string;
}

/** What happened upstream. */
export interface UpstreamInfo {
  /** `undefined` while none was chosen. */
  readonly cluster: string | undefined;
  /** The name under which it is counted and logged, which its configuration may give. */
  readonly clusterAlias: string | undefined;
  /** `address:port` of the host, or its path; `undefined` while none was chosen. */
  readonly host: string | undefined;
  /** The host's name, where its configuration gives one; else its address with the port. */
  readonly hostName: string | undefined;
  /** Both ends of the connection; `undefined` without one. */
  readonly localAddress: PeerAddress | undefined;
  readonly remoteAddress: PeerAddress | undefined;
  /** `HTTP/1.1`; `undefined` when nothing was sent. */
  readonly protocol: string | undefined;
  /** Attempts, the first one counted. */
  readonly attempts: number;
  /** Why the connection could not be made; "" when it could. */
  readonly transportFailure: string;
  readonly tls: TlsInfo | undefined;
  /** Whether the host counts as one that was tried. */
  readonly wasTried: boolean;
  /** Of the last connection, from 1; `undefined` when there was none. */
  readonly connectionId: number | undefined;
  /** How long the last attempt waited for a connection, in milliseconds; -1 when there was none. */
  readonly poolReadyMs: number;
  /** Over all attempts. */
  readonly wire: WireBytes;
  /** Of the host; `undefined` while none was chosen. */
  readonly locality: Place | undefined;
  /** How many hosts the cluster has; `undefined` while none was chosen. */
  readonly endpoints: number | undefined;
}

/** Headers of which message. */
export type HeaderSource = "request" | "response" | "trailers";

/**
 * What is known of one request, or of one TCP connection: what header values and access logs are
 * made of. Reading it costs something only where it is read, so a stream that nobody asks about
 * fills in nothing. Text is as it came over the wire: one character for each byte.
 */
export interface StreamInfo extends MatchRequest {
  /** Envoy's AccessLogType, in capital letters at each word: `DownstreamEnd`. */
  readonly logType: string;
  /** `HTTP/1.1`, `HTTP/1.0`; `undefined` for TCP. */
  readonly protocol: string | undefined;
  /** Of the response; 0 when none was sent, and for TCP. */
  readonly status: number;
  /** Envoy's RESPONSE_CODE_DETAILS; "" for none. */
  readonly details: string;
  /** Envoy's CONNECTION_TERMINATION_DETAILS; "" for none. */
  readonly terminationDetails: string;
  /** Short names, in Envoy's order, joined by commas; "" for none. */
  readonly flag: string;
  /** Whether there is a route for the request. */
  readonly hasRoute: boolean;
  readonly routeName: string;
  /** `undefined` where no virtual host is for the request, and for TCP. */
  readonly virtualHostName: string | undefined;
  readonly node: NodeInfo;
  /** Whether the request asks how this proxy is. */
  readonly isHealthCheck?: boolean;
  /** Whether it was decided that the request is traced. */
  readonly isTraced?: boolean;
  /** The body of an answer of the proxy's own. */
  readonly localReplyBody: string;
  /** The stream's UUID, which is its `x-request-id`. */
  readonly streamId: string | undefined;
  /** Of the span that the request is, in hexadecimal digits; `undefined` where nothing is traced. */
  readonly traceId: string | undefined;
  readonly spanId: string | undefined;
  /** A new UUID each time. */
  readonly uniqueId: string;
  /** When the stream began and what time it is now, in milliseconds since 1970. */
  readonly startMs: number;
  readonly nowMs: number;
  /** Of the bodies, or of all that went over a TCP connection. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly wire: WireBytes;
  /** Names and values of the headers as they are now; 0 without any. */
  readonly requestHeadersBytes: number;
  readonly responseHeadersBytes: number;
  readonly responseTrailersBytes: number;
  readonly upstream: UpstreamInfo;
  /** From its beginning to its end, in milliseconds; -1 while it lasts. */
  readonly durationMs: number;
  /** Milliseconds on a clock that never goes back; -1 for what did not happen. */
  timeMs(point: TimePoint): number;
  /** Names in lower case, also `:method`, `:path`, `:scheme`, `:authority`. */
  requestHeader(name: string): string | undefined;
  /** Also `:status`. */
  responseHeader(name: string): string | undefined;
  responseTrailer(name: string): string | undefined;
  /** Names of headers as they are now, in lower case, also `:path` and its like. */
  headerNames(source: HeaderSource): readonly string[];
  metadata(kind: MetadataKind, namespace: string): MetadataValue | undefined;
}
