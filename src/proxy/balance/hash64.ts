/** 64 bits in two halves of 32, unsigned: JavaScript has no fast integers of that size. */
export interface Hash64 {
  readonly high: number;
  readonly low: number;
}

/** One that is filled in again and again, so that hashing allocates nothing. */
export class HashCell implements Hash64 {
  high = 0;
  low = 0;
}

/** The remainder of a division by a number up to 2^26. */
export function hashModulo({ high, low }: Hash64, divisor: number): number {
  // The product stays below 2^52, and the sum below 2^53.
  return ((high % divisor) * (0x1_0000_0000 % divisor) + low) % divisor;
}
