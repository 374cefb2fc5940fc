import type { CustomTag } from "../../match/custom-tag.ts";
import type { TimePoint } from "../../match/stream-info.ts";
import type { Host } from "../cluster/host.ts";
import type { HeaderList } from "../http/header-list.ts";
import type { HttpStreamInfo, InformedStream } from "../http/http-stream-info.ts";
import { isGrpcRequest } from "../http/local-reply-head.ts";
import type { RequestHead } from "../http/message-head.ts";
import type { TracingConfig } from "./http-tracing.ts";
import type { Span } from "./span.ts";

/** What spans are told about. */
export interface TaggedStream extends InformedStream {
  readonly info: HttpStreamInfo;
  readonly protocol: string;
}

/** Tells the span of a request all that is known at its end, in Envoy's order and words. */
export function tagRequest(span: Span, stream: TaggedStream, config: TracingConfig): void {
  const { head, connection } = stream;
  const { headers } = head;
  const requestId = headers.first("x-request-id");
  if (requestId !== undefined) span.setTag("guid:x-request-id", requestId);
  span.setTag("http.url", originalUrl(head, config.pathLengthMax));
  span.setTag("http.method", head.method);
  const cluster = headers.first("x-envoy-downstream-service-cluster");
  span.setTag("downstream_cluster", cluster ?? "-");
  span.setTag("user_agent", headers.first("user-agent") ?? "-");
  span.setTag("http.protocol", stream.protocol);
  span.setTag("peer.address", connection.remote.address);
  const clientTraceId = headers.first("x-client-trace-id");
  if (clientTraceId !== undefined) span.setTag("guid:x-client-trace-id", clientTraceId);
  if (isGrpcRequest(head)) tagGrpcRequest(span, head);
  span.setTag("request_size", String(stream.bytesReceived));
  span.setTag("response_size", String(stream.bytesSent));
  tagCommon(span, stream, stream.status, stream.flag);
  if (config.isVerbose) noteTimes(span, stream.info, TIMES);
  tagCustom(span, stream, config.customTags);
  tagGrpcResponse(span, stream.responseHeaders);
  tagGrpcResponse(span, stream.responseTrailers);
}

/** One attempt at an upstream host, as far as its span is told of it. */
export interface AttemptOutcome {
  readonly host: Host | undefined;
  /** `undefined` where nothing was sent. */
  readonly protocol: string | undefined;
  /** 0 where there was no answer. */
  readonly status: number;
  readonly flag: string;
}

/** Tells the span of an attempt how it ended. */
export function tagAttempt(
  span: Span,
  stream: TaggedStream,
  config: TracingConfig,
  { host, protocol, status, flag }: AttemptOutcome,
): void {
  span.setTag("http.protocol", protocol ?? "-");
  if (host !== undefined) {
    span.setTag("upstream_address", host.key);
    span.setTag("peer.address", host.key);
  }
  tagCommon(span, stream, status, flag);
  if (config.isVerbose) noteTimes(span, stream.info, UPSTREAM_TIMES);
  tagCustom(span, stream, config.customTags);
}

function tagCommon(span: Span, { info }: TaggedStream, status: number, flag: string): void {
  span.setTag("component", "proxy");
  const { cluster, clusterAlias } = info.upstream;
  if (cluster !== undefined) {
    span.setTag("upstream_cluster", cluster);
    span.setTag("upstream_cluster.name", clusterAlias ?? cluster);
  }
  span.setTag("http.status_code", String(status));
  span.setTag("response_flags", flag || "-");
  if (status === 0 || status >= 500) span.setTag("error", "true");
}

/** A route's tags come before those of its connection manager. */
function tagCustom(span: Span, { route, info }: TaggedStream, tags: readonly CustomTag[]): void {
  const own = route?.tracing?.customTags ?? [];
  for (const tag of own) tagOne(span, tag, info);
  for (const tag of tags) {
    if (!own.some(({ name }) => name === tag.name)) tagOne(span, tag, info);
  }
}

function tagOne(span: Span, { name, read }: CustomTag, info: HttpStreamInfo): void {
  const value = read(info);
  if (value !== undefined) span.setTag(name, value);
}

/** What the client asked for, before anything was rewritten but the host. */
function originalUrl({ headers, authority, path }: RequestHead, lengthMax: number): string {
  const original = headers.first("x-envoy-original-path") ?? path;
  const scheme = headers.first("x-forwarded-proto") ?? "";
  return `${scheme}://${authority}${original.substring(0, lengthMax)}`;
}

function tagGrpcRequest(span: Span, { headers, authority, path }: RequestHead): void {
  span.setTag("grpc.path", path);
  span.setTag("grpc.authority", authority);
  const contentType = headers.first("content-type");
  if (contentType !== undefined) span.setTag("grpc.content_type", contentType);
  const timeout = headers.first("grpc-timeout");
  if (timeout !== undefined) span.setTag("grpc.timeout", timeout);
}

/** What headers or trailers say of the end of a call. */
export function tagGrpcResponse(span: Span, headers: HeaderList | undefined): void {
  const status = headers?.first("grpc-status");
  if (headers === undefined || status === undefined) return;
  span.setTag("grpc.status_code", status);
  const message = headers.first("grpc-message");
  if (message !== undefined) span.setTag("grpc.message", message);
  if (UPSTREAM_FAULTS.has(status)) span.setTag("error", "true");
}

/** Statuses of gRPC (google.rpc.Code) that are the upstream's fault. */
const UPSTREAM_FAULTS: ReadonlySet<string> = new Set(["2", "4", "8", "10", "12", "13", "14", "15"]);

type TimedEvent = readonly [point: TimePoint, event: string];

const UPSTREAM_TIMES: readonly TimedEvent[] = [
  ["US_TX_BEG", "first_upstream_tx_byte_sent"],
  ["US_TX_END", "last_upstream_tx_byte_sent"],
  ["US_RX_BEG", "first_upstream_rx_byte_received"],
  ["US_RX_END", "last_upstream_rx_byte_received"],
];
const TIMES: readonly TimedEvent[] = [
  ["DS_RX_END", "last_downstream_rx_byte_received"],
  ...UPSTREAM_TIMES,
  ["DS_TX_BEG", "first_downstream_tx_byte_sent"],
  ["DS_TX_END", "last_downstream_tx_byte_sent"],
];

function noteTimes(span: Span, info: HttpStreamInfo, times: readonly TimedEvent[]): void {
  for (const [point, event] of times) {
    const atMs = info.timeMs(point);
    if (atMs >= 0) span.note(event, atMs);
  }
}
