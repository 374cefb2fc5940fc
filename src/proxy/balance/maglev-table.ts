import type { HashingConfig } from "../cluster/cluster-config.ts";
import { hashKeyOf } from "./hash-key.ts";
import type { HashTable } from "./hash-table.ts";
import { type Hash64, HashCell, hashModulo } from "./hash64.ts";
import type { HostShares } from "./host-shares.ts";
import { MaglevTurns } from "./maglev-turns.ts";
import { matchKeys } from "./match-keys.ts";
import { xxHash64 } from "./xx-hash.ts";

const SEED_OF_SKIP: Hash64 = { high: 0, low: 1 };

/**
 * The table of Maglev ("Maglev: A Fast and Reliable Software Network Load Balancer", section 3.4):
 * hosts take turns by their shares, and each takes the first place that it wants and that is free.
 */
export class MaglevTable implements HashTable {
  /** As Envoy's `maglev_lb.min_entries_per_host` and `max_entries_per_host`. */
  readonly entriesMin: number;
  readonly entriesMax: number;
  readonly #size: number;
  /** By host: what it is known by, and that it wants the places from `offset` on in steps of `skip`. */
  readonly #keys: readonly string[];
  readonly #offsets: Uint32Array;
  readonly #skips: Uint32Array;
  /** The hosts by their keys, which is an order that does not change when others come and go. */
  readonly #order: readonly number[];
  readonly #owners: Int32Array;

  /** What `previous` knows of hosts that it has too is not worked out again. */
  constructor(input: HostShares, config: HashingConfig, previous: MaglevTable | undefined) {
    this.#size = config.tableSize;
    this.#keys = input.hosts.map((host) => hashKeyOf(host, config.usesHostname));
    this.#offsets = new Uint32Array(this.#keys.length);
    this.#skips = new Uint32Array(this.#keys.length);
    this.#order = this.#takeOver(previous);
    // Where there is no choice one place is enough, as in Envoy.
    this.#owners = new Int32Array(this.#keys.length === 1 ? 1 : this.#size).fill(-1);
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
    const owners = this.#owners;
    if (attempt === 0) return owners[hashModulo(hash, owners.length)] ?? -1;
    const high = ~hash.high >>> 0;
    const low = (hash.low ^ -attempt) >>> 0;
    return owners[hashModulo({ high, low }, owners.length)] ?? -1;
  }

  /** Works out what each host wants; returns their order. */
  #takeOver(previous: MaglevTable | undefined): readonly number[] {
    const keys = this.#keys;
    const isKnown = new Uint8Array(keys.length);
    const order: number[] = [];
    if (previous !== undefined) {
      const moves = matchKeys(previous.#keys, keys);
      for (const before of previous.#order) {
        const at = moves[before] ?? -1;
        if (at === -1) continue;
        isKnown[at] = 1;
        this.#offsets[at] = previous.#offsets[before] ?? 0;
        this.#skips[at] = previous.#skips[before] ?? 0;
        order.push(at);
      }
    }
    for (const [at, key] of keys.entries()) {
      if (isKnown[at] === 1) continue;
      this.#want(at, key);
      order.push(at);
    }
    // Most of it is in order already.
    return order.sort((left, right) => {
      const one = keys[left] ?? "";
      const other = keys[right] ?? "";
      if (one === other) return left - right;
      return one < other ? -1 : 1;
    });
  }

  #want(at: number, key: string): void {
    xxHash64(key, cell);
    this.#offsets[at] = hashModulo(cell, this.#size);
    xxHash64(key, cell, SEED_OF_SKIP);
    this.#skips[at] = hashModulo(cell, this.#size - 1) + 1;
  }

  /** Returns how many places each host has got, in their order. */
  #fill({ shares, max }: HostShares): Uint32Array {
    const owners = this.#owners;
    const size = owners.length;
    const order = Uint32Array.from(this.#order);
    const turns = new MaglevTurns(
      Float64Array.from(order, (owner) => shares[owner] ?? 0),
      max,
    );
    const next = Uint32Array.from(order, (owner) => this.#offsets[owner] ?? 0);
    const skips = Uint32Array.from(order, (owner) => this.#skips[owner] ?? 0);
    const counts = new Uint32Array(order.length);
    for (let left = size; left > 0; left--) {
      const at = turns.next();
      const skip = skips[at] ?? 0;
      let place = (next[at] ?? 0) % size;
      while (owners[place] !== -1) {
        place += skip;
        if (place >= size) place -= size;
      }
      owners[place] = order[at] ?? 0;
      next[at] = place;
      counts[at] = (counts[at] ?? 0) + 1;
    }
    return counts;
  }
}

const cell = new HashCell();
