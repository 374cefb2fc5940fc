import type { Transform } from "node:stream";
import type { BodySink } from "../http/body-sink.ts";
import type { HeaderList } from "../http/header-list.ts";
import type { CompressionLibrary } from "./compression-library.ts";

/** Bodies up to so many bytes are done in one go, which takes less than a millisecond. */
const WHOLE_BYTES_MAX = 65_536;

/** The stream whose body it is. */
export interface RecodedStream {
  /** Stops and goes on reading what comes in. */
  readonly pause: () => void;
  readonly resume: () => void;
  /** What was written outside of the calls that bring bytes goes out. */
  readonly flush: () => void;
}

/** Is told what a body came to. */
export interface RecodeObserver {
  onBytes(bytesIn: number, bytesOut: number): void;
  /** The body is not what it says it is; no more of it comes. */
  onError(): void;
  /** Before the body's end is passed on; may add trailers. */
  onEnd(trailers: HeaderList | undefined): HeaderList | undefined;
}

/** What becomes of a body. */
export interface RecodeOptions {
  readonly library: CompressionLibrary;
  /** Of what comes in; -1 where that is not known. */
  readonly length: number;
  readonly way: RecodedStream;
  readonly observer: RecodeObserver;
}

/**
 * Compresses or decompresses a body on its way. A small one whose length is known is waited for and
 * done at once; any other goes through a stream on a thread of its own, and whoever sends it waits
 * while there is too much in that.
 */
export class RecodedBody implements BodySink {
  readonly #library: CompressionLibrary;
  readonly #stream: RecodedStream;
  readonly #observer: RecodeObserver;
  readonly #next: BodySink;
  /** What is waited for; `undefined` where it goes through a stream. */
  #whole: Buffer[] | undefined;
  #recoder: Transform | undefined = undefined;
  #trailers: HeaderList | undefined = undefined;
  #isPaused = false;
  #isOver = false;
  #isFailed = false;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor({ library, length, way, observer }: RecodeOptions, next: BodySink) {
    this.#library = library;
    this.#stream = way;
    this.#observer = observer;
    this.#next = next;
    const isWhole = library.whole !== undefined && length >= 0 && length <= WHOLE_BYTES_MAX;
    this.#whole = isWhole ? [] : undefined;
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    if (this.#isOver || this.#isFailed) return;
    // The bytes are valid during the call only.
    const piece = Buffer.from(buffer.subarray(from, to));
    if (this.#whole === undefined) this.#write(piece);
    else this.#whole.push(piece);
  }

  onBodyEnd(trailers?: HeaderList): void {
    if (this.#isOver) return;
    this.#trailers = trailers;
    const pieces = this.#whole;
    if (this.#isFailed) return this.#finish();
    if (pieces === undefined) {
      this.#open().end();
      return;
    }
    const bytes =
      pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
    const recoded = this.#doWhole(bytes);
    if (recoded !== undefined) {
      this.#pass(recoded, bytes.length);
      return this.#finish();
    }
    // As much of it as can be read is in what a stream makes of it.
    this.#whole = undefined;
    this.#write(bytes);
    this.#open().end();
  }

  #doWhole(bytes: Buffer): Buffer | undefined {
    try {
      return this.#library.whole?.(bytes);
    } catch {
      return undefined;
    }
  }

  #write(piece: Buffer): void {
    const recoder = this.#open();
    this.#bytesIn += piece.length;
    this.#observer.onBytes(piece.length, 0);
    if (recoder.write(piece) || this.#isPaused) return;
    this.#isPaused = true;
    this.#stream.pause();
  }

  #open(): Transform {
    if (this.#recoder !== undefined) return this.#recoder;
    const recoder = this.#library.create();
    this.#recoder = recoder;
    recoder.on("data", (piece: Buffer) => this.#onPiece(piece));
    recoder.on("drain", () => this.#onDrain());
    recoder.on("end", () => this.#onEnd());
    recoder.on("error", (error: NodeJS.ErrnoException) => {
      // A body that ends too soon is no error to Envoy: there is just no more of it.
      this.#fail(error.code !== "Z_BUF_ERROR");
    });
    return recoder;
  }

  #onPiece(piece: Buffer): void {
    if (this.#isOver || this.#isFailed) return;
    const { ratioMax } = this.#library;
    if (ratioMax !== undefined && this.#bytesOut + piece.length > ratioMax * this.#bytesIn) {
      return this.#fail();
    }
    this.#pass(piece, 0);
    this.#stream.flush();
  }

  #pass(piece: Buffer, bytesIn: number): void {
    this.#bytesOut += piece.length;
    this.#observer.onBytes(bytesIn, piece.length);
    this.#next.onBodyBytes(piece, 0, piece.length);
  }

  #onDrain(): void {
    if (!this.#isPaused || this.#isOver) return;
    this.#isPaused = false;
    this.#stream.resume();
  }

  #onEnd(): void {
    if (this.#isOver || this.#isFailed) return;
    this.#finish();
    this.#stream.flush();
  }

  /** What came out stays; the message ends in order when all of it has come. */
  #fail(counts = true): void {
    if (this.#isOver || this.#isFailed) return;
    this.#isFailed = true;
    if (counts) this.#observer.onError();
    const isEnded = this.#recoder?.writableEnded === true;
    this.#recoder?.destroy();
    if (isEnded) {
      this.#finish();
      this.#stream.flush();
    } else this.#onDrain();
  }

  #finish(): void {
    this.#isOver = true;
    this.#next.onBodyEnd(this.#observer.onEnd(this.#trailers));
  }

  /** The stream is over, in order or not. */
  stop(): void {
    this.#isOver = true;
    this.#recoder?.destroy();
  }
}
