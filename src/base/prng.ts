/** Chance, injected: the same seed gives the same numbers. */
export interface Prng {
  /** The next number in [0, 1). */
  next(): number;
}

/** A seeded generator (mulberry32): 32 bits of state, good enough to balance and jitter with. */
export function createPrng(seed: number): Prng {
  let state = seed >>> 0;
  return {
    next() {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = state;
      mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
    },
  };
}
