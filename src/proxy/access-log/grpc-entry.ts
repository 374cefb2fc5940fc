import { create, type JsonObject, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type Any, anyPack, type Duration, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { RequestMethod } from "../../api/gen/envoy/config/core/v3/base_pb.js";
import {
  type AccessLogCommonSchema,
  AccessLogType,
  HTTPAccessLogEntrySchema,
  HTTPAccessLogEntry_HTTPVersion as HttpVersion,
  ResponseFlags_Unauthorized_Reason,
  type ResponseFlagsSchema,
  TCPAccessLogEntrySchema,
  type TLSPropertiesSchema,
  TLSProperties_TLSVersion as TlsVersion,
} from "../../api/gen/envoy/data/accesslog/v3/accesslog_pb.js";
import type { CertificateInfo, ConnectionInfo, PeerAddress } from "../../match/connection-info.ts";
import type { CustomTag } from "../../match/custom-tag.ts";
import type { StreamInfo, TimePoint } from "../../match/stream-info.ts";
import { utf8Text } from "../../match/wire-text.ts";
import { addressMessage } from "../net/address-message.ts";

/** Which headers an entry has besides those that every one has; names in lower case. */
export interface LoggedHeaders {
  readonly request: readonly string[];
  readonly response: readonly string[];
  readonly trailers: readonly string[];
}

/** What every entry of a log has besides. */
export interface CommonExtras {
  /** Objects of the filter state, by their keys. */
  readonly stateKeys: readonly string[];
  readonly tags: readonly CustomTag[];
}

/** What is known of a request, as Envoy's `HTTPAccessLogEntry` over the wire. */
export function encodeHttpEntry(
  info: StreamInfo,
  headers: LoggedHeaders,
  extras: CommonExtras,
): Uint8Array {
  const { upstream, wire } = info;
  const header = (name: string): string => utf8Text(info.requestHeader(name) ?? "");
  const method = info.requestHeader(":method") ?? "";
  return toBinary(
    HTTPAccessLogEntrySchema,
    create(HTTPAccessLogEntrySchema, {
      commonProperties: commonProperties(info, extras),
      protocolVersion: HTTP_VERSIONS[info.protocol ?? ""] ?? HttpVersion.PROTOCOL_UNSPECIFIED,
      request: {
        requestMethod: METHODS[method] ?? RequestMethod.METHOD_UNSPECIFIED,
        scheme: header(":scheme"),
        authority: header(":authority"),
        path: header(":path"),
        userAgent: header("user-agent"),
        referer: header("referer"),
        forwardedFor: header("x-forwarded-for"),
        requestId: header("x-request-id"),
        originalPath: header("x-envoy-original-path"),
        requestHeadersBytes: BigInt(method === "" ? 0 : info.requestHeadersBytes),
        requestBodyBytes: BigInt(info.bytesReceived),
        requestHeaders: pick(headers.request, (name) => info.requestHeader(name)),
        upstreamHeaderBytesSent: BigInt(upstream.wire.headSent),
        downstreamHeaderBytesReceived: BigInt(wire.headReceived),
      },
      response: {
        ...(info.status === 0 ? {} : { responseCode: info.status }),
        responseHeadersBytes: BigInt(info.responseHeadersBytes),
        responseBodyBytes: BigInt(info.bytesSent),
        responseHeaders: pick(headers.response, (name) => info.responseHeader(name)),
        responseTrailers: pick(headers.trailers, (name) => info.responseTrailer(name)),
        responseCodeDetails: utf8Text(info.details),
        upstreamHeaderBytesReceived: BigInt(upstream.wire.headReceived),
        downstreamHeaderBytesSent: BigInt(wire.headSent),
      },
    }),
  );
}

/** What is known of a connection, as Envoy's `TCPAccessLogEntry` over the wire. */
export function encodeTcpEntry(info: StreamInfo, extras: CommonExtras): Uint8Array {
  const message = create(TCPAccessLogEntrySchema, {
    commonProperties: commonProperties(info, extras),
    connectionProperties: {
      receivedBytes: BigInt(info.bytesReceived),
      sentBytes: BigInt(info.bytesSent),
    },
  });
  return toBinary(TCPAccessLogEntrySchema, message);
}

const HTTP_VERSIONS: Readonly<Record<string, HttpVersion>> = {
  "HTTP/1.0": HttpVersion.HTTP10,
  "HTTP/1.1": HttpVersion.HTTP11,
  "HTTP/2": HttpVersion.HTTP2,
};

const METHODS: Readonly<Record<string, RequestMethod>> = {
  GET: RequestMethod.GET,
  HEAD: RequestMethod.HEAD,
  POST: RequestMethod.POST,
  PUT: RequestMethod.PUT,
  DELETE: RequestMethod.DELETE,
  CONNECT: RequestMethod.CONNECT,
  OPTIONS: RequestMethod.OPTIONS,
  TRACE: RequestMethod.TRACE,
  PATCH: RequestMethod.PATCH,
};

function pick(
  names: readonly string[],
  read: (name: string) => string | undefined,
): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of names) {
    const value = read(name);
    if (value !== undefined) found[name] = utf8Text(value);
  }
  return found;
}

/** Texts, which is what filters leave here, as the message that they are in Envoy. */
function stateObjects(info: StreamInfo, keys: readonly string[]): Record<string, Any> {
  const found: Record<string, Any> = {};
  for (const key of keys) {
    const typed = info.filterState(key)?.typed;
    if (typeof typed !== "string") continue;
    const message = create(StringValueSchema, { value: utf8Text(typed) });
    found[utf8Text(key)] = anyPack(StringValueSchema, message);
  }
  return found;
}

function tagTexts(info: StreamInfo, tags: readonly CustomTag[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { name, read } of tags) {
    const value = read(info);
    if (value !== undefined) found[utf8Text(name)] = utf8Text(String(value));
  }
  return found;
}

function commonProperties(
  info: StreamInfo,
  { stateKeys, tags }: CommonExtras,
): MessageInitShape<typeof AccessLogCommonSchema> {
  const { connection, upstream, wire } = info;
  const since = (point: TimePoint): { seconds: bigint; nanos: number } | undefined =>
    duration(info.timeMs(point) - info.timeMs("DS_RX_BEG"), info.timeMs(point));
  const startSeconds = Math.floor(info.startMs / 1000);
  const tls = tlsProperties(connection);
  const flags = info.flag === "" ? undefined : responseFlags(info.flag);
  return {
    downstreamRemoteAddress: addressMessage(info.remote),
    downstreamDirectRemoteAddress: addressMessage(connection.directRemote),
    downstreamLocalAddress: addressMessage(connection.local),
    ...(tls === undefined ? {} : { tlsProperties: tls }),
    startTime: {
      seconds: BigInt(startSeconds),
      nanos: Math.floor((info.startMs - startSeconds * 1000) * 1e6),
    },
    ...times({
      duration: duration(info.durationMs, info.durationMs),
      timeToLastRxByte: since("DS_RX_END"),
      timeToFirstUpstreamTxByte: since("US_TX_BEG"),
      timeToLastUpstreamTxByte: since("US_TX_END"),
      timeToFirstUpstreamRxByte: since("US_RX_BEG"),
      timeToLastUpstreamRxByte: since("US_RX_END"),
      timeToFirstDownstreamTxByte: since("DS_TX_BEG"),
      timeToLastDownstreamTxByte: since("DS_TX_END"),
    }),
    ...(upstream.host === undefined
      ? {}
      : {
          upstreamRemoteAddress: addressMessage(hostAddress(upstream.host)),
          upstreamCluster: upstream.cluster ?? "",
        }),
    ...(upstream.localAddress && { upstreamLocalAddress: addressMessage(upstream.localAddress) }),
    upstreamTransportFailureReason: utf8Text(upstream.transportFailure),
    downstreamTransportFailureReason: utf8Text(connection.transportFailure),
    routeName: info.routeName,
    upstreamRequestAttemptCount: upstream.attempts,
    connectionTerminationDetails: utf8Text(info.terminationDetails),
    ...(flags === undefined ? {} : { responseFlags: flags }),
    streamId: info.streamId ?? "",
    filterStateObjects: stateObjects(info, stateKeys),
    customTags: tagTexts(info, tags),
    intermediateLogEntry: info.durationMs < 0,
    downstreamWireBytesSent: BigInt(wire.sent),
    downstreamWireBytesReceived: BigInt(wire.received),
    upstreamWireBytesSent: BigInt(upstream.wire.sent),
    upstreamWireBytesReceived: BigInt(upstream.wire.received),
    accessLogType: AccessLogType[info.logType as keyof typeof AccessLogType],
  };
}

type Span = Pick<Duration, "seconds" | "nanos">;

/** `at` is -1 for what did not happen. */
function duration(ms: number, at: number): Span | undefined {
  if (at < 0) return undefined;
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: Math.floor((ms - seconds * 1000) * 1e6) };
}

/** Those that there are. */
function times<T extends Record<string, Span | undefined>>(
  all: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const found = Object.entries(all).filter(([, span]) => span !== undefined);
  return Object.fromEntries(found) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

/** `address:port`, or a path. */
function hostAddress(key: string): PeerAddress {
  if (key.startsWith("/")) return { address: key, port: 0 };
  const colon = key.lastIndexOf(":");
  const host = key.substring(0, colon).replace(/^\[(.*)\]$/, "$1");
  return { address: host, port: Number(key.substring(colon + 1)) };
}

const FLAGS: Readonly<
  Record<string, Exclude<keyof MessageInitShape<typeof ResponseFlagsSchema>, symbol>>
> = {
  LH: "failedLocalHealthcheck",
  UH: "noHealthyUpstream",
  UT: "upstreamRequestTimeout",
  LR: "localReset",
  UR: "upstreamRemoteReset",
  UF: "upstreamConnectionFailure",
  UC: "upstreamConnectionTermination",
  UO: "upstreamOverflow",
  NR: "noRouteFound",
  DI: "delayInjected",
  FI: "faultInjected",
  RL: "rateLimited",
  RLSE: "rateLimitServiceError",
  DC: "downstreamConnectionTermination",
  URX: "upstreamRetryLimitExceeded",
  SI: "streamIdleTimeout",
  IH: "invalidEnvoyRequestHeaders",
  DPE: "downstreamProtocolError",
  UMSDR: "upstreamMaxStreamDurationReached",
  RFCF: "responseFromCacheFilter",
  NFCF: "noFilterConfigFound",
  DT: "durationTimeout",
  UPE: "upstreamProtocolError",
  NC: "noClusterFound",
  OM: "overloadManager",
  DF: "dnsResolutionFailure",
  DR: "downstreamRemoteReset",
};

function responseFlags(flag: string): MessageInitShape<typeof ResponseFlagsSchema> {
  const flags: JsonObject = {};
  let isUnauthorized = false;
  for (const one of flag.split(",")) {
    const field = FLAGS[one];
    if (field !== undefined) flags[field] = true;
    if (one === "UAEX") isUnauthorized = true;
  }
  if (!isUnauthorized) return flags;
  const reason = ResponseFlags_Unauthorized_Reason.EXTERNAL_SERVICE;
  return { ...flags, unauthorizedDetails: { reason } };
}

const TLS_VERSIONS: Readonly<Record<string, TlsVersion>> = {
  TLSv1: TlsVersion.TLSv1,
  "TLSv1.1": TlsVersion.TLSv1_1,
  "TLSv1.2": TlsVersion.TLSv1_2,
  "TLSv1.3": TlsVersion.TLSv1_3,
};

/** Numbers of cipher suites (IANA) by OpenSSL's names; of others none is told. */
const CIPHERS: Readonly<Record<string, number>> = {
  TLS_AES_128_GCM_SHA256: 0x1301,
  TLS_AES_256_GCM_SHA384: 0x1302,
  TLS_CHACHA20_POLY1305_SHA256: 0x1303,
  "ECDHE-ECDSA-AES128-GCM-SHA256": 0xc02b,
  "ECDHE-ECDSA-AES256-GCM-SHA384": 0xc02c,
  "ECDHE-RSA-AES128-GCM-SHA256": 0xc02f,
  "ECDHE-RSA-AES256-GCM-SHA384": 0xc030,
  "ECDHE-RSA-CHACHA20-POLY1305": 0xcca8,
  "ECDHE-ECDSA-CHACHA20-POLY1305": 0xcca9,
  "AES128-GCM-SHA256": 0x009c,
  "AES256-GCM-SHA384": 0x009d,
};

function tlsProperties({
  tls,
  serverName,
}: ConnectionInfo): MessageInitShape<typeof TLSPropertiesSchema> | undefined {
  const sni = serverName === "" ? {} : { tlsSniHostname: serverName };
  if (tls === undefined) return serverName === "" ? undefined : sni;
  const cipher = CIPHERS[tls.cipher];
  return {
    ...sni,
    tlsVersion: TLS_VERSIONS[tls.version] ?? TlsVersion.VERSION_UNSPECIFIED,
    ...(cipher === undefined ? {} : { tlsCipherSuite: cipher }),
    tlsSessionId: tls.sessionId,
    localCertificateProperties: certificate(tls.local),
    peerCertificateProperties: certificate(tls.peer),
  };
}

function certificate(
  info: CertificateInfo | undefined,
): NonNullable<MessageInitShape<typeof TLSPropertiesSchema>["localCertificateProperties"]> {
  const { subject = "", uriSans = [], dnsSans = [] } = info ?? {};
  const names = [
    ...uriSans.map((value) => ({ san: { case: "uri" as const, value } })),
    ...dnsSans.map((value) => ({ san: { case: "dns" as const, value } })),
  ];
  return { subject, subjectAltName: names };
}
