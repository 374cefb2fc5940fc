import type { CellGraph, Family, Readable } from "./cells.ts";

/**
 * A map in a cell, to be read like any: who asks for one key depends on that key alone, who looks at
 * all of it depends on all of it.
 */
export class CellMap<V> implements ReadonlyMap<string, V> {
  readonly #whole: Readable<ReadonlyMap<string, V>>;
  readonly #values: Family<string, V | undefined>;

  /** `isEqual` tells whether a value is the same to those who asked for it; without, by identity. */
  constructor(
    graph: CellGraph,
    whole: Readable<ReadonlyMap<string, V>>,
    isEqual?: (last: V, next: V) => boolean,
  ) {
    this.#whole = whole;
    this.#values = graph.family(
      (key: string) => whole.get().get(key),
      isEqual && ((last, next) => last !== undefined && next !== undefined && isEqual(last, next)),
    );
    this.#values.isLookup = true;
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  has(key: string): boolean {
    return this.#values.get(key) !== undefined;
  }

  /** The map as it is now, which never changes. */
  whole(): ReadonlyMap<string, V> {
    return this.#whole.get();
  }

  get size(): number {
    return this.whole().size;
  }

  entries(): MapIterator<[string, V]> {
    return this.whole().entries();
  }

  keys(): MapIterator<string> {
    return this.whole().keys();
  }

  values(): MapIterator<V> {
    return this.whole().values();
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.whole().entries();
  }

  forEach(callback: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, value] of this.whole()) callback(value, key, this);
  }
}

/** The map as a value that never changes, to compute from with a memoised function. */
export function wholeOf<V>(map: ReadonlyMap<string, V>): ReadonlyMap<string, V> {
  return map instanceof CellMap ? (map as CellMap<V>).whole() : map;
}
