import type { BodySink } from "../http/body-sink.ts";
import { HeaderList } from "../http/header-list.ts";
import { TOKEN_LOWER } from "../http/header-name.ts";
import type { HeadError } from "../http/message-head.ts";
import { BAD_CHARACTER, BAD_REQUEST } from "../http/parse-fields.ts";
import { TOO_LARGE } from "./head-reader.ts";
import { parseTrailers, type TrailerOptions } from "./parse-trailers.ts";

/** How a message's end is found. */
export const FRAMING = { none: 0, length: 1, chunked: 2, untilClose: 3 } as const;

const STATE = {
  done: 0,
  length: 1,
  untilClose: 2,
  sizeFirst: 3,
  size: 4,
  extension: 5,
  sizeLf: 6,
  chunk: 7,
  chunkCr: 8,
  chunkLf: 9,
  trailerStart: 10,
  trailer: 11,
  trailerLf: 12,
  lastLf: 13,
  sizeBlank: 14,
} as const;

/** A chunk larger than this is refused: the number must stay exact. */
const CHUNK_SIZE_MAX = 2 ** 48;
const EXTENSION_BYTES_MAX = 4096;

const CR = 13;
const LF = 10;
const SEMICOLON = 59;
const COLON = 58;

/**
 * Reads one body after the other out of bytes that come in any pieces, and finds where each ends.
 * Chunk extensions are checked and dropped; so are trailers, as Envoy does unless told otherwise.
 */
export class BodyReader {
  readonly #trailerBytesMax: number;
  /** How trailers are read; absent where they are dropped. */
  readonly #trailerOptions: TrailerOptions | undefined;
  /** The trailer lines so far, where they are wanted. */
  #trailerText = "";
  #trailers: HeaderList | undefined = undefined;
  #state: number = STATE.done;
  /** Bytes left of the body or of the chunk. */
  #left = 0;
  #lineBytes = 0;
  #trailerBytes = 0;
  #nameDone = false;

  /** Why `read` said -1. */
  error: HeadError = BAD_REQUEST;

  constructor(trailerBytesMax: number, trailers?: TrailerOptions) {
    this.#trailerBytesMax = trailerBytesMax;
    this.#trailerOptions = trailers;
  }

  get isDone(): boolean {
    return this.#state === STATE.done;
  }

  get isUntilClose(): boolean {
    return this.#state === STATE.untilClose;
  }

  /** Prepares for the next body. `length` counts for `FRAMING.length` only. */
  start(framing: number, length: number): void {
    this.#left = length;
    this.#trailerBytes = 0;
    this.#trailers = undefined;
    if (framing === FRAMING.chunked) this.#state = STATE.sizeFirst;
    else if (framing === FRAMING.untilClose) this.#state = STATE.untilClose;
    else this.#state = framing === FRAMING.length && length > 0 ? STATE.length : STATE.done;
  }

  /** The connection ended, which ends a body without length. */
  finish(): void {
    this.#state = STATE.done;
  }

  /**
   * Reads from `buffer[from, to)` and tells the sink. Returns where the body ended or `to`; -1 when
   * the chunks are malformed. `onBodyEnd` is called last, once.
   */
  read(buffer: Buffer, from: number, to: number, sink: BodySink): number {
    let at = from;
    while (at < to) {
      switch (this.#state) {
        case STATE.length:
        case STATE.chunk: {
          const end = Math.min(to, at + this.#left);
          this.#left -= end - at;
          if (this.#left === 0) {
            this.#state = this.#state === STATE.length ? STATE.done : STATE.chunkCr;
          }
          const start = at;
          at = end;
          sink.onBodyBytes(buffer, start, end);
          break;
        }
        case STATE.untilClose:
          sink.onBodyBytes(buffer, at, to);
          return to;
        case STATE.done:
          return at;
        default:
          if (!this.#step(buffer[at] ?? 0)) return -1;
          at++;
      }
      if (this.#state === STATE.done) {
        sink.onBodyEnd(this.#trailers);
        return at;
      }
    }
    return at;
  }

  /** One byte between the chunks; false when it may not stand there. */
  #step(code: number): boolean {
    switch (this.#state) {
      case STATE.sizeFirst:
      case STATE.size:
        return this.#stepSize(code);
      case STATE.sizeBlank:
        return this.#endSize(code);
      case STATE.extension:
        if (code === CR) this.#state = STATE.sizeLf;
        return isLineByte(code) && ++this.#lineBytes <= EXTENSION_BYTES_MAX;
      case STATE.sizeLf:
        this.#state = this.#left === 0 ? STATE.trailerStart : STATE.chunk;
        return code === LF;
      case STATE.chunkCr:
        this.#state = STATE.chunkLf;
        return code === CR;
      case STATE.chunkLf:
        this.#state = STATE.sizeFirst;
        return code === LF;
      default:
        return this.#stepTrailer(code);
    }
  }

  #stepSize(code: number): boolean {
    const digit = hexDigit(code);
    if (digit !== -1) {
      this.#left = this.#state === STATE.sizeFirst ? digit : this.#left * 16 + digit;
      this.#state = STATE.size;
      return this.#left <= CHUNK_SIZE_MAX;
    }
    // A size without a digit would be read as the end by some.
    if (this.#state === STATE.sizeFirst) return false;
    this.#lineBytes = 0;
    return this.#endSize(code);
  }

  /** Blanks may stand before an extension or the line's end, nothing else (RFC 9112 7.1.1). */
  #endSize(code: number): boolean {
    if (code === CR) this.#state = STATE.sizeLf;
    else if (code === SEMICOLON) this.#state = STATE.extension;
    else this.#state = STATE.sizeBlank;
    const isBlank = code === 32 || code === 9;
    return (
      code === CR || code === SEMICOLON || (isBlank && ++this.#lineBytes <= EXTENSION_BYTES_MAX)
    );
  }

  #stepTrailer(code: number): boolean {
    if (++this.#trailerBytes > this.#trailerBytesMax) return this.#failTrailers(TOO_LARGE);
    if (this.#trailerOptions !== undefined) this.#trailerText += String.fromCharCode(code);
    switch (this.#state) {
      case STATE.trailerStart:
        if (code === CR) {
          this.#state = STATE.lastLf;
          return true;
        }
        this.#nameDone = false;
        this.#state = STATE.trailer;
        return TOKEN_LOWER[code] !== 0;
      case STATE.trailer:
        if (code === CR) {
          this.#state = STATE.trailerLf;
          return this.#nameDone;
        }
        if (this.#nameDone) return isLineByte(code) || this.#failTrailers(BAD_CHARACTER);
        if (code === COLON) {
          this.#nameDone = true;
          return true;
        }
        return TOKEN_LOWER[code] !== 0;
      case STATE.trailerLf:
        this.#state = STATE.trailerStart;
        return code === LF;
      default:
        this.#state = STATE.done;
        return code === LF && this.#takeTrailers();
    }
  }

  #takeTrailers(): boolean {
    const options = this.#trailerOptions;
    const text = this.#trailerText;
    if (options === undefined || text.length <= 2) {
      this.#trailerText = "";
      return true;
    }
    this.#trailerText = "";
    const parsed = parseTrailers(text, options);
    if (!(parsed instanceof HeaderList)) return this.#failTrailers(parsed);
    this.#trailers = parsed;
    return true;
  }

  /** Who drops trailers does not know what is wrong with them either. */
  #failTrailers(error: HeadError): false {
    if (this.#trailerOptions !== undefined) this.error = error;
    return false;
  }
}

/** No control character but the tab; the CR is looked at before. */
function isLineByte(code: number): boolean {
  return code === CR || code === 9 || (code >= 32 && code !== 127);
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
