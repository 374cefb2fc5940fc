import { sink } from "./heap.ts";

/** How much more than the mean one may weigh while going through all in every round is cheap. */
const SKEW_MAX = 8;

/**
 * Whose turn it is while a Maglev table is filled: who weighs most has one in every round, in order,
 * others in as many rounds as they weigh of that. They are known by their index.
 */
export class MaglevTurns {
  readonly #weights: Float64Array;
  readonly #max: number;
  /** What a host's weight times the round must come to for its next turn. */
  readonly #targets: Float64Array;
  #round = 1;
  #at = 0;
  /** Where weights differ much: hosts by the round of their next turn, as a binary heap. */
  readonly #heap: Int32Array | undefined;
  readonly #rounds: Float64Array;
  /** Of those with the same round: as they are known. */
  readonly #order: Float64Array;

  /** `max` is the largest weight; all together they are 1. */
  constructor(weights: Float64Array, max: number) {
    this.#weights = weights;
    this.#max = max;
    this.#targets = new Float64Array(weights.length);
    const isSkewed = weights.length * max > SKEW_MAX;
    // All have a turn in the first round.
    this.#heap = isSkewed ? Int32Array.from(weights.keys()) : undefined;
    this.#rounds = new Float64Array(isSkewed ? weights.length : 0).fill(1);
    this.#order = Float64Array.from(this.#rounds.keys());
  }

  next(): number {
    return this.#heap === undefined ? this.#scan() : this.#takeFirst(this.#heap);
  }

  #scan(): number {
    for (;;) {
      if (this.#at === this.#weights.length) {
        this.#at = 0;
        this.#round++;
      }
      const at = this.#at++;
      const target = this.#targets[at] ?? 0;
      if (this.#round * (this.#weights[at] ?? 0) < target) continue;
      this.#targets[at] = target + this.#max;
      return at;
    }
  }

  #takeFirst(heap: Int32Array): number {
    const first = heap[0] ?? 0;
    const target = (this.#targets[first] ?? 0) + this.#max;
    this.#targets[first] = target;
    const weight = this.#weights[first] ?? 1;
    let round = Math.ceil(target / weight);
    // The division is rounded; what counts is the product, as in `#scan`.
    while ((round - 1) * weight >= target) round--;
    while (round * weight < target) round++;
    this.#rounds[first] = Math.max(round, (this.#rounds[first] ?? 0) + 1);
    sink(heap, this.#rounds, this.#order, 0);
    return first;
  }
}
