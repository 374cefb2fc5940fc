import type { FilterStateObject } from "../../match/filter-state.ts";
import { isGrpcContentType } from "../../match/grpc-content-type.ts";
import type { BodySink } from "../http/body-sink.ts";
import type { HeaderList } from "../http/header-list.ts";
import {
  FILTER,
  type FilterStatus,
  type FilterStream,
  type HttpFilter,
} from "../http/http-filter.ts";
import type { ResponseHead } from "../http/message-head.ts";
import {
  type CallCounters,
  type CallName,
  type CallStats,
  parseCallName,
  statNameOf,
} from "./grpc-call-stats.ts";
import { FrameReader, MessageCounter } from "./grpc-frames.ts";

/** Which calls have numbers of their own; decoded. */
export interface GrpcStatsConfig {
  readonly notesState: boolean;
  /** `undefined` where all have; otherwise `service/method` of those that have. */
  readonly named: ReadonlySet<string> | undefined;
  readonly replacesDots: boolean;
  readonly measuresUpstream: boolean;
}

/** What a request speaks: gRPC, or one of the two ways of Connect. */
type CallKind = "grpc" | "unary" | "streaming";

const CONNECT_STREAM = "application/connect+";
/** Under which name Envoy notes it, whatever the filter is called. */
const STATE_KEY = "envoy.filters.http.grpc_stats";

/** Counts the calls and messages of gRPC and Connect for their clusters. */
export class GrpcStatsFilter implements HttpFilter {
  readonly #stream: FilterStream;
  readonly #config: GrpcStatsConfig;
  readonly #stats: CallStats;
  #kind: CallKind | undefined = undefined;
  #counters: CallCounters | undefined = undefined;
  #state: MessageCounts | undefined = undefined;

  constructor(stream: FilterStream, config: GrpcStatsConfig, stats: CallStats) {
    this.#stream = stream;
    this.#config = config;
    this.#stats = stats;
  }

  onRequestHead(isEnd: boolean): FilterStatus {
    const stream = this.#stream;
    const kind = kindOf(stream.head.headers);
    this.#kind = kind;
    if (kind === undefined) return FILTER.continue;
    this.#counters = this.#findCounters();
    if (!isEnd)
      stream.interceptRequest((next) => new RequestMessages(next, kind, this.#onRequests));
    return FILTER.continue;
  }

  #findCounters(): CallCounters | undefined {
    const cluster = statNameOf(this.#stream);
    const name = parseCallName(this.#stream.path);
    if (cluster === undefined || name === undefined) return undefined;
    return this.#stats.of(cluster, this.#nameOf(name));
  }

  #nameOf({ service, method }: CallName): CallName | undefined {
    const { named, replacesDots } = this.#config;
    if (named !== undefined) {
      return named.has(`${service}/${method}`) ? { service, method } : undefined;
    }
    return { service: replacesDots ? service.replaceAll(".", "_") : service, method };
  }

  readonly #onRequests = (count: number): void => {
    this.#noteState()?.addRequests(count);
    this.#counters?.countRequests(count);
  };

  readonly #onResponses = (count: number): void => {
    this.#noteState()?.addResponses(count);
    this.#counters?.countResponses(count);
  };

  #noteState(): MessageCounts | undefined {
    if (!this.#config.notesState) return undefined;
    if (this.#state === undefined) {
      this.#state = new MessageCounts();
      this.#stream.notes.setState(STATE_KEY, this.#state);
    }
    return this.#state;
  }

  onResponseHead(head: ResponseHead, hasBody: boolean): FilterStatus {
    const { headers, status } = head;
    const kind = this.#kind;
    // Messages of gRPC that nobody asked for are noted all the same, and counted nowhere.
    if (kind === undefined && !(hasBody && this.#config.notesState)) return FILTER.continue;
    const type = headers.first("content-type") ?? "";
    const isGrpc = status === 200 && isGrpcContentType(type);
    if (kind === undefined && !isGrpc) return FILTER.continue;
    if (kind === "unary") this.#counters?.countEnd(status === 200);
    else if (status !== 200 || !type.startsWith(CONNECT_STREAM)) {
      this.#counters?.countStatus(headers.first("grpc-status"));
    }
    if (hasBody) this.#watch(kind, isGrpc);
    else this.#countTime();
    return FILTER.continue;
  }

  #watch(kind: CallKind | undefined, isGrpc: boolean): void {
    const foreign = kind === "grpc" ? undefined : kind;
    const observer: ResponseObserver = {
      onMessages: this.#onResponses,
      onTrailers: (trailers) => {
        if (kind !== "grpc") return;
        this.#counters?.countStatus(trailers.first("grpc-status"));
        this.#countTime();
      },
      onStreamEnd: (isSuccess) => this.#counters?.countEnd(isSuccess),
      onConnectEnd: () => this.#countTime(),
    };
    this.#stream.interceptResponse(
      (next) => new ResponseMessages(next, isGrpc ? "grpc" : foreign, observer),
    );
  }

  /** From the last byte that was sent to the upstream to the last one that came from it. */
  #countTime(): void {
    if (!this.#config.measuresUpstream) return;
    const { info } = this.#stream;
    const sentMs = info.timeMs("US_TX_END");
    const readMs = info.timeMs("US_RX_END");
    if (sentMs >= 0 && readMs >= 0)
      this.#counters?.addTime(Math.max(0, Math.floor(readMs - sentMs)));
  }

  onStreamEnd(): void {
    this.#kind = undefined;
    this.#counters = undefined;
    this.#state = undefined;
  }
}

function kindOf(headers: HeaderList): CallKind | undefined {
  const type = headers.first("content-type") ?? "";
  if (isGrpcContentType(type)) return "grpc";
  if (type.startsWith(CONNECT_STREAM)) return "streaming";
  return headers.has("connect-protocol-version") ? "unary" : undefined;
}

/** How many messages went each way, as it is at any time. */
class MessageCounts implements FilterStateObject {
  #requests = 0;
  #responses = 0;

  get text(): string {
    return `${this.#requests},${this.#responses}`;
  }
  get typed(): NonNullable<FilterStateObject["typed"]> {
    return {
      ...(this.#requests > 0 ? { requestMessageCount: String(this.#requests) } : {}),
      ...(this.#responses > 0 ? { responseMessageCount: String(this.#responses) } : {}),
    };
  }

  addRequests(count: number): void {
    this.#requests += count;
  }

  addResponses(count: number): void {
    this.#responses += count;
  }
}

/** Counts the messages of a request on their way; a body of Connect's unary calls is one. */
class RequestMessages implements BodySink {
  readonly #next: BodySink;
  readonly #counter: MessageCounter | undefined;
  readonly #onMessages: (count: number) => void;

  constructor(next: BodySink, kind: CallKind, onMessages: (count: number) => void) {
    this.#next = next;
    this.#counter = kind === "unary" ? undefined : new MessageCounter();
    this.#onMessages = onMessages;
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    const count = this.#counter?.add(buffer, from, to) ?? 0;
    if (count > 0) this.#onMessages(count);
    this.#next.onBodyBytes(buffer, from, to);
  }

  onBodyEnd(trailers?: HeaderList): void {
    if (this.#counter === undefined && trailers === undefined) this.#onMessages(1);
    this.#next.onBodyEnd(trailers);
  }
}

interface ResponseObserver {
  onMessages(count: number): void;
  onTrailers(trailers: HeaderList): void;
  /** A stream of Connect ends, with success or not; `onConnectEnd` follows. */
  onStreamEnd(isSuccess: boolean): void;
  /** A call of Connect ends without trailers, as all of them should. */
  onConnectEnd(): void;
}

/** The flag of the frame that ends a stream of Connect, with a JSON object that may hold an error. */
const END_FLAG = 2;
/** So much of that object is read. */
const END_BYTES_MAX = 65_536;

/** The same for a response; `kind` is `undefined` where what comes is none of that. */
class ResponseMessages implements BodySink {
  readonly #next: BodySink;
  readonly #kind: CallKind | undefined;
  readonly #observer: ResponseObserver;
  readonly #frames = new FrameReader();
  /** The text of the frame that ends a stream; `undefined` before it. */
  #end: string | undefined = undefined;
  #isEndWhole = false;

  constructor(next: BodySink, kind: CallKind | undefined, observer: ResponseObserver) {
    this.#next = next;
    this.#kind = kind;
    this.#observer = observer;
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    if (this.#kind === "grpc" || this.#kind === "streaming") this.#count(buffer, from, to);
    this.#next.onBodyBytes(buffer, from, to);
  }

  #count(buffer: Buffer, from: number, to: number): void {
    const frames = this.#frames;
    let count = 0;
    for (let at = from; at < to && !this.#isEndWhole; ) {
      const end = frames.read(buffer, at, to);
      const isLast = this.#kind === "streaming" && (frames.flags & END_FLAG) !== 0;
      if (isLast) {
        this.#end = (this.#end ?? "") + buffer.toString("latin1", at, end);
        this.#isEndWhole = frames.isEnd || this.#end.length > END_BYTES_MAX;
      } else if (frames.isStart) count++;
      at = end;
    }
    if (count > 0) this.#observer.onMessages(count);
  }

  onBodyEnd(trailers?: HeaderList): void {
    if (trailers !== undefined) this.#observer.onTrailers(trailers);
    else if (this.#kind !== undefined && this.#kind !== "grpc") this.#endConnect(this.#kind);
    this.#next.onBodyEnd(trailers);
  }

  #endConnect(kind: "unary" | "streaming"): void {
    if (kind === "unary") this.#observer.onMessages(1);
    else this.#observer.onStreamEnd(this.#isEndWhole && isSuccess(this.#end ?? ""));
    this.#observer.onConnectEnd();
  }
}

/** Whether the JSON object behind a prefix names no code of an error. */
function isSuccess(frame: string): boolean {
  try {
    const end: unknown = JSON.parse(frame.substring(5));
    if (typeof end !== "object" || end === null) return false;
    const error: unknown = "error" in end ? end.error : undefined;
    return typeof error !== "object" || error === null || !("code" in error);
  } catch {
    return false;
  }
}
