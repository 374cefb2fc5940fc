import { constants, type ServerHttp2Stream } from "node:http2";
import type { Clock, Timer } from "../base/clock.ts";
import { type GrpcMessage, GrpcMessageReader } from "./grpc-message.ts";
import { GRPC_STATUS, type GrpcStatus, statusTrailers } from "./grpc-status.ts";

/** How long the end of a call may wait for what was written before it, and for the client's own end. */
const LAST_WORD_MS_MAX = 2000;

const RESPONSE_HEADERS = { ":status": 200, "content-type": "application/grpc" };

/** What a call needs from outside. */
export interface GrpcCallOptions {
  readonly clock: Clock;
  /** `address:port` of the client. */
  readonly peer: string;
  /** The largest message that is taken. */
  readonly messageBytesMax: number;
}

/** What a call tells its owner. */
export interface GrpcCallEvents {
  readonly onMessage: (bytes: Buffer) => void;
  /** It is over, whoever ended it; called once, after which nothing more is. */
  readonly onClose: () => void;
}

/**
 * One call of gRPC, as a stream of HTTP/2: messages come in and go out until either side ends it.
 * `listen` has to be called in the turn in which it was made.
 */
export class GrpcCall {
  readonly peer: string;
  readonly #clock: Clock;
  readonly #stream: ServerHttp2Stream;
  readonly #reader: GrpcMessageReader;
  #events: GrpcCallEvents | undefined;
  #isPaused = false;
  #isAllRead = false;
  #isOver = false;
  #lastWord: GrpcStatus | undefined;
  #timer: Timer | undefined;

  constructor(stream: ServerHttp2Stream, { clock, peer, messageBytesMax }: GrpcCallOptions) {
    this.peer = peer;
    this.#clock = clock;
    this.#stream = stream;
    this.#reader = new GrpcMessageReader(messageBytesMax);
    // What went wrong shows by its end.
    stream.on("error", () => undefined);
    stream.on("close", () => {
      this.#timer?.cancel();
      this.#leave();
    });
    stream.on("wantTrailers", () => {
      stream.sendTrailers(statusTrailers(this.#lastWord ?? { code: GRPC_STATUS.OK, details: "" }));
    });
  }

  /** Has it ended after a time that the client set, in ms. */
  limit(timeoutMs: number): void {
    const details = `the client's deadline of ${timeoutMs} ms has passed`;
    const status = { code: GRPC_STATUS.DEADLINE_EXCEEDED, details };
    this.#timer = this.#clock.setTimer(timeoutMs, () => this.end(status));
  }

  /** Begins to read. */
  listen(events: GrpcCallEvents): void {
    this.#events = events;
    const stream = this.#stream;
    stream.on("data", (chunk: Buffer) => {
      if (this.#isOver) return;
      this.#reader.push(chunk);
      this.#read();
    });
    stream.on("end", () => {
      this.#isAllRead = true;
      this.#read();
    });
  }

  /** `onWritten` is called when the bytes have left for the network, also when they could not. */
  write({ pieces }: GrpcMessage, onWritten: () => void): void {
    const stream = this.#stream;
    if (this.#isOver || stream.destroyed) {
      onWritten();
      return;
    }
    if (!stream.headersSent) stream.respond(RESPONSE_HEADERS, { waitForTrailers: true });
    const last = pieces.length - 1;
    if (last > 0) stream.cork();
    for (let at = 0; at < last; at++) stream.write(pieces[at]);
    stream.write(pieces[last], onWritten);
    if (last > 0) stream.uncork();
  }

  /** No message is handed over until `resume()`; they stay in the network. */
  pause(): void {
    this.#isPaused = true;
    this.#stream.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#read();
    if (!this.#isPaused) this.#stream.resume();
  }

  /** Ends it, after all that was written. */
  end(status: GrpcStatus): void {
    if (this.#isOver) return;
    const stream = this.#stream;
    this.#timer?.cancel();
    this.#lastWord = status;
    if (!stream.destroyed && !stream.closed) {
      if (stream.headersSent) stream.end();
      else stream.respond({ ...RESPONSE_HEADERS, ...statusTrailers(status) }, { endStream: true });
      // What still comes is not looked at.
      stream.resume();
      this.#timer = this.#clock.setTimer(LAST_WORD_MS_MAX, () =>
        stream.close(constants.NGHTTP2_CANCEL),
      );
    }
    this.#leave();
  }

  #read(): void {
    while (!this.#isPaused && !this.#isOver) {
      const next = this.#reader.next();
      if (next === undefined) break;
      if (Buffer.isBuffer(next)) this.#events?.onMessage(next);
      else this.end(next);
    }
    if (this.#isAllRead && !this.#isPaused) this.end(this.#endOfRequests());
  }

  #endOfRequests(): GrpcStatus {
    if (!this.#reader.isWithin) return { code: GRPC_STATUS.OK, details: "" };
    return { code: GRPC_STATUS.INTERNAL, details: "the client ended within a message" };
  }

  #leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events?.onClose();
  }
}
