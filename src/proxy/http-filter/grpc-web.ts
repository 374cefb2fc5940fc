import { isGrpcContentType } from "../../match/grpc-content-type.ts";
import { grpcStatusOf } from "../../match/grpc-status.ts";
import type { BodySink } from "../http/body-sink.ts";
import type { HeaderList } from "../http/header-list.ts";
import {
  FILTER,
  type FilterStatus,
  type FilterStream,
  type HttpFilter,
} from "../http/http-filter.ts";
import { percentEncode } from "../http/local-reply-head.ts";
import type { ResponseHead } from "../http/message-head.ts";
import { type CallCounters, type CallStats, parseCallName, statNameOf } from "./grpc-call-stats.ts";
import { framePrefix } from "./grpc-frames.ts";
import { type TextFailure, TextReader, TextWriter } from "./grpc-web-text.ts";

const PROTO = "application/grpc-web+proto";
const TEXT_PROTO = "application/grpc-web-text+proto";
const BINARY_TYPES: ReadonlySet<string> = new Set(["application/grpc-web", PROTO]);
const TEXT_TYPES: ReadonlySet<string> = new Set(["application/grpc-web-text", TEXT_PROTO]);

/** The flag of the frame that holds trailers (PROTOCOL-WEB.md). */
const TRAILERS_FLAG = 0x80;
/** So much of a body that is no gRPC is told to the client, as in Envoy. */
const MESSAGE_BYTES_MAX = 16_384;

/** Makes gRPC of gRPC-Web, and the other way round: with base64, and with trailers in the body. */
export class GrpcWebFilter implements HttpFilter {
  readonly #stream: FilterStream;
  readonly #stats: CallStats;
  #isWeb = false;
  #answersText = false;
  #counters: CallCounters | undefined = undefined;

  constructor(stream: FilterStream, stats: CallStats) {
    this.#stream = stream;
    this.#stats = stats;
  }

  onRequestHead(isEnd: boolean): FilterStatus {
    const stream = this.#stream;
    const { head } = stream;
    const { headers } = head;
    const type = headers.first("content-type") ?? "";
    const isText = TEXT_TYPES.has(type);
    if (!isText && !BINARY_TYPES.has(type)) return FILTER.continue;
    this.#isWeb = true;
    const cluster = statNameOf(stream);
    const name = parseCallName(head.path);
    const isCounted = cluster !== undefined && name !== undefined;
    this.#counters = isCounted ? this.#stats.of(cluster, name) : undefined;
    // That is how long it is for HTTP/1.1.
    if (isEnd) headers.remove("content-length");
    else head.forgetLength();
    headers.set("content-type", "application/grpc");
    head.isFromGrpcClient = false;
    this.#answersText = TEXT_TYPES.has(headers.first("accept") ?? "");
    headers.set("te", "trailers");
    if (!headers.has("grpc-accept-encoding")) headers.add("grpc-accept-encoding", "identity");
    if (isText && !isEnd) {
      stream.interceptRequest((next) => new TextRequest(next, (details) => this.#refuse(details)));
    }
    return FILTER.continue;
  }

  #refuse(details: TextFailure): void {
    const body = "Bad gRPC-web request, invalid base64 data.";
    this.#stream.localReply({ status: 400, body, flag: "", details });
  }

  onResponseHead(head: ResponseHead, hasBody: boolean): FilterStatus {
    if (!this.#isWeb) return FILTER.continue;
    const stream = this.#stream;
    const { headers } = head;
    this.#counters?.countStatus(headers.first("grpc-status"));
    const isGrpc = isGrpcResponse(head, hasBody) || isWebResponse(head);
    head.forgetLength();
    headers.set("content-type", this.#answersText ? TEXT_PROTO : PROTO);
    if (!hasBody) return FILTER.continue;
    if (isGrpc) {
      const counters = this.#counters;
      const isText = this.#answersText;
      stream.interceptResponse((next) => new WebResponse(next, { isText, counters }));
      return FILTER.continue;
    }
    stream.interceptResponse((next) => new ForeignBody(next, head, stream, this.#counters));
    return FILTER.stop;
  }

  onStreamEnd(): void {
    this.#isWeb = false;
    this.#counters = undefined;
  }
}

/** A response of nothing but a head must say how the call ended (`grpc-status`). */
function isGrpcResponse({ status, headers }: ResponseHead, hasBody: boolean): boolean {
  if (!hasBody) return headers.has("grpc-status");
  return status === 200 && isGrpcContentType(headers.first("content-type") ?? "");
}

/** Some servers speak gRPC-Web by themselves. */
function isWebResponse({ status, headers }: ResponseHead): boolean {
  const [type = ""] = (headers.first("content-type") ?? "").split(";", 1);
  return status === 200 && BINARY_TYPES.has(type.trimEnd().toLowerCase());
}

/** A request's body, out of base64. */
class TextRequest implements BodySink {
  readonly #next: BodySink;
  readonly #onFailure: (details: TextFailure) => void;
  readonly #reader = new TextReader();
  #isOver = false;

  constructor(next: BodySink, onFailure: (details: TextFailure) => void) {
    this.#next = next;
    this.#onFailure = onFailure;
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    if (this.#isOver) return;
    const bytes = this.#reader.read(buffer, from, to);
    if (bytes === undefined) this.#fail("grpc_base_64_decode_failed");
    else if (bytes.length > 0) this.#next.onBodyBytes(bytes, 0, bytes.length);
  }

  onBodyEnd(trailers?: HeaderList): void {
    if (this.#isOver) return;
    if (this.#reader.isBetweenGroups) this.#next.onBodyEnd(trailers);
    else this.#fail("grpc_base_64_decode_failed_bad_size");
  }

  #fail(details: TextFailure): void {
    this.#isOver = true;
    this.#onFailure(details);
  }
}

/** A response's body, with its trailers in a frame behind the messages. */
class WebResponse implements BodySink {
  readonly #next: BodySink;
  readonly #text: TextWriter | undefined;
  readonly #counters: CallCounters | undefined;

  constructor(
    next: BodySink,
    { isText, counters }: { readonly isText: boolean; readonly counters: CallCounters | undefined },
  ) {
    this.#next = next;
    this.#text = isText ? new TextWriter(next) : undefined;
    this.#counters = counters;
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    if (this.#text === undefined) this.#next.onBodyBytes(buffer, from, to);
    else this.#text.write(buffer, from, to);
  }

  onBodyEnd(trailers?: HeaderList): void {
    if (trailers !== undefined) {
      this.#counters?.countStatus(trailers.first("grpc-status"));
      const frame = encodeTrailers(trailers);
      this.onBodyBytes(frame, 0, frame.length);
    }
    this.#next.onBodyEnd();
  }
}

function encodeTrailers({ entries, end }: HeaderList): Buffer {
  let text = "";
  for (let at = 0; at < end; at += 2) text += `${entries[at]}:${entries[at + 1]}\r\n`;
  const block = Buffer.from(text, "latin1");
  return Buffer.concat([framePrefix(TRAILERS_FLAG, block.length), block]);
}

/** The body of a response that is no gRPC: what it says becomes the message of the call's status. */
class ForeignBody implements BodySink {
  readonly #next: BodySink;
  readonly #head: ResponseHead;
  readonly #stream: FilterStream;
  readonly #counters: CallCounters | undefined;
  #text = "";

  constructor(
    next: BodySink,
    head: ResponseHead,
    stream: FilterStream,
    counters: CallCounters | undefined,
  ) {
    this.#next = next;
    this.#head = head;
    this.#stream = stream;
    this.#counters = counters;
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    const end = Math.min(to, from + MESSAGE_BYTES_MAX - this.#text.length);
    if (end > from) this.#text += buffer.toString("latin1", from, end);
  }

  onBodyEnd(trailers?: HeaderList): void {
    const head = this.#head;
    const { headers, status } = head;
    this.#counters?.countStatus(trailers?.first("grpc-status"));
    headers.set("grpc-message", percentEncode(this.#text));
    headers.set("grpc-status", String(grpcStatusOf(status)));
    head.contentLength = 0;
    headers.set("content-length", "0");
    this.#stream.continueResponse();
    this.#next.onBodyEnd(trailers);
  }
}
