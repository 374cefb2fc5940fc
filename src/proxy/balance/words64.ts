/**
 * Arithmetic modulo 2^64 for hash functions, which BigInt would make ten times slower: registers
 * are pairs of entries of an `Int32Array`, the high half first, and are named by the index of it.
 */

/** A constant of a hash function. */
export interface Word64 {
  readonly high: number;
  readonly low: number;
}

/** Takes the two halves of a constant apart, which must be below 2^64. */
export function word64(value: bigint): Word64 {
  return { high: Number(value >> 32n) | 0, low: Number(value & 0xffff_ffffn) | 0 };
}

export function set64(words: Int32Array, at: number, high: number, low: number): void {
  words[at] = high;
  words[at + 1] = low;
}

export function copy64(words: Int32Array, at: number, from: number): void {
  words[at] = words[from] ?? 0;
  words[at + 1] = words[from + 1] ?? 0;
}

export function add64(words: Int32Array, at: number, high: number, low: number): void {
  const sum = ((words[at + 1] ?? 0) >>> 0) + (low >>> 0);
  words[at] = (words[at] ?? 0) + high + (sum > 0xffff_ffff ? 1 : 0);
  words[at + 1] = sum;
}

export function addWord(words: Int32Array, at: number, from: number): void {
  add64(words, at, words[from] ?? 0, words[from + 1] ?? 0);
}

export function xor64(words: Int32Array, at: number, high: number, low: number): void {
  words[at] = (words[at] ?? 0) ^ high;
  words[at + 1] = (words[at + 1] ?? 0) ^ low;
}

export function xorWord(words: Int32Array, at: number, from: number): void {
  xor64(words, at, words[from] ?? 0, words[from + 1] ?? 0);
}

export function multiply64(words: Int32Array, at: number, by: Word64): void {
  const high = words[at] ?? 0;
  const low = words[at + 1] ?? 0;
  words[at] = productHigh(low, by.low) + Math.imul(high, by.low) + Math.imul(low, by.high);
  words[at + 1] = Math.imul(low, by.low);
}

/** The upper half of the product of two numbers of 32 bits, taken as unsigned. */
function productHigh(left: number, right: number): number {
  const leftLow = left & 0xffff;
  const leftHigh = left >>> 16;
  const rightLow = right & 0xffff;
  const rightHigh = right >>> 16;
  const lowest = Math.imul(leftLow, rightLow) >>> 0;
  const middle = (Math.imul(leftHigh, rightLow) >>> 0) + (lowest >>> 16);
  const other = (Math.imul(leftLow, rightHigh) >>> 0) + (middle & 0xffff);
  return (Math.imul(leftHigh, rightHigh) + (middle >>> 16) + (other >>> 16)) | 0;
}

/** Turns left by 1 to 31 bits. */
export function rotate64(words: Int32Array, at: number, bits: number): void {
  const high = words[at] ?? 0;
  const low = words[at + 1] ?? 0;
  words[at] = (high << bits) | (low >>> (32 - bits));
  words[at + 1] = (low << bits) | (high >>> (32 - bits));
}

/** `x ^= x >> bits`, for 1 to 63 bits. */
export function shiftMix64(words: Int32Array, at: number, bits: number): void {
  const high = words[at] ?? 0;
  const low = words[at + 1] ?? 0;
  if (bits >= 32) {
    words[at + 1] = low ^ (high >>> (bits - 32));
    return;
  }
  words[at] = high ^ (high >>> bits);
  words[at + 1] = low ^ ((low >>> bits) | (high << (32 - bits)));
}

/** Four bytes of a text of Latin-1, the first one lowest. */
export function readInt32(text: string, at: number): number {
  return (
    text.charCodeAt(at) |
    (text.charCodeAt(at + 1) << 8) |
    (text.charCodeAt(at + 2) << 16) |
    (text.charCodeAt(at + 3) << 24)
  );
}
