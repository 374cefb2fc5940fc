import type { Hash64 } from "./hash64.ts";

/**
 * Points on a ring of 2^64 places, in order, each with the index of its owner and its number among
 * the owner's. A table over the first bits says where to begin, so that finding one costs the same
 * however many there are.
 */
export class RingPoints {
  readonly #highs: Uint32Array;
  readonly #lows: Uint32Array;
  readonly #owners: Uint32Array;
  readonly #ordinals: Uint32Array;
  #starts: Uint32Array = NO_STARTS;
  readonly #shift: number;

  private constructor(length: number) {
    this.#highs = new Uint32Array(length);
    this.#lows = new Uint32Array(length);
    this.#owners = new Uint32Array(length);
    this.#ordinals = new Uint32Array(length);
    // There are about as many buckets as points.
    this.#shift = Math.min(31, Math.max(10, Math.clz32(length)));
  }

  /** Room for so many points, to be `put` one by one and then `sorted`. */
  static withRoom(length: number): RingPoints {
    return new RingPoints(length);
  }

  put(at: number, { high, low }: Hash64, owner: number, ordinal: number): void {
    this.#highs[at] = high;
    this.#lows[at] = low;
    this.#owners[at] = owner;
    this.#ordinals[at] = ordinal;
  }

  /** The owner of the first point at or behind the hash, or of one further on; -1 for none. */
  find({ high, low }: Hash64, further: number): number {
    const highs = this.#highs;
    const lows = this.#lows;
    const { length } = highs;
    if (length === 0) return -1;
    const bucket = high >>> this.#shift;
    let from = this.#starts[bucket] ?? 0;
    let to = this.#starts[bucket + 1] ?? 0;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const there = highs[middle] ?? 0;
      if (there < high || (there === high && (lows[middle] ?? 0) < low)) from = middle + 1;
      else to = middle;
    }
    let at = from + further;
    if (at >= length) at %= length;
    return this.#owners[at] ?? -1;
  }

  /** The same in order. Hashes are spread evenly, so that hardly any share their first bits. */
  sorted(): RingPoints {
    const to = new RingPoints(this.#highs.length);
    const starts = countStarts(this.#highs, this.#shift);
    const ends = starts.slice();
    for (let from = 0; from < this.#highs.length; from++) {
      const high = this.#highs[from] ?? 0;
      const low = this.#lows[from] ?? 0;
      const bucket = high >>> this.#shift;
      const start = starts[bucket] ?? 0;
      let at = ends[bucket] ?? 0;
      ends[bucket] = at + 1;
      // Equal ones stay in the order of their hosts.
      for (; at > start; at--) {
        const before = to.#highs[at - 1] ?? 0;
        if (before < high || (before === high && (to.#lows[at - 1] ?? 0) <= low)) break;
        to.#take(at, to, at - 1, to.#owners[at - 1] ?? 0);
      }
      to.#take(at, this, from, this.#owners[from] ?? 0);
    }
    to.#starts = starts;
    return to;
  }

  /**
   * These with their owners moved, -1 for those that go, as far as the new owners have so many, and
   * with others among them. Both must be sorted.
   */
  change(moves: Int32Array, counts: Uint32Array, added: RingPoints): RingPoints {
    const length = this.#highs.length;
    // By their place: the new owner, or none.
    const owners = new Int32Array(length);
    let kept = 0;
    for (let at = 0; at < length; at++) {
      const owner = moves[this.#owners[at] ?? 0] ?? -1;
      const isKept = owner !== -1 && (this.#ordinals[at] ?? 0) < (counts[owner] ?? 0);
      owners[at] = isKept ? owner : -1;
      if (isKept) kept++;
    }
    const to = new RingPoints(kept + added.#highs.length);
    let next = 0;
    let end = 0;
    for (let at = 0; at < length; at++) {
      const owner = owners[at] ?? -1;
      if (owner === -1) continue;
      while (next < added.#highs.length && added.#isBefore(next, this, at)) {
        to.#take(end++, added, next, added.#owners[next++] ?? 0);
      }
      to.#take(end++, this, at, owner);
    }
    while (next < added.#highs.length) {
      to.#take(end++, added, next, added.#owners[next++] ?? 0);
    }
    to.#starts = countStarts(to.#highs, to.#shift);
    return to;
  }

  #take(at: number, points: RingPoints, from: number, owner: number): void {
    this.#highs[at] = points.#highs[from] ?? 0;
    this.#lows[at] = points.#lows[from] ?? 0;
    this.#ordinals[at] = points.#ordinals[from] ?? 0;
    this.#owners[at] = owner;
  }

  #isBefore(at: number, other: RingPoints, otherAt: number): boolean {
    const high = this.#highs[at] ?? 0;
    const otherHigh = other.#highs[otherAt] ?? 0;
    if (high !== otherHigh) return high < otherHigh;
    return (this.#lows[at] ?? 0) < (other.#lows[otherAt] ?? 0);
  }
}

const NO_STARTS = new Uint32Array();

/** Where each bucket begins, and behind the last one the end. */
function countStarts(highs: Uint32Array, shift: number): Uint32Array {
  const starts = new Uint32Array(2 ** (32 - shift) + 1);
  for (const high of highs) {
    const bucket = (high >>> shift) + 1;
    starts[bucket] = (starts[bucket] ?? 0) + 1;
  }
  for (let at = 1; at < starts.length; at++) {
    starts[at] = (starts[at] ?? 0) + (starts[at - 1] ?? 0);
  }
  return starts;
}
