import { randomFillSync } from "node:crypto";

const ID_CHARS = 36;
const ID_BYTES = 16;
const IDS = 128;
const DIGITS = Buffer.from("0123456789abcdef", "latin1");
const DASH = 45;

/**
 * Random UUIDs (RFC 9562, version 4) for `x-request-id`. Many are made at once, of which each is a
 * part, which takes a quarter of the time that `crypto.randomUUID` does, for every request.
 */
export class RequestIds {
  readonly #random = Buffer.alloc(IDS * ID_BYTES);
  readonly #chars = Buffer.alloc(IDS * ID_CHARS);
  #text = "";
  #at = 0;

  next(): string {
    if (this.#at === this.#text.length) this.#fill();
    const from = this.#at;
    this.#at += ID_CHARS;
    return this.#text.substring(from, this.#at);
  }

  #fill(): void {
    randomFillSync(this.#random);
    for (let at = 0; at < IDS; at++) this.#write(at * ID_BYTES, at * ID_CHARS);
    this.#text = this.#chars.toString("latin1");
    this.#at = 0;
  }

  #write(from: number, to: number): void {
    const random = this.#random;
    const chars = this.#chars;
    let char = to;
    for (let at = 0; at < ID_BYTES; at++) {
      if (at === 4 || at === 6 || at === 8 || at === 10) chars[char++] = DASH;
      let byte = random[from + at] ?? 0;
      // The version, and the variant of those UUIDs that have one.
      if (at === 6) byte = (byte & 0x0f) | 0x40;
      if (at === 8) byte = (byte & 0x3f) | 0x80;
      chars[char++] = DIGITS[byte >> 4] ?? 0;
      chars[char++] = DIGITS[byte & 0x0f] ?? 0;
    }
  }
}
