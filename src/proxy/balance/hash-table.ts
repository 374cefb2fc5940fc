import type { Hash64 } from "./hash64.ts";

/** Says which host a hash belongs to. */
export interface HashTable {
  /**
   * The index of the host; -1 when there is none. Attempts above 0 are for when a host is not
   * wanted, and mostly bring another.
   */
  find(hash: Hash64, attempt: number): number;
}
