import type { HashingConfig } from "../cluster/cluster-config.ts";
import { hashKeyOf } from "./hash-key.ts";
import type { HashTable } from "./hash-table.ts";
import { type Hash64, HashCell } from "./hash64.ts";
import type { HostShares } from "./host-shares.ts";
import { murmurHash2 } from "./murmur-hash.ts";
import { type RingPoints, sortPoints } from "./ring-points.ts";
import { xxHash64 } from "./xx-hash.ts";

/** How many points a host has, and in what it is hashed to them. */
interface RingHost {
  readonly key: string;
  readonly count: number;
}

/**
 * The ring of Envoy's ring hash ("ketama"): every host has points on it by its share, and a hash
 * belongs to the first point at or behind it.
 */
export class HashRing implements HashTable {
  /** As Envoy's `ring_hash_lb.size`, which need not be the number of points to the last one. */
  readonly size: number;
  readonly hashesMin: number;
  readonly hashesMax: number;
  readonly #hosts: readonly RingHost[];
  readonly #points: RingPoints;

  /** What `previous` has in common with the new ring is not worked out again. */
  constructor(input: HostShares, config: HashingConfig, previous: HashRing | undefined) {
    const scale = Math.min(
      Math.ceil(input.min * config.ringSizeMin) / input.min,
      config.ringSizeMax,
    );
    this.size = Math.ceil(scale);
    this.#hosts = countPoints(input, scale, config.usesHostname);
    let min = this.size;
    let max = 0;
    for (const { count } of this.#hosts) {
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

  #createPoints(
    previous: HashRing | undefined,
    hash: (text: string, out: HashCell) => void,
  ): RingPoints {
    const all = this.#hosts.keys();
    if (previous === undefined) return this.#hashPoints([...all], hash);
    const moves = matchHosts(previous.#hosts, this.#hosts);
    const isKept = new Uint8Array(this.#hosts.length);
    for (const to of moves) if (to !== -1) isKept[to] = 1;
    const added = [...all].filter((at) => isKept[at] === 0);
    return previous.#points.change(moves, this.#hashPoints(added, hash));
  }

  /** The points of some of the hosts, sorted. */
  #hashPoints(owners: readonly number[], hash: (text: string, out: HashCell) => void): RingPoints {
    let total = 0;
    for (const owner of owners) total += this.#hosts[owner]?.count ?? 0;
    const highs = new Uint32Array(total);
    const lows = new Uint32Array(total);
    const ownerOf = new Uint32Array(total);
    const cell = new HashCell();
    let at = 0;
    for (const owner of owners) {
      const { key = "", count = 0 } = this.#hosts[owner] ?? {};
      const prefix = `${key}_`;
      for (let index = 0; index < count; index++, at++) {
        hash(prefix + index, cell);
        highs[at] = cell.high;
        lows[at] = cell.low;
        ownerOf[at] = owner;
      }
    }
    return sortPoints(highs, lows, ownerOf);
  }
}

/**
 * Gives every host its points. Their number need not be whole: what one has too many the next has
 * too few, in the order of the hosts.
 */
function countPoints(
  { hosts, shares }: HostShares,
  scale: number,
  usesHostname: boolean,
): readonly RingHost[] {
  let given = 0;
  let wanted = 0;
  return hosts.map((host, at) => {
    wanted += scale * (shares[at] ?? 0);
    const count = Math.max(0, Math.ceil(wanted) - given);
    given += count;
    return { key: hashKeyOf(host, usesHostname), count };
  });
}

/** For each of the old hosts, which of the new ones has the same points; -1 for none. */
function matchHosts(before: readonly RingHost[], after: readonly RingHost[]): Int32Array {
  const moves = new Int32Array(before.length).fill(-1);
  const common = Math.min(before.length, after.length);
  let start = 0;
  for (; start < common && isSame(before[start], after[start]); start++) moves[start] = start;
  const shift = after.length - before.length;
  let end = before.length;
  while (end > start && end + shift > start && isSame(before[end - 1], after[end - 1 + shift])) {
    end--;
    moves[end] = end + shift;
  }
  const byKey = new Map<string, number>();
  for (let at = start; at < end + shift; at++) byKey.set(after[at]?.key ?? "", at);
  for (let at = start; at < end; at++) {
    const key = before[at]?.key ?? "";
    const to = byKey.get(key);
    if (to === undefined || !isSame(before[at], after[to])) continue;
    moves[at] = to;
    byKey.delete(key);
  }
  return moves;
}

function isSame(left: RingHost | undefined, right: RingHost | undefined): boolean {
  return left?.key === right?.key && left?.count === right?.count;
}
