import type { ClusterConfig, Endpoint } from "./cluster-config.ts";
import type { Host, HostState } from "./host.ts";
import { HEALTH_FLAG } from "./host-health.ts";
import { type HostList, type HostUpdate, updateHosts } from "./host-update.ts";

/**
 * Turns endpoints into hosts where hosts are checked. Discovery may be wrong: a host that it
 * dropped stays until a check fails.
 */
export function updateCheckedHosts(
  list: HostList,
  config: ClusterConfig,
  endpoints: readonly Endpoint[],
): HostUpdate {
  const { hosts, byKey, create } = list;
  // Those that stay for now are asked anew: they may be named again.
  for (const host of hosts) host.setFlag(HEALTH_FLAG.pendingDynamicRemoval, false);
  const gone = new Set<Host>();
  const isKept = (host: Host): boolean => !gone.has(host) && staysWhileWell(host, config);
  const isSame = (host: Host, endpoint: HostState): boolean => {
    const isAlike = isDisabled(host.state) === isDisabled(endpoint);
    // Who is checked elsewhere from now on stays beside its successor, as Envoy has it.
    if (!isAlike) gone.add(host);
    return isAlike && isCheckedAlike(host.state, endpoint);
  };
  return updateHosts({ hosts, byKey, create, isKept, isSame }, endpoints);
}

function staysWhileWell(host: Host, { type, dropsHealthyHosts }: ClusterConfig): boolean {
  if (host.activeCheck === undefined || dropsHealthyHosts) return false;
  if (type !== "EDS" && type !== "STRICT_DNS") return false;
  if (host.hasFlag(HEALTH_FLAG.failedActiveHc) || host.hasFlag(HEALTH_FLAG.failedEdsHealth)) {
    return false;
  }
  host.setFlag(HEALTH_FLAG.pendingDynamicRemoval, true);
  return true;
}

function isDisabled({ healthCheck }: HostState): boolean {
  return healthCheck?.isDisabled === true;
}

/** Whether checks of both go to the same place: what is known of the one holds for the other. */
function isCheckedAlike(one: HostState, two: HostState): boolean {
  const [first, second] = [one.healthCheck, two.healthCheck];
  return (
    (first?.port ?? 0) === (second?.port ?? 0) &&
    first?.address?.address === second?.address?.address &&
    first?.address?.port === second?.address?.port
  );
}
