import type { PeerAddress, TlsInfo } from "../../match/connection-info.ts";
import { joinFlags } from "../../match/response-flags.ts";
import {
  type HeaderSource,
  NO_BYTES,
  type TimePoint,
  type WireBytes,
} from "../../match/stream-info.ts";
import { type AccessLog, logToAll } from "../access-log/access-log.ts";
import { listBytes } from "../http/byte-meter.ts";
import { HeaderList } from "../http/header-list.ts";
import type { HttpService } from "../http/http-config.ts";
import {
  HttpStreamInfo,
  HttpUpstreamInfo,
  type InformedStream,
  namesOf,
} from "../http/http-stream-info.ts";
import type { ResponseHead } from "../http/message-head.ts";
import { Deadline } from "../net/deadlines.ts";

/** When entries of attempts are written besides the one at an attempt's end. */
export interface AttemptLogMoments {
  /** When it has its connection. */
  readonly onConnected: boolean;
  /** While it lasts; 0 for never. */
  readonly everyMs: number;
}

type LogType = "UpstreamPoolReady" | "UpstreamPeriodic" | "UpstreamEnd";

/**
 * The logs of the router (`upstream_log`): an entry for each attempt. One object serves the attempts
 * of all requests of a stream object; there is none where nothing is logged of them.
 */
export class AttemptLog {
  readonly #stream: InformedStream;
  readonly #logs: readonly AccessLog[];
  readonly #moments: AttemptLogMoments;
  #attempt: AttemptInfo | undefined = undefined;
  #interval: Deadline | undefined = undefined;

  private constructor({ attemptLogs, config }: HttpService, stream: InformedStream) {
    this.#logs = attemptLogs;
    this.#moments = config.attemptLogMoments;
    this.#stream = stream;
  }

  /** `undefined` where there is no log. */
  static of(service: HttpService, stream: InformedStream): AttemptLog | undefined {
    return service.attemptLogs.length === 0 ? undefined : new AttemptLog(service, stream);
  }

  /** A host is chosen. */
  start(): void {
    this.#attempt = new AttemptInfo(this.#stream);
    if (this.#moments.everyMs !== 0) this.#arm(this.#moments.everyMs);
  }

  onConnected(): void {
    if (this.#attempt === undefined) return;
    this.#attempt.connect();
    if (this.#moments.onConnected) this.#write("UpstreamPoolReady");
  }

  onHead(head: ResponseHead): void {
    this.#attempt?.takeHead(head);
  }

  onBytes(count: number): void {
    if (this.#attempt !== undefined) this.#attempt.bytesOfBody += count;
  }

  addFlag(flag: string): void {
    if (this.#attempt !== undefined) this.#attempt.ownFlag = joinFlags(this.#attempt.ownFlag, flag);
  }

  /** It is over, however that came about. */
  end(trailers?: HeaderList): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    this.#interval?.cancel();
    attempt.end(trailers);
    this.#write("UpstreamEnd");
    this.#attempt = undefined;
  }

  #write(logType: LogType): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    attempt.logType = logType;
    logToAll(this.#logs, attempt, this.#stream.context.faults.note);
  }

  #arm(everyMs: number): void {
    this.#interval ??= new Deadline({
      onDeadline: () => {
        this.#arm(everyMs);
        this.#write("UpstreamPeriodic");
      },
    });
    const { clock, deadlines } = this.#stream.context;
    deadlines.set(this.#interval, everyMs, clock.monotonicMs());
  }
}

/** Moments that are those of the client's request, of which an attempt knows nothing. */
const OF_REQUEST: ReadonlySet<TimePoint> = new Set([
  "DS_RX_HDR_END",
  "DS_RX_END",
  "DS_TX_BEG",
  "DS_TX_END",
]);

/** One attempt as access logs read it: what concerns the request is the request's. */
class AttemptInfo extends HttpStreamInfo {
  readonly #stream: InformedStream;
  readonly #startMs: number;
  readonly #wallMs: number;
  #endMs = -1;
  #head: HeaderList | undefined = undefined;
  #status = 0;
  #trailers: HeaderList | undefined = undefined;
  readonly #upstream: AttemptUpstreamInfo;
  bytesOfBody = 0;
  ownFlag = "";

  constructor(stream: InformedStream) {
    const upstream = new AttemptUpstreamInfo(stream);
    super(stream, upstream);
    this.#stream = stream;
    this.#upstream = upstream;
    const { clock } = stream.context;
    this.#startMs = clock.monotonicMs();
    this.#wallMs = clock.nowMs();
  }

  connect(): void {
    this.#upstream.isConnected = true;
  }

  /** What filters make of the head afterwards does not concern it. */
  takeHead({ status, headers }: ResponseHead): void {
    this.#status = status;
    this.#head = new HeaderList();
    this.#head.restore(headers.snapshot());
  }

  end(trailers: HeaderList | undefined): void {
    this.#endMs = this.#stream.context.clock.monotonicMs();
    this.#trailers = trailers;
  }

  override get startMs(): number {
    return this.#wallMs;
  }
  override get durationMs(): number {
    return this.#endMs < 0 ? -1 : this.#endMs - this.#startMs;
  }
  override timeMs(point: TimePoint): number {
    if (point === "DS_RX_BEG") return this.#startMs;
    if (OF_REQUEST.has(point)) return -1;
    const ms = super.timeMs(point);
    // Connections are older than what goes over them; anything else before it is another attempt's.
    if (point.startsWith("US_CX")) return this.#upstream.isConnected ? ms : -1;
    return ms < this.#startMs ? -1 : ms;
  }
  override get protocol(): string | undefined {
    return this.upstream.protocol;
  }
  override get status(): number {
    return this.#status;
  }
  override get wire(): WireBytes {
    return this.#upstream.isConnected ? super.wire : NO_BYTES;
  }
  // Envoy knows them of the request only.
  override get streamId(): undefined {
    return undefined;
  }
  override get traceId(): undefined {
    return undefined;
  }
  override get spanId(): undefined {
    return undefined;
  }
  override get details(): string {
    return "";
  }
  override get flag(): string {
    return this.ownFlag;
  }
  override get bytesReceived(): number {
    return this.bytesOfBody;
  }
  override get bytesSent(): number {
    return this.#stream.router.bytesSent;
  }
  override responseHeader(name: string): string | undefined {
    if (name !== ":status") return this.#head?.first(name);
    return this.#status === 0 ? undefined : String(this.#status);
  }
  override responseTrailer(name: string): string | undefined {
    return this.#trailers?.first(name);
  }
  override get responseHeadersBytes(): number {
    if (this.#head === undefined) return 0;
    return ":status".length + String(this.#status).length + listBytes(this.#head);
  }
  override get responseTrailersBytes(): number {
    return this.#trailers === undefined ? 0 : listBytes(this.#trailers);
  }
  override headerNames(source: HeaderSource): readonly string[] {
    if (source === "request") return super.headerNames(source);
    if (source === "trailers") return namesOf(this.#trailers);
    return this.#head === undefined ? [] : [":status", ...namesOf(this.#head)];
  }
}

/** Until an attempt has a connection, the last one is another attempt's. */
class AttemptUpstreamInfo extends HttpUpstreamInfo {
  isConnected = false;

  /** Nor does Envoy say it here. */
  override get attempts(): number {
    return 0;
  }
  override get localAddress(): PeerAddress | undefined {
    return this.isConnected ? super.localAddress : undefined;
  }
  override get remoteAddress(): PeerAddress | undefined {
    return this.isConnected ? super.remoteAddress : undefined;
  }
  override get protocol(): string | undefined {
    return this.isConnected ? super.protocol : undefined;
  }
  override get tls(): TlsInfo | undefined {
    return this.isConnected ? super.tls : undefined;
  }
  override get connectionId(): number | undefined {
    return this.isConnected ? super.connectionId : undefined;
  }
}
