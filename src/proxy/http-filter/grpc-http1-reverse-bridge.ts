import { grpcStatusOf } from "../../match/grpc-status.ts";
import type { BodySink } from "../http/body-sink.ts";
import { HeaderList } from "../http/header-list.ts";
import {
  FILTER,
  type FilterStatus,
  type FilterStream,
  type HttpFilter,
} from "../http/http-filter.ts";
import type { LocalReply } from "../http/local-reply.ts";
import { isGrpcRequest } from "../http/local-reply-head.ts";
import { CODING, type MessageHead, type ResponseHead } from "../http/message-head.ts";
import { FRAME_PREFIX_BYTES, framePrefix } from "./grpc-frames.ts";

/** What the reverse bridge is told; decoded. */
export interface ReverseBridgeConfig {
  /** Of requests to the upstream, and of its answers. */
  readonly contentType: string;
  /** The upstream sees messages without frames. */
  readonly withholdsFrames: boolean;
  /** The header in which the upstream says how long its answer is, in lower case; "" for none. */
  readonly sizeHeader: string;
}

/** What a route says. */
export interface ReverseBridgeSettings {
  readonly filter: "grpc_http1_reverse_bridge";
  readonly isDisabled: boolean;
}

/** Statuses of calls. */
const OK = 0;
const UNKNOWN = 2;
const INTERNAL = 13;

/** Lets clients of gRPC call upstreams that speak plain HTTP/1.1. */
export class GrpcHttp1ReverseBridgeFilter implements HttpFilter {
  readonly #stream: FilterStream;
  readonly #name: string;
  readonly #config: ReverseBridgeConfig;
  #isOn = false;
  /** As the client has it. */
  #contentType = "";

  constructor(stream: FilterStream, name: string, config: ReverseBridgeConfig) {
    this.#stream = stream;
    this.#name = name;
    this.#config = config;
  }

  onRequestHead(isEnd: boolean): FilterStatus {
    const stream = this.#stream;
    const { head } = stream;
    if (isEnd) return FILTER.continue;
    const given = stream.routeConfig(this.#name);
    if (given !== undefined && isSettings(given) && given.isDisabled) return FILTER.continue;
    if (!isGrpcRequest(head)) return FILTER.continue;
    const { contentType, withholdsFrames } = this.#config;
    this.#isOn = true;
    this.#contentType = head.headers.first("content-type") ?? "";
    head.headers.set("content-type", contentType);
    head.headers.set("accept", contentType);
    head.isFromGrpcClient = true;
    if (withholdsFrames) {
      if (head.contentLength > 0) {
        setLength(head, Math.max(0, head.contentLength - FRAME_PREFIX_BYTES));
      }
      stream.interceptRequest((next) => new UnframedBody(next, stream));
    }
    stream.refreshRoute();
    return FILTER.continue;
  }

  onResponseHead(head: ResponseHead, hasBody: boolean): FilterStatus {
    if (!this.#isOn) return FILTER.continue;
    const { contentType, withholdsFrames, sizeHeader } = this.#config;
    const { headers, status } = head;
    if (headers.first("content-type") !== contentType) return this.#refuse(badType(head));
    headers.set("content-type", this.#contentType);
    let length = head.contentLength;
    if (withholdsFrames && sizeHeader !== "") {
      const told = parseSize(headers.first(sizeHeader));
      if (told === undefined) return this.#refuse(NO_SIZE);
      length = told;
    }
    const isSizeKnown = length > 0 || (sizeHeader !== "" && length === 0);
    const grpcStatus = status === 200 ? OK : grpcStatusOf(status);
    head.status = 200;
    if (!withholdsFrames) {
      if (hasBody) {
        this.#stream.interceptResponse((next) => new EndedBody(next, grpcStatus));
      }
      return FILTER.continue;
    }
    if (!hasBody) setLength(head, FRAME_PREFIX_BYTES);
    else if (isSizeKnown) setLength(head, length + FRAME_PREFIX_BYTES);
    const framed = {
      grpcStatus,
      // What it says is only checked where it says so in a header of its own.
      length: hasBody && isSizeKnown ? length : -1,
      isChecked: sizeHeader !== "" && hasBody,
    };
    this.#stream.interceptResponse((next) => new FramedBody(next, this.#stream, framed));
    return hasBody ? FILTER.continue : FILTER.stop;
  }

  #refuse(reply: LocalReply): FilterStatus {
    this.#isOn = false;
    this.#stream.localReply(reply);
    return FILTER.stop;
  }

  onStreamEnd(): void {
    this.#isOn = false;
  }
}

function isSettings(settings: object): settings is ReverseBridgeSettings {
  return "filter" in settings && settings.filter === "grpc_http1_reverse_bridge";
}

function setLength(head: MessageHead, length: number): void {
  head.contentLength = length;
  head.coding = CODING.none;
  head.headers.set("content-length", String(length));
}

/** Of a header that is repeated the first value counts. */
function parseSize(value: string | undefined): number | undefined {
  const [first = ""] = (value ?? "").split(",", 1);
  return /^\s*\+?\d{1,15}\s*$/.test(first) ? Number(first) : undefined;
}

function badType({ headers, status }: ResponseHead): LocalReply {
  const type = headers.first("content-type");
  const what = type === undefined ? "no content-type header" : `unsupported content-type ${type}`;
  return {
    status: 200,
    body: `envoy reverse bridge: upstream responded with ${what}, status code ${status}`,
    flag: "",
    details: "grpc_bridge_content_type_wrong",
    grpcStatus: UNKNOWN,
  };
}

const NO_SIZE: LocalReply = {
  status: 200,
  body: "envoy reverse bridge: upstream did not set content length",
  flag: "",
  details: "grpc_bridge_content_length_missing",
  grpcStatus: INTERNAL,
};
const WRONG_SIZE: LocalReply = {
  status: 200,
  body: "envoy reverse bridge: upstream set incorrect content length",
  flag: "",
  details: "grpc_bridge_content_length_wrong",
  grpcStatus: INTERNAL,
};
const TOO_SMALL: LocalReply = {
  status: 200,
  body: "invalid request body",
  flag: "",
  details: "grpc_bridge_data_too_small",
  grpcStatus: UNKNOWN,
};
const TOO_LARGE: LocalReply = { ...WRONG_SIZE, details: "response_payload_too_large" };

/** A request's message without what stands before it. */
class UnframedBody implements BodySink {
  readonly #next: BodySink;
  readonly #stream: FilterStream;
  #skipped = FRAME_PREFIX_BYTES;

  constructor(next: BodySink, stream: FilterStream) {
    this.#next = next;
    this.#stream = stream;
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    const start = Math.min(to, from + this.#skipped);
    this.#skipped -= start - from;
    if (to > start) this.#next.onBodyBytes(buffer, start, to);
  }

  onBodyEnd(trailers?: HeaderList): void {
    if (this.#skipped > 0) this.#stream.localReply(TOO_SMALL);
    else this.#next.onBodyEnd(trailers);
  }
}

/** Adds how the call ended to the trailers. */
function endCall(next: BodySink, grpcStatus: number, trailers = new HeaderList()): void {
  trailers.set("grpc-status", String(grpcStatus));
  next.onBodyEnd(trailers);
}

/** A body of frames, behind which it is said how the call ended. */
class EndedBody implements BodySink {
  readonly #next: BodySink;
  readonly #grpcStatus: number;

  constructor(next: BodySink, grpcStatus: number) {
    this.#next = next;
    this.#grpcStatus = grpcStatus;
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    this.#next.onBodyBytes(buffer, from, to);
  }

  onBodyEnd(trailers?: HeaderList): void {
    endCall(this.#next, this.#grpcStatus, trailers);
  }
}

/** A body that becomes one frame: it waits for its end where nobody says how long it is. */
class FramedBody implements BodySink {
  readonly #next: BodySink;
  readonly #stream: FilterStream;
  readonly #grpcStatus: number;
  /** -1: it is waited for. */
  readonly #length: number;
  readonly #isChecked: boolean;
  #isBegun = false;
  #isOver = false;
  #bytes = 0;
  #waiting: Buffer[] = [];

  constructor(
    next: BodySink,
    stream: FilterStream,
    framed: { readonly grpcStatus: number; readonly length: number; readonly isChecked: boolean },
  ) {
    this.#next = next;
    this.#stream = stream;
    this.#grpcStatus = framed.grpcStatus;
    this.#length = framed.length;
    this.#isChecked = framed.isChecked;
  }

  #begin(length: number): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    const prefix = framePrefix(0, length);
    this.#next.onBodyBytes(prefix, 0, prefix.length);
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    if (this.#isOver) return;
    this.#bytes += to - from;
    if (this.#length >= 0) {
      this.#begin(this.#length);
      return this.#next.onBodyBytes(buffer, from, to);
    }
    if (this.#bytes > this.#stream.bufferBytesMax) return this.#fail(TOO_LARGE);
    this.#waiting.push(Buffer.from(buffer.subarray(from, to)));
  }

  onBodyEnd(trailers?: HeaderList): void {
    if (this.#isOver) return;
    if (this.#isChecked && this.#bytes !== this.#length) return this.#fail(WRONG_SIZE);
    // A response of nothing but a head has been held until now.
    this.#stream.continueResponse(true);
    this.#begin(this.#length >= 0 ? this.#length : this.#bytes);
    for (const piece of this.#waiting) this.#next.onBodyBytes(piece, 0, piece.length);
    endCall(this.#next, this.#grpcStatus, trailers);
  }

  #fail(reply: LocalReply): void {
    this.#isOver = true;
    this.#waiting = [];
    this.#stream.localReply(reply);
  }
}
