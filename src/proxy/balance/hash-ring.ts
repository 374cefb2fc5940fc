import type { HashingConfig } from "../cluster/cluster-config.ts";
import { hashKeyOf } from "./hash-key.ts";
import type { HashTable } from "./hash-table.ts";
import { type Hash64, HashCell } from "./hash64.ts";
import type { HostShares } from "./host-shares.ts";
import { matchKeys } from "./match-keys.ts";
import { murmurHash2 } from "./murmur-hash.ts";
import { RingPoints } from "./ring-points.ts";
import { xxHash64 } from "./xx-hash.ts";

/**
 * The ring of Envoy's ring hash ("ketama"): every host has points on it by its share, and a hash
 * belongs to the first point at or behind it.
 */
export class HashRing implements HashTable {
  /** As Envoy's `ring_hash_lb.size`, which need not be the number of points to the last one. */
  readonly size: number;
  readonly hashesMin: number;
  readonly hashesMax: number;
  /** By host: what it is known by, and how many points it has. */
  readonly #keys: readonly string[];
  readonly #counts: Uint32Array;
  readonly #points: RingPoints;

  /** What `previous` has in common with the new ring is not worked out again. */
  constructor(input: HostShares, config: HashingConfig, previous: HashRing | undefined) {
    const scale = Math.min(
      Math.ceil(input.min * config.ringSizeMin) / input.min,
      config.ringSizeMax,
    );
    this.size = Math.ceil(scale);
    this.#keys = input.hosts.map((host) => hashKeyOf(host, config.usesHostname));
    this.#counts = countPoints(input.shares, scale);
    let min = this.size;
    let max = 0;
    for (const count of this.#counts) {
      if (count < min) min = count;
      if (count > max) max = count;
    }
    this.hashesMin = min;
    this.hashesMax = max;
    const hash = config.hashFunction === "xx_hash" ? xxHash64 : murmurHash2;
    this.#points = this.#createPoints(previous, hash);
  }

  find(hash: Hash64, attempt: number): number {
    return this.#points.find(hash, attempt);
  }

  #createPoints(previous: HashRing | undefined, hash: HashFunction): RingPoints {
    const firsts = new Uint32Array(this.#counts.length);
    if (previous === undefined) return this.#hashPoints(firsts, hash);
    const moves = matchKeys(previous.#keys, this.#keys);
    for (let before = 0; before < moves.length; before++) {
      const at = moves[before] ?? -1;
      if (at !== -1) firsts[at] = previous.#counts[before] ?? 0;
    }
    return previous.#points.change(moves, this.#counts, this.#hashPoints(firsts, hash));
  }

  /** The points of every host but for so many first ones of it, sorted. */
  #hashPoints(firsts: Uint32Array, hash: HashFunction): RingPoints {
    const counts = this.#counts;
    let total = 0;
    for (let owner = 0; owner < counts.length; owner++) {
      total += Math.max(0, (counts[owner] ?? 0) - (firsts[owner] ?? 0));
    }
    const points = RingPoints.withRoom(total);
    let at = 0;
    for (let owner = 0; owner < counts.length; owner++) {
      const count = counts[owner] ?? 0;
      const first = firsts[owner] ?? 0;
      if (first >= count) continue;
      const prefix = `${this.#keys[owner]}_`;
      for (let ordinal = first; ordinal < count; ordinal++) {
        hash(prefix + ordinal, cell);
        points.put(at++, cell, owner, ordinal);
      }
    }
    return points.sorted();
  }
}

type HashFunction = (text: string, out: HashCell) => void;

const cell = new HashCell();

/**
 * Gives every host its points. Their number need not be whole: what one has too many the next has
 * too few, in the order of the hosts.
 */
function countPoints(shares: Float64Array, scale: number): Uint32Array {
  let given = 0;
  let wanted = 0;
  const counts = new Uint32Array(shares.length);
  for (let at = 0; at < shares.length; at++) {
    wanted += scale * (shares[at] ?? 0);
    const count = Math.max(0, Math.ceil(wanted) - given);
    given += count;
    counts[at] = count;
  }
  return counts;
}
