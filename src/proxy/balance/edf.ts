import { sink } from "./heap.ts";

/**
 * Earliest deadline first: each entry is due again after the reciprocal of its weight, so that
 * entries come up as often as they weigh and as evenly spread as can be. Entries are indices; those
 * due at the same time come in the order in which they were put in. Costs log n for each pick.
 */
export class EdfSchedule {
  readonly #weightOf: (entry: number) => number;
  /** A binary heap of entries by the time that they are due at, then by turn. */
  readonly #heap: Int32Array;
  readonly #due: Float64Array;
  readonly #turn: Float64Array;
  #nextTurn = 0;

  /** `entries` are 0 to `count - 1`; weights are above 0 and asked for anew at every pick. */
  constructor(count: number, weightOf: (entry: number) => number) {
    this.#weightOf = weightOf;
    this.#heap = new Int32Array(count);
    this.#due = new Float64Array(count);
    this.#turn = new Float64Array(count);
    for (let entry = 0; entry < count; entry++) {
      this.#heap[entry] = entry;
      this.#due[entry] = 1 / weightOf(entry);
      this.#turn[entry] = this.#nextTurn++;
    }
    for (let at = (count >> 1) - 1; at >= 0; at--) sink(this.#heap, this.#due, this.#turn, at);
  }

  /** The entry that is due; there must be one. */
  pick(): number {
    const entry = this.#heap[0] ?? 0;
    this.#due[entry] = (this.#due[entry] ?? 0) + 1 / this.#weightOf(entry);
    this.#turn[entry] = this.#nextTurn++;
    sink(this.#heap, this.#due, this.#turn, 0);
    return entry;
  }
}
