/** 64 bits in two halves of 32, unsigned: JavaScript has no fast integers of that size. */
export interface Hash64 {
  readonly high: number;
  readonly low: number;
}

/** The remainder of a division by a number below 2^21. */
export function hashModulo({ high, low }: Hash64, divisor: number): number {
  // 2^32 modulo the divisor times the high half stays below 2^53.
  return ((high % divisor) * (0x1_0000_0000 % divisor) + low) % divisor;
}
