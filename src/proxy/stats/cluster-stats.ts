import type { Breakers } from "../cluster/breakers.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { HEALTH, type Health, isExcluded } from "../cluster/host-health.ts";
import type { ClusterLoad } from "../cluster/load.ts";

type Stat = readonly [name: string, value: number];

/** Counters and gauges of a cluster's load, by Envoy's names. */
const OF_LOAD: Readonly<Record<string, (load: ClusterLoad) => number>> = {
  assignment_stale: (load) => load.assignmentsStale,
  assignment_timeout_received: (load) => load.assignmentTimeouts,
  lb_healthy_panic: (load) => load.panics,
  lb_local_cluster_not_ok: (load) => load.zoneLocalNotOk,
  lb_recalculate_zone_structures: (load) => load.zoneRecalculations,
  lb_subsets_active: (load) => load.subsetsActive,
  lb_subsets_created: (load) => load.subsetsCreated,
  lb_subsets_fallback: (load) => load.subsetsFallback,
  lb_subsets_fallback_panic: (load) => load.subsetsFallbackPanic,
  lb_subsets_removed: (load) => load.subsetsRemoved,
  lb_subsets_selected: (load) => load.subsetsSelected,
  lb_zone_cluster_too_small: (load) => load.zoneClusterTooSmall,
  lb_zone_no_capacity_left: (load) => load.zoneNoCapacityLeft,
  lb_zone_routing_all_directly: (load) => load.zoneAllDirectly,
  lb_zone_routing_cross_zone: (load) => load.zoneCrossZone,
  lb_zone_routing_sampled: (load) => load.zoneSampled,
  membership_change: (load) => load.membershipChanges,
  original_dst_host_invalid: (load) => load.originalDstInvalid,
  update_attempt: (load) => load.updateAttempts,
  // Of other ways to tell endpoints; an answer without addresses is a success.
  update_empty: (load) => load.updatesEmpty,
  update_failure: (load) => load.updateFailures,
  update_no_rebuild: (load) => load.updatesWithoutRebuild,
  update_success: (load) => load.updateSuccesses,
  upstream_cx_active: (load) => load.connections,
  upstream_cx_close_notify: (load) => load.closeNotifies,
  upstream_cx_connect_attempts_exceeded: (load) => load.connectAttemptsExceeded,
  upstream_cx_connect_fail: (load) => load.connectFails,
  upstream_cx_connect_timeout: (load) => load.connectTimeouts,
  upstream_cx_destroy: (load) => load.connectionsDestroyed,
  upstream_cx_destroy_local: (load) => load.connectionsDestroyedLocal,
  upstream_cx_destroy_local_with_active_rq: (load) => load.connectionsDestroyedLocalWithRequest,
  upstream_cx_destroy_remote: (load) => load.connectionsDestroyedRemote,
  upstream_cx_destroy_remote_with_active_rq: (load) => load.connectionsDestroyedRemoteWithRequest,
  upstream_cx_destroy_with_active_rq: (load) => load.connectionsDestroyedWithRequest,
  upstream_cx_http1_total: (load) => load.http1ConnectionsTotal,
  upstream_cx_http2_total: (load) => load.http2ConnectionsTotal,
  upstream_cx_idle_timeout: (load) => load.connectionsIdleTimeout,
  upstream_cx_max_duration_reached: (load) => load.connectionsMaxDuration,
  upstream_cx_max_requests: (load) => load.connectionsMaxRequests,
  upstream_cx_none_healthy: (load) => load.noneHealthy,
  upstream_cx_overflow: (load) => load.connectionsOverflow,
  upstream_cx_protocol_error: (load) => load.connectionProtocolErrors,
  upstream_cx_rx_bytes_total: (load) => load.bytesReceived,
  upstream_cx_total: (load) => load.connectionsTotal,
  upstream_cx_tx_bytes_total: (load) => load.bytesSent,
  upstream_internal_redirect_failed_total: (load) => load.redirectsFailed,
  upstream_internal_redirect_succeeded_total: (load) => load.redirectsFollowed,
  upstream_rq_active: (load) => load.requests,
  upstream_rq_active_overflow: (load) => load.requestsOverflow,
  upstream_rq_cancelled: (load) => load.requestsCancelled,
  upstream_rq_max_duration_reached: (load) => load.requestsMaxDuration,
  upstream_rq_pending_active: (load) => load.pending,
  upstream_rq_pending_failure_eject: (load) => load.pendingFailures,
  upstream_rq_pending_overflow: (load) => load.pendingOverflow,
  upstream_rq_pending_total: (load) => load.pendingTotal,
  upstream_rq_per_try_idle_timeout: (load) => load.perTryIdleTimeouts,
  upstream_rq_per_try_timeout: (load) => load.perTryTimeouts,
  upstream_rq_retry: (load) => load.retriesTotal,
  upstream_rq_retry_backoff_exponential: (load) => load.retriesBackedOff,
  upstream_rq_retry_backoff_ratelimited: (load) => load.retriesRateLimited,
  upstream_rq_retry_limit_exceeded: (load) => load.retriesExhausted,
  upstream_rq_retry_overflow: (load) => load.retriesOverflow,
  upstream_rq_retry_success: (load) => load.retriesSucceeded,
  upstream_rq_rx_reset: (load) => load.requestsResetByPeer,
  upstream_rq_timeout: (load) => load.requestTimeouts,
  upstream_rq_total: (load) => load.requestsTotal,
  upstream_rq_tx_reset: (load) => load.requestsReset,
};

/** Reads the counters and gauges of one cluster. */
export function clusterStats(cluster: Cluster): Stat[] {
  const { config, load, hosts } = cluster;
  const prefix = `cluster.${config.statName}`;
  const countOf = (health: Health): number => hosts.filter((host) => host.health === health).length;
  const excluded = hosts.filter(({ healthFlags }) => isExcluded(healthFlags)).length;
  // Envoy works it out where endpoints come by EDS only.
  const weights = config.type === "EDS" ? hosts.map(({ state }) => state.weight) : [];
  const maxWeight = weights.reduce((most, weight) => Math.max(most, weight), 0);
  const stats: Stat[] = [
    [`${prefix}.membership_degraded`, countOf(HEALTH.degraded)],
    [`${prefix}.membership_excluded`, excluded],
    [`${prefix}.membership_healthy`, countOf(HEALTH.healthy)],
    [`${prefix}.membership_total`, hosts.length],
    [`${prefix}.max_host_weight`, maxWeight],
  ];
  for (const [name, read] of Object.entries(OF_LOAD)) stats.push([`${prefix}.${name}`, read(load)]);
  // Like Envoy's, this one is there once there was one.
  if (load.subsetsDuplicates > 0) {
    const name = `${prefix}.lb_subsets_single_host_per_subset_duplicate`;
    stats.push([name, load.subsetsDuplicates]);
  }
  for (const [name, value] of Object.entries(load.outlier?.counters ?? NONE)) {
    stats.push([`${prefix}.outlier_detection.${name}`, value]);
  }
  stats.push(...hashStats(cluster, prefix));
  if (config.type === "EDS") {
    stats.push([`${prefix}.init_fetch_timeout`, load.firstAnswerTimeouts]);
    stats.push([`${prefix}.update_rejected`, load.updatesRejected]);
  }
  const [normal, high] = load.breakers;
  const own = `${prefix}.circuit_breakers`;
  return [
    ...stats,
    ...breakerStats(`${own}.default`, normal),
    ...breakerStats(`${own}.high`, high),
  ];
}

const NONE: Readonly<Record<string, number>> = {};

/** How many places hosts have in the table that hashes are looked up in. */
function hashStats(cluster: Cluster, prefix: string): Stat[] {
  const { config, load } = cluster;
  if (config.lb.hashing === undefined) return [];
  cluster.settle();
  const { size, min, max } = load.hashTable;
  if (config.lb.policy === "maglev") {
    const own = `${prefix}.maglev_lb`;
    return [
      [`${own}.max_entries_per_host`, max],
      [`${own}.min_entries_per_host`, min],
    ];
  }
  const own = `${prefix}.ring_hash_lb`;
  return [
    [`${own}.max_hashes_per_host`, max],
    [`${own}.min_hashes_per_host`, min],
    [`${own}.size`, size],
  ];
}

/** Whether the breakers let no more through, and where it is asked for how much they would. */
function breakerStats(prefix: string, breakers: Breakers): Stat[] {
  const { limits, connections, pending, requests, retries, retriesMax } = breakers;
  // As in Envoy, one that lets nothing through at all has not been seen to be reached, and a budget
  // of retries does not show here.
  const isOpen = (used: number, isAllowed: boolean): number => (used === 0 || isAllowed ? 0 : 1);
  const stats: Stat[] = [
    [`${prefix}.cx_open`, isOpen(connections, breakers.canConnect())],
    [`${prefix}.rq_open`, isOpen(requests, breakers.canRequest())],
    [`${prefix}.rq_pending_open`, isOpen(pending, breakers.canWait())],
    [`${prefix}.rq_retry_open`, isOpen(retries, retries < limits.retriesMax)],
  ];
  if (!limits.tracksRemaining) return stats;
  const left = (max: number, used: number): number => Math.max(0, max - used);
  return [
    ...stats,
    [`${prefix}.remaining_cx`, left(limits.connectionsMax, connections)],
    [`${prefix}.remaining_pending`, left(limits.pendingMax, pending)],
    [`${prefix}.remaining_retries`, left(retriesMax, retries)],
    [`${prefix}.remaining_rq`, left(limits.requestsMax, requests)],
  ];
}
