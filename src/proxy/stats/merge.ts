import type { Stat } from "./collect.ts";

/**
 * Gauges of which several processes of one proxy have each their part; of the others (what is
 * configured, what state it is in) each process has the whole. Envoy's import modes, "accumulate" and "never".
 */
const ADDITIVE =
  /(?:_active|_open|\.remaining_\w+|\.(?:active_connections|active_faults)|^server\.(?:memory_\w+|total_connections|parent_connections))$/;

/** Adds the numbers of other processes to a process's own; what only they have is added behind. */
export function mergeStats(own: readonly Stat[], others: Iterable<readonly Stat[]>): Stat[] {
  const merged = new Map(own.map((stat) => [stat.name, stat]));
  for (const stats of others) {
    for (const stat of stats) {
      const known = merged.get(stat.name);
      if (known === undefined) merged.set(stat.name, stat);
      else if (!stat.isGauge || ADDITIVE.test(stat.name)) {
        merged.set(stat.name, { ...known, value: known.value + stat.value });
      }
    }
  }
  return [...merged.values()];
}

/** Whether a gauge of another process counts beside this one's. */
export function isAdditive({ isGauge, name }: Stat): boolean {
  return !isGauge || ADDITIVE.test(name);
}

/** What happens to configuration happens in every process, and is told once. */
const OF_CONFIGURATION =
  /\.(?:update_(?:attempt|success|failure|empty|no_rebuild|rejected)|membership_change|assignment_\w+|init_fetch_timeout|lb_subsets_(?:created|removed)|ssl_context_update_by_sds)$|^listener_manager\./;

/** Whether a number of another process that does the same work counts beside this one's. */
export function isShared(stat: Stat): boolean {
  return isAdditive(stat) && !OF_CONFIGURATION.test(stat.name);
}

/** What has been counted since `before`, and the gauges that add up; nothing that is 0. */
export function sinceThen(now: readonly Stat[], before: ReadonlyMap<string, number>): Stat[] {
  return now.flatMap((stat) => {
    if (!isAdditive(stat)) return [];
    const value = stat.isGauge ? stat.value : stat.value - (before.get(stat.name) ?? 0);
    return value === 0 ? [] : [{ ...stat, value }];
  });
}
