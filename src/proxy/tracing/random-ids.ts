import type { Prng } from "../../base/prng.ts";

const ID_DIGITS = 16;
const IDS = 64;

/**
 * 64 bits of chance at a time, as 16 hexadecimal digits. Many are made at once, of which each is a
 * part: every request of a traced listener needs one, sampled or not, and digits that are put
 * together one by one cost more than all else that is done for a request that is not sampled.
 */
export class RandomIds {
  readonly #prng: Prng;
  readonly #words = new Uint32Array((IDS * ID_DIGITS) / 8);
  #text = "";
  #at = 0;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  next(): string {
    if (this.#at === this.#text.length) this.#fill();
    const from = this.#at;
    this.#at += ID_DIGITS;
    return this.#text.substring(from, this.#at);
  }

  #fill(): void {
    const words = this.#words;
    for (let at = 0; at < words.length; at++) words[at] = this.#prng.next() * 0x1_0000_0000;
    this.#text = Buffer.from(words.buffer).toString("hex");
    this.#at = 0;
  }
}
