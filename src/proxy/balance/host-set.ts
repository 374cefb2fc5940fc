import type { Locality } from "../cluster/cluster-config.ts";
import type { Host } from "../cluster/host.ts";
import { HEALTH, isExcluded } from "../cluster/host-health.ts";

/** Hosts of one priority, or of one of its localities, by their health. */
export interface HostGroup {
  readonly hosts: readonly Host[];
  readonly healthy: readonly Host[];
  readonly degraded: readonly Host[];
  /** Hosts that do not count where it is asked how many of all are healthy. */
  readonly excludedCount: number;
}

/** The hosts of one locality of a priority. */
export interface LocalityHosts extends HostGroup {
  readonly locality: Locality;
}

/** The hosts of one priority. */
export interface HostSet extends HostGroup {
  readonly priority: number;
  /** In the order in which they were named. */
  readonly localities: readonly LocalityHosts[];
}

/**
 * Divides hosts by priority and health: one set for every priority up to the last that has hosts,
 * and at least one. `byLocality` says whether somebody wants to know of localities too.
 */
export function divideHosts(hosts: readonly Host[], byLocality: boolean): readonly HostSet[] {
  const byPriority: Host[][] = [[]];
  for (const host of hosts) {
    const { priority } = host.state;
    while (byPriority.length <= priority) byPriority.push([]);
    byPriority[priority]?.push(host);
  }
  return byPriority.map((some, priority) => ({
    ...groupOf(some),
    priority,
    localities: byLocality ? divideLocalities(some) : [],
  }));
}

function groupOf(hosts: readonly Host[]): HostGroup {
  let excludedCount = 0;
  let unhealthyCount = 0;
  const degraded: Host[] = [];
  for (const host of hosts) {
    if (host.healthFlags === 0) continue;
    if (isExcluded(host.healthFlags)) excludedCount++;
    const { health } = host;
    if (health === HEALTH.unhealthy) unhealthyCount++;
    else if (health === HEALTH.degraded) degraded.push(host);
  }
  const isAllHealthy = unhealthyCount === 0 && degraded.length === 0;
  const healthy = isAllHealthy ? hosts : hosts.filter(({ health }) => health === HEALTH.healthy);
  return { hosts, healthy, degraded, excludedCount };
}

function divideLocalities(hosts: readonly Host[]): readonly LocalityHosts[] {
  const byName = new Map<string, { readonly locality: Locality; readonly hosts: Host[] }>();
  for (const host of hosts) {
    const { locality } = host.state;
    const name = localityName(locality);
    const known = byName.get(name);
    if (known === undefined) byName.set(name, { locality, hosts: [host] });
    else known.hosts.push(host);
  }
  return [...byName.values()].map(({ locality, hosts: some }) => ({ ...groupOf(some), locality }));
}

/** Equal for equal places, whatever they weigh. */
export function localityName({ region, zone, subZone }: Omit<Locality, "weight">): string {
  return JSON.stringify([region, zone, subZone]);
}
