/** Which objects a layer of resources, or the way from one map to another, has to do with. */
import { memoise } from "../base/memo.ts";
import { keyText } from "../config/object.ts";
import { layersOf, type ResourceMap, resourceChanges } from "../xds/resource-map.ts";

/** One resource that two maps do not have alike. */
export interface ResourceDifference {
  readonly name: string;
  readonly change: "added" | "changed" | "removed";
  /** The layer of the earlier map that has it; absent when it was added. */
  readonly layer: ResourceMap | undefined;
}

/** By `keyText`. */
export type DifferencesByObject = ReadonlyMap<string, readonly ResourceDifference[]>;

/** By `keyText`: the objects that made some resource of a layer. Found once per layer. */
export const objectsOf = memoise((layer: ResourceMap): ReadonlySet<string> => {
  const objects = new Set<string>();
  for (const { origins } of layer.values()) for (const key of origins) objects.add(keyText(key));
  return objects;
});

/**
 * What differs between two maps, by the objects that made it before or after. Found once for all
 * proxies that go the same way; layers that both share are not looked at.
 */
export const objectDifferences = memoise(
  (before: ResourceMap, after: ResourceMap): DifferencesByObject =>
    groupByObject(differencesOf(before, after), before, after),
);

/** Differences between two maps by the objects that made them before or after. */
export function groupByObject(
  differences: readonly ResourceDifference[],
  before: ResourceMap,
  after: ResourceMap,
): DifferencesByObject {
  const found = new Map<string, ResourceDifference[]>();
  for (const difference of differences) {
    const { name } = difference;
    const origins = [...(before.get(name)?.origins ?? []), ...(after.get(name)?.origins ?? [])];
    for (const text of new Set(origins.map(keyText))) {
      const list = found.get(text);
      if (list === undefined) found.set(text, [difference]);
      else list.push(difference);
    }
  }
  return found;
}

/** A resource that is not as it was. */
export function differenceOf(name: string, before: ResourceMap): ResourceDifference {
  const layer = layersOf(before).find((one) => one.has(name));
  return { name, change: layer === undefined ? "added" : "changed", layer };
}

/** What differs between two maps. */
export const differencesOf = memoise(
  (before: ResourceMap, after: ResourceMap): readonly ResourceDifference[] => {
    const { changed, removed } = resourceChanges(before, after);
    return [
      ...[...changed].map((name) => differenceOf(name, before)),
      ...[...removed].map(
        (name): ResourceDifference => ({ ...differenceOf(name, before), change: "removed" }),
      ),
    ];
  },
);
