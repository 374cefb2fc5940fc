import type { Host } from "../cluster/host.ts";
import type { HostGroup, HostSet } from "./host-set.ts";

/** Hosts that are hashed to, with the share of the load that each weighs; together they are 1. */
export interface HostShares {
  readonly hosts: readonly Host[];
  readonly shares: Float64Array;
  readonly min: number;
  readonly max: number;
}

const NOBODY: HostShares = { hosts: [], shares: new Float64Array(), min: 1, max: 0 };

/**
 * Works out the shares of one priority as Envoy does for its hash policies: of all hosts in panic,
 * else of the healthy ones; degraded ones do not count. Where localities are weighted each has its
 * share for its hosts to divide, whatever their health, and one of weight 0 is left out.
 */
export function hostShares(set: HostSet, isPanic: boolean, byLocality: boolean): HostShares {
  const of = (group: HostGroup): readonly Host[] => (isPanic ? group.hosts : group.healthy);
  if (!byLocality) return divide([{ hosts: of(set), share: 1 }]);
  const { localities } = set;
  const total = localities.reduce((sum, { locality }) => sum + locality.weight, 0);
  return divide(
    localities
      .filter(({ locality }) => locality.weight > 0)
      .map((group) => ({ hosts: of(group), share: group.locality.weight / total })),
  );
}

function divide(
  groups: readonly { readonly hosts: readonly Host[]; readonly share: number }[],
): HostShares {
  const [first] = groups;
  if (first === undefined) return NOBODY;
  const hosts = groups.length === 1 ? first.hosts : groups.flatMap((group) => group.hosts);
  const shares = new Float64Array(hosts.length);
  let min = 1;
  let max = 0;
  let at = 0;
  for (const group of groups) {
    let total = 0;
    for (const host of group.hosts) total += host.state.weight;
    for (const host of group.hosts) {
      const share = (host.state.weight * group.share) / total;
      shares[at++] = share;
      if (share < min) min = share;
      if (share > max) max = share;
    }
  }
  return { hosts, shares, min, max };
}
