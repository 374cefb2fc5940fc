/**
 * Resources by name, as layers: what many proxies share is one layer and one value, what a proxy has
 * alone is another. So what is computed of a layer (its bytes, how it differs from an earlier one)
 * is computed once for all who have it.
 */
import { memoise } from "../base/memo.ts";
import { PatchedMap } from "../base/patched-map.ts";
import type { XdsResource } from "./snapshot.ts";

/** Resources of one kind by name; never changed. */
export type ResourceMap = ReadonlyMap<string, XdsResource>;

/** How one map differs from an earlier one. */
export interface ResourceChanges {
  /** Names that are new or have another version. */
  readonly changed: ReadonlySet<string>;
  /** Names that are there no more. */
  readonly removed: ReadonlySet<string>;
}

const EMPTY: ResourceMap = new Map();
const NO_CHANGES: ResourceChanges = { changed: new Set(), removed: new Set() };

/** Several maps as one; of a name that two have, the earlier layer's counts. */
class LayeredMap implements ReadonlyMap<string, XdsResource> {
  readonly layers: readonly ResourceMap[];
  readonly size: number;

  constructor(layers: readonly ResourceMap[]) {
    this.layers = layers;
    let size = 0;
    for (const [index, layer] of layers.entries())
      size += layer.size - this.#hiddenIn(layer, index);
    this.size = size;
  }

  get(name: string): XdsResource | undefined {
    for (const layer of this.layers) {
      const found = layer.get(name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  has(name: string): boolean {
    return this.layers.some((layer) => layer.has(name));
  }

  *entries(): MapIterator<[string, XdsResource]> {
    for (const [index, layer] of this.layers.entries()) {
      for (const entry of layer) {
        if (!this.#isHidden(entry[0], index)) yield entry;
      }
    }
  }

  *keys(): MapIterator<string> {
    for (const [name] of this.entries()) yield name;
  }

  *values(): MapIterator<XdsResource> {
    for (const [, resource] of this.entries()) yield resource;
  }

  [Symbol.iterator](): MapIterator<[string, XdsResource]> {
    return this.entries();
  }

  forEach(
    callback: (value: XdsResource, key: string, map: ReadonlyMap<string, XdsResource>) => void,
  ): void {
    for (const [name, resource] of this.entries()) callback(resource, name, this);
  }

  #isHidden(name: string, index: number): boolean {
    return this.layers.slice(0, index).some((earlier) => earlier.has(name));
  }

  /** Usually none: the smaller side is walked. */
  #hiddenIn(layer: ResourceMap, index: number): number {
    const seen = new Set<string>();
    for (const earlier of this.layers.slice(0, index)) {
      const [small, large] = earlier.size < layer.size ? [earlier, layer] : [layer, earlier];
      for (const name of small.keys()) if (large.has(name)) seen.add(name);
    }
    return seen.size;
  }
}

/** The maps as one, the earlier before the later; equal layers give the same value. */
export function layeredMap(...layers: readonly ResourceMap[]): ResourceMap {
  const [first = EMPTY, ...others] = layers.filter(({ size }) => size > 0);
  return others.length === 0 ? first : joined(first, ...others);
}

const joined = memoise(
  (...layers: readonly [ResourceMap, ...ResourceMap[]]): ResourceMap => new LayeredMap(layers),
);

/** The layers that a map was made of, itself when it is one. */
export function layersOf(map: ResourceMap): readonly ResourceMap[] {
  return map instanceof LayeredMap ? map.layers : [map];
}

/** How `after` differs from `before`; what two layers differ in is found once for all who ask. */
export function resourceChanges(before: ResourceMap, after: ResourceMap): ResourceChanges {
  if (before === after) return NO_CHANGES;
  const [old, fresh] = [layersOf(before), layersOf(after)];
  if (old.length === 1 && fresh.length === 1) return layerChanges(before, after);
  const changed = new Set<string>();
  const removed = new Set<string>();
  for (const [index, layer] of fresh.entries()) {
    for (const name of layerChanges(old[index] ?? EMPTY, layer).changed) changed.add(name);
  }
  for (const [index, layer] of old.entries()) {
    for (const name of layerChanges(layer, fresh[index] ?? EMPTY).removed) removed.add(name);
  }
  // A name may have moved from one layer to another.
  for (const name of changed) {
    if (before.get(name)?.version === after.get(name)?.version) changed.delete(name);
  }
  for (const name of removed) {
    if (!after.has(name)) continue;
    removed.delete(name);
    if (before.get(name)?.version !== after.get(name)?.version) changed.add(name);
  }
  return { changed, removed };
}

/** The only names that two layers may have otherwise; `undefined`: all. */
export function namesToCompare(
  before: ResourceMap,
  after: ResourceMap,
): ReadonlySet<string> | undefined {
  return after instanceof PatchedMap
    ? (after as PatchedMap<XdsResource>).changedKeys(before)
    : undefined;
}

const layerChanges = memoise((before: ResourceMap, after: ResourceMap): ResourceChanges => {
  if (before === after) return NO_CHANGES;
  const changed = new Set<string>();
  const removed = new Set<string>();
  const names = namesToCompare(before, after);
  for (const name of names ?? after.keys()) {
    const [earlier, later] = [before.get(name), after.get(name)];
    if (later === undefined || earlier === later) continue;
    if (earlier?.version !== later.version) changed.add(name);
  }
  for (const name of names ?? before.keys()) {
    if (before.has(name) && !after.has(name)) removed.add(name);
  }
  return { changed, removed };
});
