import { CellMap } from "./cell-map.ts";
import { type CellGraph, type Input } from "./cells.ts";
import { PatchedMap } from "./patched-map.ts";

/**
 * A map that is set from outside, to be read like any: who asks for one key depends on that key
 * alone. What a change of it costs beyond comparing is what depends on the keys that changed.
 */
export class InputMap<V> extends CellMap<V> {
  readonly #graph: CellGraph;
  readonly #input: Input<ReadonlyMap<string, V>>;
  readonly #isEqual: (last: V, next: V) => boolean;
  /** What was asked for; it is forgotten with the next map when nobody depends on it. */
  readonly #keys = new Map<string, Input<V | undefined>>();
  #map: ReadonlyMap<string, V>;

  /** `isEqual` tells whether a value is the same to those who asked for it; without, by identity. */
  constructor(
    graph: CellGraph,
    map: ReadonlyMap<string, V>,
    isEqual: (last: V, next: V) => boolean = Object.is,
  ) {
    const input = graph.input(map);
    super(graph, input);
    this.#graph = graph;
    this.#input = input;
    this.#isEqual = isEqual;
    this.#map = map;
  }

  /** Puts another map in its place. */
  set(map: ReadonlyMap<string, V>): void {
    if (map === this.#map) return;
    const before = this.#map;
    this.#map = map;
    this.#input.set(map);
    const changed =
      map instanceof PatchedMap ? (map as PatchedMap<V>).changedKeys(before) : undefined;
    for (const key of changed ?? this.#keys.keys()) {
      const input = this.#keys.get(key);
      if (input === undefined) continue;
      const [last, next] = [before.get(key), map.get(key)];
      if (input.dependents.isEmpty) this.#keys.delete(key);
      else if (last === next) continue;
      else if (last === undefined || next === undefined || !this.#isEqual(last, next)) {
        input.set(next);
      }
    }
  }

  override get(key: string): V | undefined {
    let input = this.#keys.get(key);
    if (input === undefined) {
      input = this.#graph.input(this.#map.get(key));
      this.#keys.set(key, input);
    }
    return input.get();
  }

  override has(key: string): boolean {
    return this.get(key) !== undefined;
  }
}
