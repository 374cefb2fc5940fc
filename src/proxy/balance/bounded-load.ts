import type { HashTable } from "./hash-table.ts";
import type { Hash64 } from "./hash64.ts";
import type { HostShares } from "./host-shares.ts";
import { MersenneTwister } from "./mersenne-twister.ts";

/**
 * Consistent hashing with bounded loads, as Envoy does it (`hash_balance_factor`): a host that has
 * more than its bound of what is in flight is passed over for another, and the others come in a
 * random order that is always the same for one hash.
 */
export class BoundedLoad implements HashTable {
  readonly #table: HashTable;
  readonly #input: HostShares;
  readonly #factorPercent: number;
  readonly #random = new MersenneTwister();
  /** The hosts in the order in which they are tried. */
  readonly #order: Uint32Array;

  constructor(table: HashTable, input: HostShares, factorPercent: number) {
    this.#table = table;
    this.#input = input;
    this.#factorPercent = factorPercent;
    this.#order = new Uint32Array(input.hosts.length);
  }

  find(hash: Hash64, attempt: number): number {
    const first = this.#table.find(hash, attempt);
    const [any] = this.#input.hosts;
    if (first === -1 || any === undefined) return first;
    const percent = (any.load.requests + 1) * this.#factorPercent;
    const slots = Math.floor((percent + 99) / 100);
    const overload = this.#overloadOf(first, slots);
    return overload <= 1 ? first : this.#findOther(hash, first, overload, slots);
  }

  /** How full a host is; above 1 it gets nothing more. */
  #overloadOf(at: number, slots: number): number {
    const active = this.#input.hosts[at]?.activeRequests ?? 0;
    return active / Math.max(1, Math.ceil(slots * (this.#input.shares[at] ?? 0)));
  }

  /** The first that is not full; when all are, that which is least. */
  #findOther(hash: Hash64, first: number, overload: number, slots: number): number {
    const order = this.#order;
    const count = order.length;
    for (let at = 0; at < count; at++) order[at] = at;
    this.#random.seed(hash.low);
    let best = first;
    let least = overload;
    for (let at = 0; at < count; at++) {
      const drawn = at + this.#random.below(count - at);
      const host = order[drawn] ?? 0;
      order[drawn] = order[at] ?? 0;
      order[at] = host;
      if (host === first) continue;
      const its = this.#overloadOf(host, slots);
      if (its <= 1) return host;
      if (its >= least) continue;
      best = host;
      least = its;
    }
    return best;
  }
}
