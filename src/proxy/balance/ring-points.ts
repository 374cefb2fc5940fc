import type { Hash64 } from "./hash64.ts";

/**
 * Points on a ring of 2^64 places, in order, each with the index of its owner. A table over the
 * first bits says where to begin, so that finding one costs the same however many there are.
 */
export class RingPoints {
  readonly #highs: Uint32Array;
  readonly #lows: Uint32Array;
  readonly #owners: Uint32Array;
  readonly #starts: Uint32Array;
  readonly #shift: number;

  /** They must be sorted. */
  constructor(highs: Uint32Array, lows: Uint32Array, owners: Uint32Array) {
    this.#highs = highs;
    this.#lows = lows;
    this.#owners = owners;
    this.#shift = shiftFor(highs.length);
    this.#starts = countStarts(highs, this.#shift);
  }

  get length(): number {
    return this.#highs.length;
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

  /** These with other owners, -1 for those that go, and with others among them. */
  change(moves: Int32Array, added: RingPoints): RingPoints {
    let kept = 0;
    for (const owner of this.#owners) if (moves[owner] !== -1) kept++;
    const length = kept + added.length;
    const highs = new Uint32Array(length);
    const lows = new Uint32Array(length);
    const owners = new Uint32Array(length);
    let at = 0;
    let next = 0;
    const take = (points: RingPoints, from: number, owner: number): void => {
      highs[at] = points.#highs[from] ?? 0;
      lows[at] = points.#lows[from] ?? 0;
      owners[at++] = owner;
    };
    for (let old = 0; old < this.length; old++) {
      const owner = moves[this.#owners[old] ?? 0] ?? -1;
      if (owner === -1) continue;
      while (next < added.length && added.#isBefore(next, this, old)) {
        take(added, next, added.#owners[next++] ?? 0);
      }
      take(this, old, owner);
    }
    while (next < added.length) take(added, next, added.#owners[next++] ?? 0);
    return new RingPoints(highs, lows, owners);
  }

  #isBefore(at: number, other: RingPoints, otherAt: number): boolean {
    const high = this.#highs[at] ?? 0;
    const otherHigh = other.#highs[otherAt] ?? 0;
    if (high !== otherHigh) return high < otherHigh;
    return (this.#lows[at] ?? 0) < (other.#lows[otherAt] ?? 0);
  }
}

/** Sorts points. Hashes are spread evenly, so that hardly any share their first bits. */
export function sortPoints(highs: Uint32Array, lows: Uint32Array, owners: Uint32Array): RingPoints {
  const { length } = highs;
  const shift = shiftFor(length);
  const starts = countStarts(highs, shift);
  const ends = starts.slice();
  const sortedHighs = new Uint32Array(length);
  const sortedLows = new Uint32Array(length);
  const sortedOwners = new Uint32Array(length);
  for (let from = 0; from < length; from++) {
    const high = highs[from] ?? 0;
    const low = lows[from] ?? 0;
    const bucket = high >>> shift;
    const start = starts[bucket] ?? 0;
    let at = ends[bucket] ?? 0;
    ends[bucket] = at + 1;
    // Equal ones stay in the order of their hosts.
    for (; at > start; at--) {
      const before = sortedHighs[at - 1] ?? 0;
      if (before < high || (before === high && (sortedLows[at - 1] ?? 0) <= low)) break;
      sortedHighs[at] = before;
      sortedLows[at] = sortedLows[at - 1] ?? 0;
      sortedOwners[at] = sortedOwners[at - 1] ?? 0;
    }
    sortedHighs[at] = high;
    sortedLows[at] = low;
    sortedOwners[at] = owners[from] ?? 0;
  }
  return new RingPoints(sortedHighs, sortedLows, sortedOwners);
}

/** By how much a hash's upper half is shifted for its bucket: there are about as many as points. */
function shiftFor(length: number): number {
  return Math.min(31, Math.max(10, Math.clz32(length)));
}

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
