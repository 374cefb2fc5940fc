import { isGrpcContentType } from "../../match/grpc-content-type.ts";
import type { BodySink } from "../http/body-sink.ts";
import type { HeaderList } from "../http/header-list.ts";
import {
  FILTER,
  type FilterStatus,
  type FilterStream,
  type HttpFilter,
} from "../http/http-filter.ts";
import { REQUEST_TOO_LARGE } from "../http/local-reply.ts";
import { isGrpcRequest } from "../http/local-reply-head.ts";
import { CODING, type ResponseHead } from "../http/message-head.ts";
import { FRAME_PREFIX_BYTES, framePrefix } from "./grpc-frames.ts";

/** What the bridge is told; decoded. */
export interface BridgeConfig {
  /** Requests of plain protobuf become calls of gRPC, and their answers plain protobuf. */
  readonly upgradesProtobuf: boolean;
  readonly dropsQuery: boolean;
}

const PROTOBUF = "application/x-protobuf";

/** Lets clients of HTTP/1.1 call gRPC: the status of a call stands in the head of its answer. */
export class GrpcHttp1BridgeFilter implements HttpFilter {
  readonly #stream: FilterStream;
  readonly #config: BridgeConfig;
  #isBridging = false;
  #isFraming = false;

  constructor(stream: FilterStream, config: BridgeConfig) {
    this.#stream = stream;
    this.#config = config;
  }

  onRequestHead(isEnd: boolean): FilterStatus {
    const stream = this.#stream;
    const { head } = stream;
    const isUpgraded =
      this.#config.upgradesProtobuf && head.headers.first("content-type") === PROTOBUF;
    if (isUpgraded) {
      head.headers.set("content-type", "application/grpc");
      head.isFromGrpcClient = false;
      head.forgetLength();
      if (isEnd) head.coding = CODING.none;
      stream.refreshRoute();
    }
    this.#isBridging = stream.info.protocol !== "HTTP/2" && isGrpcRequest(head);
    this.#isFraming = this.#isBridging && isUpgraded;
    if (!this.#isBridging) return FILTER.continue;
    if (this.#config.dropsQuery) head.path = head.path.replace(/\?.*/s, "");
    if (!this.#isFraming || isEnd) return FILTER.continue;
    this.#frameRequest();
    return FILTER.stop;
  }

  /** How long the message is stands before it. */
  #frameRequest(): void {
    const stream = this.#stream;
    let length = 0;
    stream.interceptRequest((next) => new PrefixedBody(next, () => framePrefix(0, length)));
    stream.gatherRequest({
      bytesMax: stream.bufferBytesMax,
      onWhole: (bytes) => {
        length = bytes;
        stream.continueRequest();
      },
      onTooLarge: () => stream.localReply(REQUEST_TOO_LARGE),
    });
  }

  onResponseHead(head: ResponseHead, hasBody: boolean): FilterStatus {
    if (!this.#isBridging || !hasBody) return FILTER.continue;
    const isFramed = this.#isFraming && isGrpcContentType(head.headers.first("content-type") ?? "");
    const skipped = isFramed ? FRAME_PREFIX_BYTES : 0;
    this.#stream.interceptResponse((next) => new BridgedBody(next, head, this.#stream, skipped));
    return FILTER.stop;
  }

  onStreamEnd(): void {
    this.#isBridging = false;
  }
}

/** A body with something before it. */
class PrefixedBody implements BodySink {
  readonly #next: BodySink;
  #takePrefix: (() => Buffer) | undefined;

  constructor(next: BodySink, takePrefix: () => Buffer) {
    this.#next = next;
    this.#takePrefix = takePrefix;
  }

  #begin(): void {
    const prefix = this.#takePrefix?.();
    this.#takePrefix = undefined;
    if (prefix !== undefined) this.#next.onBodyBytes(prefix, 0, prefix.length);
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    this.#begin();
    this.#next.onBodyBytes(buffer, from, to);
  }

  onBodyEnd(trailers?: HeaderList): void {
    this.#begin();
    this.#next.onBodyEnd(trailers);
  }
}

/** A response that waits for its trailers, which say how the call ended. */
class BridgedBody implements BodySink {
  readonly #next: BodySink;
  readonly #head: ResponseHead;
  readonly #stream: FilterStream;
  /** Bytes at the beginning that the client does not get. */
  #skipped: number;
  #bytes = 0;

  constructor(next: BodySink, head: ResponseHead, stream: FilterStream, skipped: number) {
    this.#next = next;
    this.#head = head;
    this.#stream = stream;
    this.#skipped = skipped;
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    const start = Math.min(to, from + this.#skipped);
    this.#skipped -= start - from;
    this.#bytes += to - start;
    if (to > start) this.#next.onBodyBytes(buffer, start, to);
  }

  onBodyEnd(trailers?: HeaderList): void {
    if (trailers !== undefined) this.#tell(trailers);
    this.#stream.continueResponse();
    this.#next.onBodyEnd(trailers);
  }

  #tell(trailers: HeaderList): void {
    const head = this.#head;
    const { headers } = head;
    const status = trailers.first("grpc-status");
    if (status !== undefined) {
      if (!/^\s*\+?0+\s*$/.test(status)) head.status = 503;
      headers.set("grpc-status", status);
    }
    const message = trailers.first("grpc-message");
    if (message !== undefined) headers.set("grpc-message", message);
    head.contentLength = this.#bytes;
    head.coding = CODING.none;
    headers.set("content-length", String(this.#bytes));
  }
}
