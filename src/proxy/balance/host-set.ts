import type { Locality } from "../cluster/cluster-config.ts";
import type { Host } from "../cluster/host.ts";
import { HEALTH, isExcluded } from "../cluster/host-health.ts";

/** Hosts of one priority, or of one of its localities, by their health. */
export interface HostGroup {
  readonly hosts: readonly Host[];
  readonly healthy: readonly Host[];
  readonly degraded: readonly Host[];
  /** Hosts that do not count where it is asked how many of all are healthy. */
  readonly excluded: readonly Host[];
}

/** The hosts of one locality of a priority. */
export interface LocalityHosts extends HostGroup {
  readonly locality: Locality;
}

/** What an assignment says about how its hosts count. */
export interface CountOptions {
  /** How many times its real health a set of hosts counts for, in percent. */
  readonly overprovisioningPercent: number;
  /** Whether the health of a priority is that of its hosts by weight, not by number. */
  readonly weighsPriorityHealth: boolean;
}

/** The hosts of one priority. */
export interface HostSet extends HostGroup, CountOptions {
  readonly priority: number;
  /** The proxy's own first where it has hosts, the others by their names, as Envoy has them. */
  readonly localities: readonly LocalityHosts[];
  /** Whether the first of the localities is the proxy's own. */
  readonly hasOwnLocality: boolean;
}

/** What is asked of localities: nothing, or whether one is the proxy's own, which may be none. */
export type LocalityView = { readonly own: Place | undefined } | undefined;

/** A locality without its weight. */
export type Place = Omit<Locality, "weight">;

/**
 * Divides hosts by priority and health: one set for every priority up to the last that has hosts,
 * and at least one; and each by locality where somebody wants to know of that.
 */
export function divideHosts(
  hosts: readonly Host[],
  { overprovisioningPercent, weighsPriorityHealth }: CountOptions,
  view: LocalityView,
): readonly HostSet[] {
  const byPriority: Host[][] = [[]];
  for (const host of hosts) {
    const { priority } = host.state;
    while (byPriority.length <= priority) byPriority.push([]);
    byPriority[priority]?.push(host);
  }
  const ownName = view?.own === undefined ? "" : localityName(view.own);
  return byPriority.map((some, priority) => {
    const localities = view === undefined ? [] : divideLocalities(some, ownName);
    const [first] = localities;
    return {
      ...groupOf(some),
      overprovisioningPercent,
      weighsPriorityHealth,
      priority,
      localities,
      hasOwnLocality: first !== undefined && localityName(first.locality) === ownName,
    };
  });
}

function groupOf(hosts: readonly Host[]): HostGroup {
  let unhealthyCount = 0;
  const excluded: Host[] = [];
  const degraded: Host[] = [];
  for (const host of hosts) {
    if (host.healthFlags === 0) continue;
    if (isExcluded(host.healthFlags)) excluded.push(host);
    const { health } = host;
    if (health === HEALTH.unhealthy) unhealthyCount++;
    else if (health === HEALTH.degraded) degraded.push(host);
  }
  const isAllHealthy = unhealthyCount === 0 && degraded.length === 0;
  const healthy = isAllHealthy ? hosts : hosts.filter(({ health }) => health === HEALTH.healthy);
  return { hosts, healthy, degraded, excluded };
}

function divideLocalities(hosts: readonly Host[], ownName: string): readonly LocalityHosts[] {
  const byName = new Map<string, { locality: Locality; named: Locality; hosts: Host[] }>();
  let last: { locality: Locality; named: Locality; hosts: Host[] } | undefined;
  for (const host of hosts) {
    const { locality } = host.state;
    // Most hosts share the very object with the one before: then no name is made.
    if (last?.named !== locality) {
      const name = localityName(locality);
      last = byName.get(name) ?? { locality, named: locality, hosts: [] };
      byName.set(name, last);
      last.named = locality;
      // One that is named more than once weighs what was said of it last, as in Envoy.
      if (locality.weight > 0) last.locality = locality;
    }
    last.hosts.push(host);
  }
  const rank = (name: string): string => (name === ownName ? "" : name);
  return [...byName]
    .sort(([one], [other]) => (rank(one) < rank(other) ? -1 : 1))
    .map(([, { locality, hosts: some }]) => ({ ...groupOf(some), locality }));
}

/** Equal for equal places, whatever they weigh. */
export function localityName({ region, zone, subZone }: Place): string {
  return JSON.stringify([region, zone, subZone]);
}
