import type { HashingConfig } from "../cluster/cluster-config.ts";
import { hashKeyOf } from "./hash-key.ts";
import type { HashTable } from "./hash-table.ts";
import { type Hash64, HashCell, hashModulo } from "./hash64.ts";
import type { HostShares } from "./host-shares.ts";
import { xxHash64 } from "./xx-hash.ts";

const SEED_OF_SKIP: Hash64 = { high: 0, low: 1 };

/** The order in which a host wants the places of the table: from `offset` on in steps of `skip`. */
interface Permutation {
  readonly key: string;
  readonly offset: number;
  readonly skip: number;
}

/**
 * The table of Maglev ("Maglev: A Fast and Reliable Software Network Load Balancer", section 3.4):
 * hosts take turns by their shares, and each takes the first place that it wants and that is free.
 */
export class MaglevTable implements HashTable {
  /** As Envoy's `maglev_lb.min_entries_per_host` and `max_entries_per_host`. */
  readonly entriesMin: number;
  readonly entriesMax: number;
  readonly #size: number;
  /** By host. */
  readonly #permutations: readonly Permutation[];
  readonly #owners: Int32Array;

  /** `previous` saves working out what hosts want that it has too. */
  constructor(input: HostShares, config: HashingConfig, previous: MaglevTable | undefined) {
    this.#size = config.tableSize;
    this.#permutations = input.hosts.map((host, at) => {
      const key = hashKeyOf(host, config.usesHostname);
      const known = previous && previous.#findPermutation(key, at, input.hosts.length);
      return known ?? createPermutation(key, this.#size);
    });
    this.#owners = new Int32Array(this.#size).fill(-1);
    const counts = this.#fill(input);
    let min = this.#size;
    let max = 0;
    for (const count of counts) {
      if (count < min) min = count;
      if (count > max) max = count;
    }
    this.entriesMin = min;
    this.entriesMax = max;
  }

  find(hash: Hash64, attempt: number): number {
    if (attempt === 0) return this.#owners[hashModulo(hash, this.#size)] ?? -1;
    const high = ~hash.high >>> 0;
    const low = (hash.low ^ -attempt) >>> 0;
    return this.#owners[hashModulo({ high, low }, this.#size)] ?? -1;
  }

  /** Hosts stay in order, so that one of these is where it was, from the beginning or the end. */
  #findPermutation(key: string, at: number, count: number): Permutation | undefined {
    const known = this.#permutations;
    const fromStart = known[at];
    if (fromStart?.key === key) return fromStart;
    const fromEnd = known[at + known.length - count];
    return fromEnd?.key === key ? fromEnd : undefined;
  }

  /** Returns how many places each host has got. */
  #fill({ shares, max }: HostShares): Uint32Array {
    const order = sortedByKey(this.#permutations);
    const takers = order.map((owner) => new Taker(this.#permutations[owner], owner));
    const weights = Float64Array.from(order, (owner) => shares[owner] ?? 0);
    const targets = new Float64Array(order.length);
    const counts = new Uint32Array(order.length);
    let left = this.#size;
    // Who weighs most has a turn in every round, others as often as they weigh.
    for (let round = 1; left > 0; round++) {
      for (let at = 0; at < order.length && left > 0; at++) {
        if (round * (weights[at] ?? 0) < (targets[at] ?? 0)) continue;
        targets[at] = (targets[at] ?? 0) + max;
        counts[at] = (counts[at] ?? 0) + 1;
        takers[at]?.take(this.#owners);
        left--;
      }
    }
    return counts;
  }
}

/** A host that takes places. */
class Taker {
  readonly #owner: number;
  readonly #skip: number;
  #place: number;

  constructor(permutation: Permutation | undefined, owner: number) {
    this.#owner = owner;
    this.#place = permutation?.offset ?? 0;
    this.#skip = permutation?.skip ?? 1;
  }

  /** Takes the next place that it wants and that is free; there must be one. */
  take(owners: Int32Array): void {
    const size = owners.length;
    const skip = this.#skip;
    let place = this.#place;
    while (owners[place] !== -1) {
      place += skip;
      if (place >= size) place -= size;
    }
    owners[place] = this.#owner;
    this.#place = place;
  }
}

function createPermutation(key: string, size: number): Permutation {
  const cell = new HashCell();
  xxHash64(key, cell);
  const offset = hashModulo(cell, size);
  xxHash64(key, cell, SEED_OF_SKIP);
  return { key, offset, skip: hashModulo(cell, size - 1) + 1 };
}

/** The hosts in an order that does not change when others come and go. */
function sortedByKey(permutations: readonly Permutation[]): readonly number[] {
  const keys = permutations.map(({ key }) => key);
  return [...keys.keys()].sort((left, right) => {
    const one = keys[left] ?? "";
    const other = keys[right] ?? "";
    if (one === other) return left - right;
    return one < other ? -1 : 1;
  });
}
