import {
  type Cluster,
  Cluster_CommonLbConfigSchema,
  ClusterSchema,
} from "../../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import type { Issue, Result } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { refuseFields } from "../../match/refuse-fields.ts";
import type { ClusterConfig, EdsHealth } from "../cluster/cluster-config.ts";
import { decodeThresholds } from "./circuit-breakers.ts";
import { decodeDiscovery } from "./cluster-discovery.ts";
import { decodeForward, forwardNames } from "./cluster-forward.ts";
import { decodeClusterTransport } from "./cluster-transport.ts";
import { EDS_HEALTH } from "./endpoint.ts";
import { decodeHealthChecks } from "./health-check.ts";
import { checkWeights } from "./lb-hashing.ts";
import { checkProvided, decodeLoadBalancing } from "./load-balancing.ts";
import { decodeMetadata } from "./metadata.ts";
import { decodeOutlierDetection } from "./outlier-detection.ts";
import { decodeConnection } from "./upstream-connection.ts";
import { decodeUpstreamOptions } from "./upstream-options.ts";

/** Envoy's defaults. */
const CONNECT_TIMEOUT_MS = 5000;
const BUFFER_BYTES = 1_048_576;

const FIELDS = [
  "name",
  "alt_stat_name",
  "type",
  "cluster_type",
  "eds_cluster_config",
  "connect_timeout",
  "per_connection_buffer_limit_bytes",
  "lb_policy",
  "load_balancing_policy",
  "load_assignment",
  "max_requests_per_connection",
  "circuit_breakers",
  // HTTP/2's options in their old place: checked with the protocol options.
  "http2_protocol_options",
  "typed_extension_protocol_options",
  "dns_refresh_rate",
  "dns_failure_refresh_rate",
  "dns_jitter",
  "dns_lookup_family",
  "respect_dns_ttl",
  "typed_dns_resolver_config",
  "dns_resolution_config",
  "wait_for_warm_on_init",
  "cleanup_interval",
  "original_dst_lb_config",
  "least_request_lb_config",
  "round_robin_lb_config",
  "ring_hash_lb_config",
  "maglev_lb_config",
  "lb_subset_config",
  "common_lb_config",
  "metadata",
  "transport_socket",
  "transport_socket_matches",
  "upstream_bind_config",
  "upstream_connection_options",
  "preconnect_policy",
  "outlier_detection",
  "health_checks",
  "ignore_health_on_host_removal",
  "close_connections_on_host_health_failure",
];

/** Decodes a cluster; `body` is what it was encoded as. */
export function decodeCluster(message: Cluster, body: Uint8Array): Result<ClusterConfig> {
  const issues = refuseFields(ClusterSchema, message, FIELDS, "");
  if (message.name === "") issues.push({ path: "name", message: "is missing" });
  const connectTimeoutMs = durationMs(message.connectTimeout) ?? CONNECT_TIMEOUT_MS;
  if (connectTimeoutMs <= 0) {
    issues.push({ path: "connect_timeout", message: "must be greater than 0s" });
  }
  const options = decodeUpstreamOptions(message, issues);
  const forward = decodeForward(message, issues);
  const discovery = decodeDiscovery(message, forward, issues);
  const names = forward ? forwardNames(message, options.names, forward, issues) : options.names;
  const lb = decodeLoadBalancing(message, issues);
  checkProvided(message, discovery.type, lb.policy, issues);
  const { assignment } = discovery;
  const healthCheck = decodeHealthChecks(message.healthChecks, issues);
  if (healthCheck?.check.kind === "GRPC" && options.version === "HTTP/1.1") {
    const what = `${message.name} cluster must support HTTP/2 for gRPC healthchecking`;
    issues.push({ path: "health_checks[0].grpc_health_check", message: what });
  }
  if (lb.hashing !== undefined && assignment !== undefined) checkWeights(assignment, issues);
  const config: ClusterConfig = {
    name: message.name,
    statName: statName(message),
    alias: message.altStatName || message.name,
    ...discovery,
    lb,
    connectTimeoutMs,
    thresholds: decodeThresholds(message.circuitBreakers, issues),
    connection: decodeConnection(message, { ...options, names }, issues),
    httpFilters: options.filters,
    bufferBytesMax: message.perConnectionBufferLimitBytes ?? BUFFER_BYTES,
    maxStreamDurationMs: options.maxStreamDurationMs,
    ...decodeCommon(message, issues),
    healthCheck,
    dropsHealthyHosts: message.ignoreHealthOnHostRemoval,
    closesOnHostFailure: message.closeConnectionsOnHostHealthFailure,
    httpVersion: options.version,
    http2: options.http2,
    transport: decodeClusterTransport(message, options, issues),
    outlier: decodeOutlierDetection(message.outlierDetection, issues),
    metadata: decodeMetadata(message.metadata, "metadata", issues),
    body,
  };
  return issues.length > 0 ? { ok: false, issues } : { ok: true, value: config };
}

/** Statistics have dots between the parts of their names, and so no other colons. */
function statName({ name, altStatName }: Cluster): string {
  return (altStatName || name).replaceAll(":", "_");
}

/** Envoy's default. */
const OVERRIDE_STATUSES: ReadonlySet<EdsHealth> = new Set(["UNKNOWN", "HEALTHY", "DEGRADED"]);

/** What a change of hosts means to connections, and to hosts that were not checked yet. */
function decodeCommon(
  { commonLbConfig: common }: Cluster,
  issues: Issue[],
): Pick<ClusterConfig, "closesOnHostSetChange" | "ignoresUncheckedHosts" | "overrideStatuses"> {
  if (common === undefined) {
    return {
      closesOnHostSetChange: false,
      ignoresUncheckedHosts: false,
      overrideStatuses: OVERRIDE_STATUSES,
    };
  }
  const fields = [
    "healthy_panic_threshold",
    // Changes are applied as they come, which no client can tell from applying them later.
    "update_merge_window",
    "close_connections_on_host_set_change",
    // Decoded with the policy.
    "consistent_hashing_lb_config",
    "zone_aware_lb_config",
    "locality_weighted_lb_config",
    "ignore_new_hosts_until_first_hc",
    "override_host_status",
  ];
  const path = "common_lb_config";
  issues.push(...refuseFields(Cluster_CommonLbConfigSchema, common, fields, path));
  return {
    closesOnHostSetChange: common.closeConnectionsOnHostSetChange,
    ignoresUncheckedHosts: common.ignoreNewHostsUntilFirstHc,
    overrideStatuses:
      common.overrideHostStatus === undefined
        ? OVERRIDE_STATUSES
        : new Set(common.overrideHostStatus.statuses.map((status) => EDS_HEALTH[status])),
  };
}
