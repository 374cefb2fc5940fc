import type { BodySink } from "../http/body-sink.ts";
import { FrameReader } from "./grpc-frames.ts";

const NOT_A_DIGIT = 255;
const PADDING = 61;

/** What each character stands for (RFC 4648 4). */
const DIGITS = new Uint8Array(256).fill(NOT_A_DIGIT);
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
for (let value = 0; value < ALPHABET.length; value++) DIGITS[ALPHABET.charCodeAt(value)] = value;

/** Why a text is not read. */
export type TextFailure = "grpc_base_64_decode_failed_bad_size" | "grpc_base_64_decode_failed";

/**
 * Reads base64, however it is cut. Groups of four may be padded anywhere: a client that streams pads
 * each piece that it sends (PROTOCOL-WEB.md, "application/grpc-web-text").
 */
export class TextReader {
  #bits = 0;
  /** Digits of the group that is being read, and how many of them are padding. */
  #digits = 0;
  #padding = 0;

  get isBetweenGroups(): boolean {
    return this.#digits === 0;
  }

  /** The bytes that are complete now; `undefined` when this is no base64. */
  read(buffer: Buffer, from: number, to: number): Buffer | undefined {
    const out = Buffer.allocUnsafe(Math.ceil((to - from + 3) / 4) * 3);
    let length = 0;
    for (let at = from; at < to; at++) {
      const char = buffer[at] ?? 0;
      const digit = char === PADDING ? 0 : (DIGITS[char] ?? NOT_A_DIGIT);
      if (char === PADDING ? this.#digits < 2 : this.#padding > 0) return undefined;
      if (digit === NOT_A_DIGIT) return undefined;
      if (char === PADDING) this.#padding++;
      this.#bits = (this.#bits << 6) | digit;
      if (++this.#digits < 4) continue;
      const bytes = 3 - this.#padding;
      // Bits that no byte has must be 0, or two texts would say the same.
      if ((this.#bits & ((1 << (8 * this.#padding)) - 1)) !== 0) return undefined;
      for (let byte = 0; byte < bytes; byte++)
        out[length++] = (this.#bits >> (16 - 8 * byte)) & 255;
      this.#bits = 0;
      this.#digits = 0;
      this.#padding = 0;
    }
    return out.subarray(0, length);
  }
}

/** Writes the frames of a body as base64, each padded by itself; a frame need not be complete. */
export class TextWriter {
  readonly #next: BodySink;
  readonly #frames = new FrameReader();
  /** Up to two bytes that wait for a third one. */
  #rest = Buffer.alloc(0);

  constructor(next: BodySink) {
    this.#next = next;
  }

  write(buffer: Buffer, from: number, to: number): void {
    let text = "";
    for (let at = from; at < to; ) {
      const end = this.#frames.read(buffer, at, to);
      const piece = Buffer.concat([this.#rest, buffer.subarray(at, end)]);
      const rest = this.#frames.isEnd ? 0 : piece.length % 3;
      text += piece.toString("base64", 0, piece.length - rest);
      this.#rest = piece.subarray(piece.length - rest);
      at = end;
    }
    if (text === "") return;
    const bytes = Buffer.from(text, "latin1");
    this.#next.onBodyBytes(bytes, 0, bytes.length);
  }
}
