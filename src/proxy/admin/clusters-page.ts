import type { JsonValue } from "@bufbuild/protobuf";
import { compileFinder } from "../../match/regex.ts";
import { PRIORITY } from "../cluster/breakers.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Thresholds } from "../cluster/cluster-config.ts";
import type { ClusterSet } from "../cluster/cluster-set.ts";
import type { Host } from "../cluster/host.ts";
import { HEALTH_FLAG, type HealthFlag, healthFlagsText } from "../cluster/host-health.ts";
import { NO_RATE, NO_SUCCESS_RATES } from "../health/outlier-statistics.ts";
import type { PeerHost, PeerNumbers } from "../process/process-info.ts";
import type { PageRequest, Rendered } from "./page.ts";

/** The clusters in use, as text or in the shape of Envoy's `Clusters`. */
export function renderClusters({ state, query }: PageRequest): Rendered {
  const pattern = query.get("filter") ?? "";
  const filter = compileFinder(pattern === "" ? "^" : pattern);
  if (!filter.ok) {
    return { status: 400, body: `Invalid re2 regex: ${filter.issues[0]?.message ?? ""}\n` };
  }
  const clusters = state.clusters.active.filter(
    ({ config }) => filter.value(config.name) !== undefined,
  );
  const counts = countsOfAll(state.peers());
  if (query.get("format") !== "json") {
    return { body: clusters.map((cluster) => clusterText(cluster, counts)).join("") };
  }
  return { body: { cluster_statuses: clusters.map((cluster) => clusterStatus(cluster, counts)) } };
}

/** What all processes have counted of a host. */
type CountHost = (cluster: string, host: Host) => Record<string, number>;

function countsOfAll(peers: readonly PeerNumbers[]): CountHost {
  const others = new Map<string, Record<string, number>>();
  for (const { cluster, key, counts } of peers.flatMap(({ hosts }) => hosts)) {
    const name = `${cluster} ${key}`;
    others.set(name, addCounts(others.get(name) ?? {}, counts));
  }
  return (cluster, host) => addCounts(counts(host), others.get(`${cluster} ${host.key}`) ?? {});
}

function addCounts(
  one: Readonly<Record<string, number>>,
  other: Readonly<Record<string, number>>,
): Record<string, number> {
  const sum = { ...one };
  for (const [name, value] of Object.entries(other)) sum[name] = (sum[name] ?? 0) + value;
  return sum;
}

/** What this process has counted of hosts that it used. */
export function hostNumbers({ active }: ClusterSet): PeerHost[] {
  return active.flatMap(({ config, hosts }) =>
    hosts
      .filter((host) => host.connectionsTotal > 0 || host.connectFails > 0)
      .map((host) => ({ cluster: config.name, key: host.key, counts: counts(host) })),
  );
}

/** One cluster in Envoy's text form. */
function clusterText(cluster: Cluster, count: CountHost): string {
  const { config } = cluster;
  const lines = [
    `observability_name::${config.alias}`,
    ...outlierLines(cluster),
    ...thresholdLines("default", config.thresholds[PRIORITY.default]),
    ...thresholdLines("high", config.thresholds[PRIORITY.high]),
    `added_via_api::${cluster.isDynamic}`,
    ...inOrder(cluster.hosts).flatMap((host) =>
      Object.entries(hostValues(host, count(config.name, host))).map(
        ([name, value]) => `${host.key}::${name}::${value}`,
      ),
    ),
  ];
  return lines.map((line) => `${config.name}::${line}\n`).join("");
}

/** As Envoy has them: those of the first priority before the others. */
function inOrder(hosts: readonly Host[]): readonly Host[] {
  return hosts.toSorted((left, right) => left.state.priority - right.state.priority);
}

/** With six digits, as Envoy prints them. */
function outlierLines({ load: { outlier } }: Cluster): string[] {
  if (outlier === undefined) return [];
  const { external, localOrigin } = outlier;
  const text = (rate: number): string => String(Number(rate.toPrecision(6)));
  return [
    `outlier::success_rate_average::${text(external.average)}`,
    `outlier::success_rate_ejection_threshold::${text(external.threshold)}`,
    `outlier::local_origin_success_rate_average::${text(localOrigin.average)}`,
    `outlier::local_origin_success_rate_ejection_threshold::${text(localOrigin.threshold)}`,
  ];
}

function thresholdLines(name: string, limits: Thresholds): string[] {
  return [
    `${name}_priority::max_connections::${limits.connectionsMax}`,
    `${name}_priority::max_pending_requests::${limits.pendingMax}`,
    `${name}_priority::max_requests::${limits.requestsMax}`,
    `${name}_priority::max_retries::${limits.retriesMax}`,
  ];
}

function counts(host: Host): Record<string, number> {
  return {
    cx_active: host.activeConnections,
    cx_connect_fail: host.connectFails,
    cx_total: host.connectionsTotal,
    rq_active: host.activeRequests,
    rq_error: host.requestErrors,
    rq_success: host.requestSuccesses,
    rq_timeout: host.requestTimeouts,
    rq_total: host.requestsTotal,
  };
}

function hostValues(
  host: Host,
  counted: Readonly<Record<string, number>>,
): Record<string, string | number> {
  const { hostname, weight, locality, priority } = host.state;
  const { region, zone, subZone } = locality;
  return {
    ...counted,
    hostname,
    health_flags: healthFlagsText(host.healthFlags),
    weight,
    region,
    zone,
    sub_zone: subZone,
    canary: "false",
    priority,
    success_rate: host.outlier?.external.rate ?? NO_RATE,
    local_origin_success_rate: host.outlier?.localOrigin.rate ?? NO_RATE,
  };
}

const GAUGES: ReadonlySet<string> = new Set(["cx_active", "rq_active"]);

/** One cluster in the shape of Envoy's `ClusterStatus`. */
function clusterStatus({ config, load, hosts, isDynamic }: Cluster, count: CountHost): JsonValue {
  const { external, localOrigin } = load.outlier ?? NO_RATES;
  return {
    name: config.name,
    ...(isDynamic ? { added_via_api: true } : {}),
    ...(external.threshold > 0
      ? { success_rate_ejection_threshold: { value: external.threshold } }
      : {}),
    host_statuses: inOrder(hosts).map((host) => {
      const { weight, hostname, locality, priority } = host.state;
      const { region, zone, subZone } = locality;
      return {
        address: addressJson(host),
        stats: Object.entries(count(config.name, host)).map(([name, value]) => ({
          ...(GAUGES.has(name) ? { type: "GAUGE" } : {}),
          ...(value === 0 ? {} : { value: String(value) }),
          name,
        })),
        health_status: healthStatusJson(host),
        ...rateJson("success_rate", host.outlier?.external.rate ?? NO_RATE),
        weight,
        ...(priority === 0 ? {} : { priority }),
        ...(hostname === "" ? {} : { hostname }),
        ...rateJson("local_origin_success_rate", host.outlier?.localOrigin.rate ?? NO_RATE),
        locality: { region, zone, sub_zone: subZone },
      };
    }),
    ...(localOrigin.threshold > 0
      ? { local_origin_success_rate_ejection_threshold: { value: localOrigin.threshold } }
      : {}),
    circuit_breakers: {
      thresholds: [
        thresholdJson("DEFAULT", config.thresholds[PRIORITY.default]),
        thresholdJson("HIGH", config.thresholds[PRIORITY.high]),
      ],
    },
    observability_name: config.alias,
  };
}

const NO_RATES = { external: NO_SUCCESS_RATES, localOrigin: NO_SUCCESS_RATES };

function rateJson(name: string, rate: number): Record<string, JsonValue> {
  if (rate < 0) return {};
  return { [name]: rate === 0 ? {} : { value: rate } };
}

/** By Envoy's names in `HostHealthStatus`. */
const STATUS_FLAGS: Readonly<Record<string, HealthFlag>> = {
  failed_active_health_check: HEALTH_FLAG.failedActiveHc,
  failed_outlier_check: HEALTH_FLAG.failedOutlierCheck,
  failed_active_degraded_check: HEALTH_FLAG.degradedActiveHc,
  pending_dynamic_removal: HEALTH_FLAG.pendingDynamicRemoval,
  pending_active_hc: HEALTH_FLAG.pendingActiveHc,
  excluded_via_immediate_hc_fail: HEALTH_FLAG.excludedViaImmediateHcFail,
  active_hc_timeout: HEALTH_FLAG.activeHcTimeout,
};

function healthStatusJson(host: Host): JsonValue {
  const set = Object.entries(STATUS_FLAGS).filter(([, flag]) => host.hasFlag(flag));
  return {
    ...Object.fromEntries(set.map(([name]) => [name, true])),
    eds_health_status: edsStatus(host),
    ...(host.hasFlag(HEALTH_FLAG.degradedOutlierDetection)
      ? { failed_degraded_outlier_detection: true }
      : {}),
  };
}

/** Envoy keeps of what discovery said only what makes a difference. */
function edsStatus(host: Host): string {
  if (host.hasFlag(HEALTH_FLAG.failedEdsHealth)) return "UNHEALTHY";
  if (host.hasFlag(HEALTH_FLAG.edsStatusDraining)) return "DRAINING";
  return host.hasFlag(HEALTH_FLAG.degradedEdsHealth) ? "DEGRADED" : "HEALTHY";
}

function addressJson({ address, port }: Host): JsonValue {
  if (address.startsWith("/")) return { pipe: { path: address } };
  return { socket_address: { address, port_value: port } };
}

function thresholdJson(priority: string, limits: Thresholds): JsonValue {
  return {
    ...(priority === "DEFAULT" ? {} : { priority }),
    max_connections: limits.connectionsMax,
    max_pending_requests: limits.pendingMax,
    max_requests: limits.requestsMax,
    max_retries: limits.retriesMax,
  };
}
