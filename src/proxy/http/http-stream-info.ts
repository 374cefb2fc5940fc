import type { ConnectionInfo, PeerAddress, TlsInfo } from "../../match/connection-info.ts";
import type { FilterStateObject } from "../../match/filter-state.ts";
import type { MetadataValue } from "../../match/match-request.ts";
import type { RuntimeReader } from "../../match/runtime-reader.ts";
import {
  type HeaderSource,
  type MetadataKind,
  NO_BYTES,
  type NodeInfo,
  type Place,
  type StreamInfo,
  type TimePoint,
  type UpstreamInfo,
  type WireBytes,
} from "../../match/stream-info.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Router } from "../router/router.ts";
import type { HttpStats } from "../stats/http-stats.ts";
import type { StreamTrace } from "../tracing/stream-trace.ts";
import { type ByteMeter, listBytes } from "./byte-meter.ts";
import type { HeaderList } from "./header-list.ts";
import type { FilterStream } from "./http-filter.ts";
import { MOMENT, type StreamTimes } from "./stream-times.ts";

/** What a stream lets be read of itself. */
export interface InformedStream extends FilterStream {
  readonly router: Router;
  readonly times: StreamTimes;
  /** `undefined` where nothing is traced. */
  readonly trace: StreamTrace | undefined;
  /** What the client speaks. */
  readonly protocol: string;
  readonly status: number;
  readonly flag: string;
  readonly details: string;
  /** Whether the connection ends with the response. */
  readonly closes: boolean;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Of the client's side; absent without logs. */
  readonly meter: ByteMeter | undefined;
  /** `undefined` before there is a response. */
  readonly responseHeaders: HeaderList | undefined;
  /** What came behind the response's last chunk; `undefined` for nothing. */
  readonly responseTrailers: HeaderList | undefined;
}

/** A request as access logs and header values read it: looks things up only when asked. */
export class HttpStreamInfo implements StreamInfo {
  readonly #stream: InformedStream;
  readonly upstream: UpstreamInfo;
  logType = "DownstreamEnd";
  /** Like Envoy, only the format of such a body may read it: it is empty at any other time. */
  localReplyBody = "";
  readonly terminationDetails = "";

  constructor(stream: InformedStream, upstream: UpstreamInfo = new HttpUpstreamInfo(stream)) {
    this.#stream = stream;
    this.upstream = upstream;
  }

  // As matchers read it.
  get method(): string {
    return this.#stream.method;
  }
  get path(): string {
    return this.#stream.path;
  }
  get authority(): string {
    return this.#stream.authority;
  }
  get scheme(): string {
    return this.#stream.scheme;
  }
  get headers(): HeaderList {
    return this.#stream.head.headers;
  }
  get connection(): ConnectionInfo {
    return this.#stream.connection;
  }
  get remote(): PeerAddress {
    return this.#stream.remote;
  }
  get runtime(): RuntimeReader {
    return this.#stream.runtime;
  }
  dynamicMetadata(filter: string): { readonly [key: string]: MetadataValue } | undefined {
    return this.#stream.dynamicMetadata(filter);
  }
  filterState(key: string): FilterStateObject | undefined {
    return this.#stream.filterState(key);
  }

  get isTraced(): boolean {
    return this.#stream.trace?.isTraced === true;
  }
  get isHealthCheck(): boolean {
    return this.#stream.notes.isHealthCheck;
  }
  get protocol(): string | undefined {
    return this.#stream.protocol;
  }
  get status(): number {
    return this.#stream.status;
  }
  get details(): string {
    // Before there is a response nobody knows whose it will be.
    if (this.#stream.status === 0 && this.logType !== "DownstreamEnd") return "";
    return this.#stream.details;
  }
  get flag(): string {
    return this.#stream.flag;
  }
  get hasRoute(): boolean {
    return this.#stream.route !== undefined;
  }
  get routeName(): string {
    return this.#stream.route?.name ?? "";
  }
  get virtualHostName(): string | undefined {
    return this.#stream.virtualHost?.name;
  }
  get node(): NodeInfo {
    return this.#stream.context.node;
  }
  get streamId(): string | undefined {
    return this.#stream.head.headers.get("x-request-id");
  }
  get traceId(): string | undefined {
    return this.#stream.trace?.traceId;
  }
  get spanId(): string | undefined {
    return this.#stream.trace?.spanId;
  }
  get uniqueId(): string {
    return this.#stream.context.createRequestId();
  }
  get startMs(): number {
    const { times, context } = this.#stream;
    if (times.isKept) return times.wallMs;
    // Header values may ask for it where there is no log.
    return Math.floor(context.clock.nowMs() - (context.clock.monotonicMs() - times.startMs));
  }
  get nowMs(): number {
    return this.#stream.context.clock.nowMs();
  }
  get bytesReceived(): number {
    return this.#stream.bytesReceived;
  }
  get bytesSent(): number {
    return this.#stream.bytesSent;
  }

  get wire(): WireBytes {
    return this.#stream.meter ?? NO_BYTES;
  }
  get requestHeadersBytes(): number {
    const { method, path, authority, scheme, head } = this.#stream;
    let bytes = listBytes(head.headers);
    if (method !== "") bytes += ":method".length + method.length;
    if (path !== "") bytes += ":path".length + path.length;
    if (authority !== "") bytes += ":authority".length + authority.length;
    if (scheme !== "" && method !== "") bytes += ":scheme".length + scheme.length;
    return bytes;
  }
  get responseHeadersBytes(): number {
    const { status, closes, responseHeaders } = this.#stream;
    if (responseHeaders === undefined) return 0;
    const own = ":status".length + String(status).length + (closes ? "connectionclose".length : 0);
    return own + listBytes(responseHeaders);
  }
  get responseTrailersBytes(): number {
    const { responseTrailers } = this.#stream;
    return responseTrailers === undefined ? 0 : listBytes(responseTrailers);
  }

  get durationMs(): number {
    const { times } = this.#stream;
    const endMs = times.at(MOMENT.answerEnd);
    return endMs < 0 ? -1 : endMs - times.startMs;
  }
  timeMs(point: TimePoint): number {
    const { times, router } = this.#stream;
    switch (point) {
      case "DS_RX_BEG":
        return times.startMs;
      case "DS_RX_HDR_END":
        return times.at(MOMENT.headEnd);
      case "DS_RX_END":
        return times.requestEndMs;
      case "US_CX_BEG":
        return router.search.last?.line.connectStartMs ?? -1;
      case "US_CX_END":
        return router.search.last?.line.connectedMs ?? -1;
      case "US_TX_BEG":
        return times.at(MOMENT.sendBegin);
      case "US_TX_END":
        return times.at(MOMENT.sendEnd);
      case "US_RX_BEG":
        return times.at(MOMENT.readBegin);
      case "US_RX_BODY_BEG":
        return times.at(MOMENT.readBody);
      case "US_RX_END":
        return times.at(MOMENT.readEnd);
      case "DS_TX_BEG":
        return times.at(MOMENT.answerBegin);
      case "DS_TX_END":
        return times.at(MOMENT.answerEnd);
      // Of TCP only.
      case "DS_CX_BEG":
      case "DS_CX_END":
        return -1;
    }
  }

  requestHeader(name: string): string | undefined {
    const stream = this.#stream;
    if (name === ":authority" || name === "host") return stream.authority || undefined;
    if (name === ":path") return stream.path || undefined;
    if (name === ":method") return stream.method || undefined;
    if (name === ":scheme") return stream.scheme || undefined;
    return stream.head.headers.first(name);
  }
  responseHeader(name: string): string | undefined {
    const { status, responseHeaders } = this.#stream;
    if (name === ":status") return status === 0 ? undefined : String(status);
    // It is no header of the list: it concerns this hop only.
    if (name === "connection") return this.#stream.closes && status !== 0 ? "close" : undefined;
    return responseHeaders?.first(name);
  }
  responseTrailer(name: string): string | undefined {
    return this.#stream.responseTrailers?.first(name);
  }
  headerNames(source: HeaderSource): readonly string[] {
    const { head, status, responseHeaders, responseTrailers, closes } = this.#stream;
    if (source === "trailers") return namesOf(responseTrailers);
    if (source === "response") {
      if (status === 0) return [];
      return [":status", ...(closes ? ["connection"] : []), ...namesOf(responseHeaders)];
    }
    const own = [":authority", ":path", ":method", ":scheme"];
    return [
      ...own.filter((name) => this.requestHeader(name) !== undefined),
      ...namesOf(head.headers),
    ];
  }
  metadata(kind: MetadataKind, namespace: string): MetadataValue | undefined {
    const { router, route, virtualHost, connection } = this.#stream;
    if (kind === "LISTENER") return connection.listener?.metadata[namespace];
    if (kind === "LISTENER_FILTER_CHAIN") return connection.listener?.chainMetadata[namespace];
    if (kind === "UPSTREAM_HOST") return router.host?.state.metadata[namespace];
    if (kind === "ROUTE") return route?.metadata[namespace];
    if (kind === "VIRTUAL_HOST") return virtualHost?.metadata[namespace];
    return router.cluster?.config.metadata[namespace];
  }
}

/** Each once. */
export function namesOf(headers: HeaderList | undefined): readonly string[] {
  if (headers === undefined) return [];
  const names = new Set<string>();
  for (let at = 0; at < headers.end; at += 2) names.add(headers.entries[at] ?? "");
  return [...names];
}

/** The upstream side of a request. */
export class HttpUpstreamInfo implements UpstreamInfo {
  readonly #stream: InformedStream;

  constructor(stream: InformedStream) {
    this.#stream = stream;
  }

  /** That of the route before the router has it. */
  get #cluster(): Cluster | undefined {
    const { router, choice, context } = this.#stream;
    return router.cluster ?? (choice && context.findCluster(choice.name));
  }
  get clusterAlias(): string | undefined {
    return this.#cluster?.config.alias;
  }
  get cluster(): string | undefined {
    return this.#cluster?.config.name;
  }
  get host(): string | undefined {
    return this.#stream.router.host?.key;
  }
  get hostName(): string | undefined {
    const host = this.#stream.router.host;
    return host && (host.state.hostname || host.key);
  }
  get localAddress(): PeerAddress | undefined {
    return this.#stream.router.search.last?.line.localAddress;
  }
  get remoteAddress(): PeerAddress | undefined {
    return this.#stream.router.search.last?.line.remoteAddress;
  }
  get protocol(): string | undefined {
    return this.#stream.router.search.last?.protocol;
  }
  get attempts(): number {
    return this.#stream.router.attempts;
  }
  get transportFailure(): string {
    return this.#stream.router.search.transportFailure;
  }
  get tls(): TlsInfo | undefined {
    return this.#stream.router.search.last?.line.tls;
  }
  get connectionId(): number | undefined {
    return this.#stream.router.search.last?.line.id;
  }
  get wasTried(): boolean {
    return this.connectionId !== undefined;
  }
  get poolReadyMs(): number {
    return this.#stream.router.search.poolReadyMs;
  }
  get wire(): WireBytes {
    return this.#stream.router.meter ?? NO_BYTES;
  }
  get locality(): Place | undefined {
    return this.#stream.router.host?.state.locality;
  }
  get endpoints(): number | undefined {
    return this.#cluster?.hosts.length;
  }
}

/** Counts a stream that is over. */
export function countStream(stream: InformedStream, { counters, requestTime }: HttpStats): void {
  const { times, router, flag, details } = stream;
  requestTime.add(Math.floor(times.endMs - times.startMs));
  if (details === "via_upstream") {
    if (times.requestEndMs < 0) return;
    router.cluster?.load.requestTime.add(Math.floor(times.endMs - times.requestEndMs));
    return;
  }
  if (flag === "NR") counters.no_route++;
  else if (flag === "NC") counters.no_cluster++;
  else if (flag === "SI") counters.downstream_rq_idle_timeout++;
  else if (flag === "DC") counters.downstream_rq_rx_reset++;
  else if (details === "max_duration_timeout") counters.downstream_rq_max_duration_reached++;
  else if (details === "request_overall_timeout") counters.downstream_rq_timeout++;
  // Envoy counts redirects here too, and nothing as rq_redirect.
  else if (details === "direct_response") counters.rq_direct_response++;
  else if (details === "request_payload_too_large") counters.downstream_rq_too_large++;
  else if (details === "absolute_path_rejected") counters.downstream_rq_non_relative_path++;
}
