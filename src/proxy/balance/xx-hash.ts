import type { Hash64, HashCell } from "./hash64.ts";
import {
  add64,
  addWord,
  copy64,
  multiply64,
  readInt32,
  rotate64,
  set64,
  shiftMix64,
  word64,
  xor64,
  xorWord,
} from "./words64.ts";

const PRIME_1 = word64(0x9e3779b185ebca87n);
const PRIME_2 = word64(0xc2b2ae3d27d4eb4fn);
const PRIME_3 = word64(0x165667b19e3779f9n);
const PRIME_4 = word64(0x85ebca77c2b2ae63n);
const PRIME_5 = word64(0x27d4eb2f165667c5n);

/** The hash, a lane of the input, and the four accumulators of long inputs. */
const HASH = 0;
const LANE = 2;
const ACCUMULATORS = [4, 6, 8, 10] as const;
const words = new Int32Array(12);

const NO_SEED: Hash64 = { high: 0, low: 0 };

/** XXH64 (the xxHash specification, version 0.1) of a text of one byte a character, into `out`. */
export function xxHash64(text: string, out: HashCell, seed: Hash64 = NO_SEED): void {
  const { length } = text;
  let at = 0;
  if (length >= 32) at = hashStripes(text, seed);
  else {
    set64(words, HASH, seed.high, seed.low);
    add64(words, HASH, PRIME_5.high, PRIME_5.low);
  }
  add64(words, HASH, 0, length);
  for (; at + 8 <= length; at += 8) {
    set64(words, LANE, 0, 0);
    takeLane(text, at, LANE);
    xorWord(words, HASH, LANE);
    rotate64(words, HASH, 27);
    multiply64(words, HASH, PRIME_1);
    add64(words, HASH, PRIME_4.high, PRIME_4.low);
  }
  if (at + 4 <= length) {
    set64(words, LANE, 0, readInt32(text, at));
    multiply64(words, LANE, PRIME_1);
    xorWord(words, HASH, LANE);
    rotate64(words, HASH, 23);
    multiply64(words, HASH, PRIME_2);
    add64(words, HASH, PRIME_3.high, PRIME_3.low);
    at += 4;
  }
  for (; at < length; at++) {
    set64(words, LANE, 0, text.charCodeAt(at) & 0xff);
    multiply64(words, LANE, PRIME_5);
    xorWord(words, HASH, LANE);
    rotate64(words, HASH, 11);
    multiply64(words, HASH, PRIME_1);
  }
  shiftMix64(words, HASH, 33);
  multiply64(words, HASH, PRIME_2);
  shiftMix64(words, HASH, 29);
  multiply64(words, HASH, PRIME_3);
  xor64(words, HASH, 0, words[HASH] ?? 0);
  out.high = (words[HASH] ?? 0) >>> 0;
  out.low = (words[HASH + 1] ?? 0) >>> 0;
}

/** All whole stripes of 32 bytes, in four accumulators; returns how far that is. */
function hashStripes(text: string, seed: Hash64): number {
  const [first, second, third, fourth] = ACCUMULATORS;
  for (const one of ACCUMULATORS) set64(words, one, seed.high, seed.low);
  add64(words, first, PRIME_1.high, PRIME_1.low);
  add64(words, first, PRIME_2.high, PRIME_2.low);
  add64(words, second, PRIME_2.high, PRIME_2.low);
  // Minus is the complement plus 1.
  add64(words, fourth, ~PRIME_1.high, ~PRIME_1.low);
  add64(words, fourth, 0, 1);
  let at = 0;
  for (; at + 32 <= text.length; at += 32) {
    takeLane(text, at, first);
    takeLane(text, at + 8, second);
    takeLane(text, at + 16, third);
    takeLane(text, at + 24, fourth);
  }
  set64(words, HASH, 0, 0);
  addTurned(first, 1);
  addTurned(second, 7);
  addTurned(third, 12);
  addTurned(fourth, 18);
  for (const one of ACCUMULATORS) {
    multiply64(words, one, PRIME_2);
    rotate64(words, one, 31);
    multiply64(words, one, PRIME_1);
    xorWord(words, HASH, one);
    multiply64(words, HASH, PRIME_1);
    add64(words, HASH, PRIME_4.high, PRIME_4.low);
  }
  return at;
}

/** Eight bytes of the text into a register. */
function takeLane(text: string, from: number, at: number): void {
  const high = words[at] ?? 0;
  const low = words[at + 1] ?? 0;
  set64(words, at, readInt32(text, from + 4), readInt32(text, from));
  multiply64(words, at, PRIME_2);
  add64(words, at, high, low);
  rotate64(words, at, 31);
  multiply64(words, at, PRIME_1);
}

function addTurned(accumulator: number, bits: number): void {
  copy64(words, LANE, accumulator);
  rotate64(words, LANE, bits);
  addWord(words, HASH, LANE);
}
