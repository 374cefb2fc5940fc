import { randomBytes } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HeaderValueSchema } from "../../api/gen/envoy/config/core/v3/base_pb.js";
import type { BodySchema } from "../../api/gen/envoy/data/tap/v3/common_pb.js";
import type { HttpBufferedTrace_MessageSchema } from "../../api/gen/envoy/data/tap/v3/http_pb.js";
import { currentShare } from "../../match/runtime-reader.ts";
import { utf8Text } from "../../match/wire-text.ts";
import type { BodySink } from "../http/body-sink.ts";
import type { HeaderList } from "../http/header-list.ts";
import {
  FILTER,
  type FilterStatus,
  type FilterStream,
  type HttpFilter,
} from "../http/http-filter.ts";
import type { ResponseHead } from "../http/message-head.ts";
import { addressMessage } from "../net/address-message.ts";
import type { TapConfig, TapSink, TapTarget } from "../tap/tap-config.ts";

/** By Envoy's names. */
export const TAP_ZERO = { rq_sampled_out: 0, rq_tapped: 0 };

/** What a tap filter has besides its stream. */
export interface TapOptions {
  /** What is tapped now; `undefined` for nothing. */
  readonly find: () => TapTarget | undefined;
  readonly recordsTimes: boolean;
  readonly recordsConnection: boolean;
  readonly counters: typeof TAP_ZERO;
}

type HeaderValues = MessageInitShape<typeof HeaderValueSchema>[];
type BodyInit = MessageInitShape<typeof BodySchema>;
type Part = "requestBodyChunk" | "responseBodyChunk";

/** `envoy.filters.http.tap`: copies what goes by, for whoever wants to look at it. */
export class TapFilter implements HttpFilter {
  readonly #stream: FilterStream;
  readonly #options: TapOptions;
  #tap: TapRun | undefined = undefined;

  constructor(stream: FilterStream, options: TapOptions) {
    this.#stream = stream;
    this.#options = options;
  }

  onRequestHead(isEnd: boolean): FilterStatus {
    const target = this.#options.find();
    if (target === undefined || !this.#isSampled(target.config)) return FILTER.continue;
    const tap = new TapRun(this.#stream, target, this.#options);
    this.#tap = tap;
    tap.onRequestHead();
    if (!isEnd) this.#stream.interceptRequest((next) => tap.requestBody(next));
    return FILTER.continue;
  }

  #isSampled({ enabled }: TapConfig): boolean {
    const { context, runtime } = this.#stream;
    if (enabled === undefined || context.prng.next() < currentShare(enabled, runtime)) return true;
    this.#options.counters.rq_sampled_out++;
    return false;
  }

  onResponseHead(head: ResponseHead, hasBody: boolean): void {
    const tap = this.#tap;
    if (tap === undefined) return;
    tap.onResponseHead(head);
    if (hasBody) this.#stream.interceptResponse((next) => tap.responseBody(next));
  }

  onStreamEnd(): void {
    if (this.#tap?.end() === true) this.#options.counters.rq_tapped++;
    this.#tap = undefined;
  }
}

/** One request as it is tapped. */
class TapRun {
  readonly #stream: FilterStream;
  readonly #config: TapConfig;
  readonly #target: TapTarget;
  readonly #options: TapOptions;
  readonly #traceId = randomBytes(8).readBigUInt64BE();
  readonly #requestBody: BoundedBody;
  readonly #responseBody: BoundedBody;
  readonly #requestMs: number;
  #responseMs = 0;
  #requestTrailers: HeaderList | undefined = undefined;
  #response: ResponseHead | undefined = undefined;
  #responseTrailers: HeaderList | undefined = undefined;
  #isMatched = false;
  /** Where parts go as they come. */
  #sink: TapSink | undefined = undefined;

  constructor(stream: FilterStream, target: TapTarget, options: TapOptions) {
    this.#stream = stream;
    this.#target = target;
    this.#config = target.config;
    this.#options = options;
    this.#requestBody = new BoundedBody(this.#config.requestBytesMax);
    this.#responseBody = new BoundedBody(this.#config.responseBytesMax);
    this.#requestMs = stream.context.clock.nowMs();
  }

  onRequestHead(): void {
    this.#match();
  }

  onResponseHead(head: ResponseHead): void {
    this.#response = head;
    this.#responseMs = this.#stream.context.clock.nowMs();
    const wasOpen = this.#sink !== undefined;
    this.#match();
    if (wasOpen) this.#writeHeaders("responseHeaders", responseHeaders(head));
  }

  /** Looks whether it is tapped; parts that came before that is known go out then. */
  #match(): void {
    if (this.#isMatched) return;
    const seen = { request: this.#stream, response: this.#response };
    this.#isMatched = this.#config.matches(seen) === true;
    if (!this.#isMatched || !this.#config.isStreaming) return;
    this.#sink = this.#target.open(this.#traceId);
    this.#writeHeaders("requestHeaders", requestHeaders(this.#stream));
    this.#writeBody("requestBodyChunk", this.#requestBody);
    if (this.#requestTrailers !== undefined) {
      this.#writeHeaders("requestTrailers", listHeaders(this.#requestTrailers));
    }
    if (this.#response === undefined) return;
    this.#writeHeaders("responseHeaders", responseHeaders(this.#response));
  }

  requestBody(next: BodySink): BodySink {
    return {
      onBodyBytes: (buffer, from, to) => {
        this.#take("requestBodyChunk", this.#requestBody, buffer.subarray(from, to));
        next.onBodyBytes(buffer, from, to);
      },
      onBodyEnd: (trailers) => {
        this.#requestTrailers = trailers;
        if (trailers !== undefined) this.#writeHeaders("requestTrailers", listHeaders(trailers));
        next.onBodyEnd(trailers);
      },
    };
  }

  responseBody(next: BodySink): BodySink {
    return {
      onBodyBytes: (buffer, from, to) => {
        this.#take("responseBodyChunk", this.#responseBody, buffer.subarray(from, to));
        next.onBodyBytes(buffer, from, to);
      },
      onBodyEnd: (trailers) => {
        this.#responseTrailers = trailers;
        if (trailers !== undefined) this.#writeHeaders("responseTrailers", listHeaders(trailers));
        next.onBodyEnd(trailers);
      },
    };
  }

  #take(part: Part, body: BoundedBody, bytes: Uint8Array): void {
    body.add(bytes);
    if (this.#sink === undefined) return;
    this.#writeBody(part, body);
  }

  #writeBody(part: Part, body: BoundedBody): void {
    const value = body.take(this.#config);
    if (value !== undefined) this.#write({ case: part, value });
  }

  #writeHeaders(
    part: "requestHeaders" | "requestTrailers" | "responseHeaders" | "responseTrailers",
    headers: HeaderValues,
  ): void {
    this.#write({ case: part, value: { headers } });
  }

  #write(messagePiece: object): void {
    const value = { traceId: this.#traceId, messagePiece } as object;
    this.#sink?.write({ trace: { case: "httpStreamedTraceSegment", value } });
  }

  /** Whether it was tapped. */
  end(): boolean {
    if (!this.#isMatched) return false;
    const sink = this.#sink ?? this.#target.open(this.#traceId);
    if (this.#sink === undefined) {
      sink.write({ trace: { case: "httpBufferedTrace", value: this.#whole() } });
    }
    sink.end();
    return true;
  }

  #whole(): object {
    const { connection } = this.#stream;
    const request = this.#message(
      requestHeaders(this.#stream),
      this.#requestBody,
      this.#requestTrailers,
      this.#requestMs,
    );
    const response =
      this.#response &&
      this.#message(
        responseHeaders(this.#response),
        this.#responseBody,
        this.#responseTrailers,
        this.#responseMs,
      );
    return {
      request,
      ...(response && { response }),
      ...(this.#options.recordsConnection && {
        downstreamConnection: {
          localAddress: addressMessage(connection.local),
          remoteAddress: addressMessage(connection.remote),
        },
      }),
    };
  }

  #message(
    headers: HeaderValues,
    body: BoundedBody,
    trailers: HeaderList | undefined,
    ms: number,
  ): MessageInitShape<typeof HttpBufferedTrace_MessageSchema> {
    const taken = body.take(this.#config);
    const seconds = Math.floor(ms / 1000);
    return {
      headers,
      ...(taken && { body: taken }),
      trailers: trailers === undefined ? [] : listHeaders(trailers),
      ...(this.#options.recordsTimes && {
        headersReceivedTime: {
          seconds: BigInt(seconds),
          nanos: Math.floor((ms - seconds * 1000) * 1e6),
        },
      }),
    };
  }
}

/** The beginning of a body. */
class BoundedBody {
  readonly #bytesMax: number;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #isTruncated = false;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Keeps a copy of as much as may be kept. */
  add(bytes: Uint8Array): void {
    const kept = Math.min(bytes.length, this.#bytesMax - this.#bytes);
    if (kept < bytes.length) this.#isTruncated = true;
    if (kept === 0) return;
    this.#pieces.push(Buffer.from(bytes.subarray(0, kept)));
    this.#bytes += kept;
  }

  /** What was kept, and nothing is kept any more; `undefined` for nothing. */
  take({ format }: TapConfig): BodyInit | undefined {
    if (this.#bytes === 0 && !this.#isTruncated) return undefined;
    const bytes = Buffer.concat(this.#pieces);
    const truncated = this.#isTruncated;
    this.#pieces = [];
    this.#bytes = 0;
    this.#isTruncated = false;
    if (format === "JSON_BODY_AS_STRING") {
      return { bodyType: { case: "asString", value: bytes.toString("utf8") }, truncated };
    }
    return { bodyType: { case: "asBytes", value: bytes }, truncated };
  }
}

function requestHeaders({ head, method, path, authority, scheme }: FilterStream): HeaderValues {
  const pseudo: readonly (readonly [string, string])[] = [
    [":authority", authority],
    [":path", path],
    [":method", method],
    [":scheme", scheme],
  ];
  const own = pseudo.filter(([, value]) => value !== "");
  return [...own.map(([key, value]) => header(key, value)), ...listHeaders(head.headers)];
}

function responseHeaders({ status, headers }: ResponseHead): HeaderValues {
  return [header(":status", String(status)), ...listHeaders(headers)];
}

function listHeaders({ entries, end }: HeaderList): HeaderValues {
  const list: HeaderValues = [];
  for (let at = 0; at < end; at += 2) list.push(header(entries[at] ?? "", entries[at + 1] ?? ""));
  return list;
}

function header(key: string, value: string): HeaderValues[number] {
  return { key, value: utf8Text(value) };
}
