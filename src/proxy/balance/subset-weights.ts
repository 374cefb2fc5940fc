import type { Host } from "../cluster/host.ts";
import { type HostSet, localityName, type Place } from "./host-set.ts";

/** By place: how many hosts all of a cluster has there. */
export type PlaceCounts = ReadonlyMap<string, number>;

function placeName(priority: number, place: Place): string {
  return `${priority} ${localityName(place)}`;
}

/** Counts hosts by priority and locality. */
export function countPlaces(hosts: readonly Host[]): PlaceCounts {
  const counts = new Map<string, number>();
  for (const { state } of hosts) {
    const name = placeName(state.priority, state.locality);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

/** Gives localities of a subset the part of their weight that the subset has of their hosts. */
export function scaleWeights(sets: readonly HostSet[], counts: PlaceCounts): readonly HostSet[] {
  return sets.map((set) => ({
    ...set,
    localities: set.localities.map((group) => {
      const { locality, hosts } = group;
      const all = counts.get(placeName(set.priority, locality)) ?? hosts.length;
      const weight = Math.round((locality.weight * hosts.length) / all);
      return { ...group, locality: { ...locality, weight } };
    }),
  }));
}
