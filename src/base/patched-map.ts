/** How many keys of a patch there may be for each of the base before both become one map. */
const PATCH_PART = 1 / 16;
const PATCH_MIN = 32;

/**
 * A map that never changes, as another one and what differs from that: one with other values for
 * few keys is made, and compared with it, at the cost of those, however large it is. Each time many
 * have come together a map is made of it as a whole.
 */
export class PatchedMap<V> implements ReadonlyMap<string, V> {
  readonly size: number;
  /** What many of them have in common, to compute from once. */
  readonly base: ReadonlyMap<string, V>;
  /** What differs from the base; `undefined`: gone. */
  readonly patch: ReadonlyMap<string, V | undefined>;

  constructor(base: ReadonlyMap<string, V>, patch: ReadonlyMap<string, V | undefined> = new Map()) {
    this.base = base;
    this.patch = patch;
    let { size } = base;
    for (const [key, value] of patch) {
      if (value === undefined) size -= base.has(key) ? 1 : 0;
      else if (!base.has(key)) size += 1;
    }
    this.size = size;
  }

  /** The map with these values; `undefined` takes a key away. New keys come last. */
  with(changes: ReadonlyMap<string, V | undefined>): PatchedMap<V> {
    const patch = new Map([...this.patch, ...changes]);
    const patched = new PatchedMap(this.base, patch);
    const isSmall = patch.size <= PATCH_MIN + this.base.size * PATCH_PART;
    return isSmall ? patched : new PatchedMap(new Map(patched));
  }

  /** The keys whose values may differ from another map's; `undefined` when they have no base in common. */
  changedKeys(from: ReadonlyMap<string, V>): ReadonlySet<string> | undefined {
    if (!(from instanceof PatchedMap) || from.base !== this.base) return undefined;
    return new Set([...from.patch.keys(), ...this.patch.keys()]);
  }

  get(key: string): V | undefined {
    const value = this.patch.get(key);
    return value !== undefined || this.patch.has(key) ? value : this.base.get(key);
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  *entries(): MapIterator<[string, V]> {
    for (const entry of this.base) {
      if (!this.patch.has(entry[0])) yield entry;
      else {
        const value = this.patch.get(entry[0]);
        if (value !== undefined) yield [entry[0], value];
      }
    }
    for (const [key, value] of this.patch) {
      if (value !== undefined && !this.base.has(key)) yield [key, value];
    }
  }

  *keys(): MapIterator<string> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): MapIterator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries();
  }

  forEach(callback: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, value] of this.entries()) callback(value, key, this);
  }
}
