import type { HashCell } from "./hash64.ts";
import { multiply64, readInt32, set64, shiftMix64, word64, xor64, xorWord } from "./words64.ts";

const FACTOR = word64(0xc6a4a7935bd1e995n);
/** The seed that `std::hash` of libstdc++ has, and Envoy for its ring. */
const SEED = 0xc70f6907;

const HASH = 0;
const LANE = 2;
const words = new Int32Array(4);

/** MurmurHash64A with the seed of `std::hash`, of a text of one byte a character, into `out`. */
export function murmurHash2(text: string, out: HashCell): void {
  const { length } = text;
  set64(words, HASH, 0, length);
  multiply64(words, HASH, FACTOR);
  xor64(words, HASH, 0, SEED);
  let at = 0;
  for (; at + 8 <= length; at += 8) {
    set64(words, LANE, readInt32(text, at + 4), readInt32(text, at));
    multiply64(words, LANE, FACTOR);
    shiftMix64(words, LANE, 47);
    multiply64(words, LANE, FACTOR);
    xorWord(words, HASH, LANE);
    multiply64(words, HASH, FACTOR);
  }
  if (at < length) {
    // Past the end of a text there is NaN, which is 0 as bits.
    set64(words, LANE, readInt32(text, at + 4), readInt32(text, at));
    xorWord(words, HASH, LANE);
    multiply64(words, HASH, FACTOR);
  }
  shiftMix64(words, HASH, 47);
  multiply64(words, HASH, FACTOR);
  shiftMix64(words, HASH, 47);
  out.high = (words[HASH] ?? 0) >>> 0;
  out.low = (words[HASH + 1] ?? 0) >>> 0;
}
