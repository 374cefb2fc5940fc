const SIZE = 624;
const MIDDLE = 397;

/** The generator MT19937, for the same order of hosts for the same hash as in Envoy. */
export class MersenneTwister {
  readonly #state = new Uint32Array(SIZE);
  #next = SIZE;

  /** Begins anew, by 32 bits. */
  seed(seed: number): void {
    const state = this.#state;
    let before = seed >>> 0;
    state[0] = before;
    for (let at = 1; at < SIZE; at++) {
      before = (Math.imul(before ^ (before >>> 30), 1_812_433_253) + at) >>> 0;
      state[at] = before;
    }
    this.#next = SIZE;
  }

  /** The next 32 bits. */
  next(): number {
    if (this.#next >= SIZE) this.#turn();
    let bits = this.#state[this.#next++] ?? 0;
    bits ^= bits >>> 11;
    bits ^= (bits << 7) & 0x9d2c5680;
    bits ^= (bits << 15) & 0xefc60000;
    return (bits ^ (bits >>> 18)) >>> 0;
  }

  /** A whole number below the bound, each as likely: what would make some likelier is drawn again. */
  below(bound: number): number {
    const width = Math.floor(0x1_0000_0000 / bound);
    for (;;) {
      const drawn = Math.floor(this.next() / width);
      if (drawn < bound) return drawn;
    }
  }

  #turn(): void {
    const state = this.#state;
    for (let at = 0; at < SIZE; at++) {
      const bits = ((state[at] ?? 0) & 0x8000_0000) | ((state[(at + 1) % SIZE] ?? 0) & 0x7fff_ffff);
      const turned = (state[(at + MIDDLE) % SIZE] ?? 0) ^ (bits >>> 1);
      state[at] = (bits & 1) === 0 ? turned : turned ^ 0x9908_b0df;
    }
    this.#next = 0;
  }
}
