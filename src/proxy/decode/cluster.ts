import {
  CircuitBreakers_ThresholdsSchema,
  CircuitBreakersSchema,
} from "../../api/gen/envoy/config/cluster/v3/circuit_breaker_pb.js";
import {
  type Cluster,
  Cluster_CommonLbConfigSchema,
  Cluster_DiscoveryType,
  Cluster_DnsLookupFamily,
  Cluster_EdsClusterConfigSchema,
  Cluster_LbPolicy,
  Cluster_LeastRequestLbConfigSchema,
  ClusterSchema,
} from "../../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { RoutingPriority } from "../../api/gen/envoy/config/core/v3/base_pb.js";
import type { Issue, Result } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { ClusterConfig, LbPolicy } from "../cluster/cluster-config.ts";
import { isAds } from "./config-source.ts";
import { decodeAssignment } from "./endpoint.ts";
import { decodeUpstreamOptions } from "./upstream-options.ts";

/** Envoy's defaults. */
const CONNECT_TIMEOUT_MS = 5000;
const BREAKER_DEFAULT = 1024;
const RETRIES_DEFAULT = 3;
const PANIC_PERCENT = 50;
const DNS_REFRESH_MS = 5000;
const BUFFER_BYTES = 1_048_576;

const FIELDS = [
  "name",
  // Name statistics that are not kept by that name.
  "alt_stat_name",
  "type",
  "eds_cluster_config",
  "connect_timeout",
  "per_connection_buffer_limit_bytes",
  "lb_policy",
  "load_assignment",
  "max_requests_per_connection",
  "circuit_breakers",
  // HTTP/2's options in their old place: checked below.
  "http2_protocol_options",
  "typed_extension_protocol_options",
  "dns_refresh_rate",
  "dns_lookup_family",
  "least_request_lb_config",
  "round_robin_lb_config",
  "common_lb_config",
  "metadata",
  // Without health checks and outlier detection nothing marks a host unhealthy but EDS itself.
  "ignore_health_on_host_removal",
  "close_connections_on_host_health_failure",
];

const TYPES: Readonly<Partial<Record<Cluster_DiscoveryType, ClusterConfig["type"]>>> = {
  [Cluster_DiscoveryType.STATIC]: "STATIC",
  [Cluster_DiscoveryType.STRICT_DNS]: "STRICT_DNS",
  [Cluster_DiscoveryType.EDS]: "EDS",
};

const POLICIES: Readonly<Partial<Record<Cluster_LbPolicy, LbPolicy>>> = {
  [Cluster_LbPolicy.ROUND_ROBIN]: "round_robin",
  [Cluster_LbPolicy.LEAST_REQUEST]: "least_request",
  [Cluster_LbPolicy.RANDOM]: "random",
};

/** Decodes a cluster; `body` is what it was encoded as. */
export function decodeCluster(message: Cluster, body: Uint8Array): Result<ClusterConfig> {
  const issues = refuseFields(ClusterSchema, message, FIELDS, "");
  if (message.name === "") issues.push({ path: "name", message: "is missing" });
  const { type, edsName } = decodeType(message, issues);
  const lbPolicy = POLICIES[message.lbPolicy];
  if (lbPolicy === undefined) {
    const what = `${Cluster_LbPolicy[message.lbPolicy] ?? message.lbPolicy} is not supported yet`;
    issues.push({ path: "lb_policy", message: what });
  }
  const connectTimeoutMs = durationMs(message.connectTimeout) ?? CONNECT_TIMEOUT_MS;
  if (connectTimeoutMs <= 0) {
    issues.push({ path: "connect_timeout", message: "must be greater than 0s" });
  }
  const options = decodeUpstreamOptions(message, issues);
  const config: ClusterConfig = {
    name: message.name,
    type,
    edsName,
    assignment: decodeInlineAssignment(message, type, issues),
    lbPolicy: lbPolicy ?? "round_robin",
    choiceCount: decodeChoiceCount(message, issues),
    connectTimeoutMs,
    ...decodeBreakers(message, issues),
    idleTimeoutMs: options.idleTimeoutMs,
    maxRequestsPerConnection: message.maxRequestsPerConnection ?? options.maxRequestsPerConnection,
    panicPercent: decodePanic(message, issues),
    dnsRefreshMs: durationMs(message.dnsRefreshRate) ?? DNS_REFRESH_MS,
    bufferBytesMax: message.perConnectionBufferLimitBytes ?? BUFFER_BYTES,
    isHttp2: options.isHttp2,
    body,
  };
  return issues.length > 0 ? { ok: false, issues } : { ok: true, value: config };
}

function decodeType(
  message: Cluster,
  issues: Issue[],
): { type: ClusterConfig["type"]; edsName: string } {
  const specifier = message.clusterDiscoveryType;
  const given = specifier.case === "type" ? specifier.value : Cluster_DiscoveryType.STATIC;
  const type = TYPES[given];
  if (type === undefined) {
    const what = `${Cluster_DiscoveryType[given] ?? given} is not supported yet`;
    issues.push({ path: "type", message: what });
    return { type: "STATIC", edsName: "" };
  }
  const v4Only = [Cluster_DnsLookupFamily.AUTO, Cluster_DnsLookupFamily.V4_ONLY];
  if (type === "STRICT_DNS" && !v4Only.includes(message.dnsLookupFamily)) {
    issues.push({ path: "dns_lookup_family", message: "other than V4_ONLY is not supported yet" });
  }
  const eds = message.edsClusterConfig;
  if (type !== "EDS") {
    if (eds !== undefined) {
      issues.push({ path: "eds_cluster_config", message: "cannot be set in a non-EDS cluster." });
    }
    return { type, edsName: "" };
  }
  if (eds === undefined) {
    issues.push({ path: "eds_cluster_config", message: "is missing" });
    return { type, edsName: message.name };
  }
  const fields = ["eds_config", "service_name"];
  issues.push(...refuseFields(Cluster_EdsClusterConfigSchema, eds, fields, "eds_cluster_config"));
  isAds(eds.edsConfig, "eds_cluster_config.eds_config", issues);
  return { type, edsName: eds.serviceName || message.name };
}

function decodeInlineAssignment(
  message: Cluster,
  type: ClusterConfig["type"],
  issues: Issue[],
): ClusterConfig["assignment"] {
  if (type === "EDS") {
    if (message.loadAssignment !== undefined) {
      issues.push({ path: "load_assignment", message: "cannot be set in an EDS cluster" });
    }
    return undefined;
  }
  // A cluster without endpoints is the black hole of Istio.
  if (message.loadAssignment === undefined) return { name: message.name, endpoints: [] };
  return decodeAssignment(message.loadAssignment, "load_assignment", type === "STATIC", issues);
}

function decodeChoiceCount(message: Cluster, issues: Issue[]): number {
  const { lbConfig } = message;
  if (lbConfig.case === "roundRobinLbConfig") {
    if (lbConfig.value.slowStartConfig !== undefined) {
      const path = "round_robin_lb_config.slow_start_config";
      issues.push({ path, message: "is not supported yet" });
    }
    return 2;
  }
  if (lbConfig.case !== "leastRequestLbConfig") return 2;
  const path = "least_request_lb_config";
  const schema = Cluster_LeastRequestLbConfigSchema;
  issues.push(...refuseFields(schema, lbConfig.value, ["choice_count"], path));
  return lbConfig.value.choiceCount ?? 2;
}

type Breakers = Pick<
  ClusterConfig,
  "maxConnections" | "maxPendingRequests" | "maxRequests" | "maxRetries"
>;

function decodeBreakers(message: Cluster, issues: Issue[]): Breakers {
  const path = "circuit_breakers";
  const breakers = message.circuitBreakers;
  if (breakers !== undefined) {
    issues.push(...refuseFields(CircuitBreakersSchema, breakers, ["thresholds"], path));
  }
  // Only routes of high priority use the others, and such routes are refused.
  const normal = breakers?.thresholds.filter(
    ({ priority }) => priority === RoutingPriority.DEFAULT,
  );
  const [thresholds] = normal ?? [];
  if (thresholds !== undefined) {
    const fields = [
      "priority",
      "max_connections",
      "max_pending_requests",
      "max_requests",
      "max_retries",
      // Adds gauges that are not kept.
      "track_remaining",
    ];
    const at = joinPath(path, "thresholds");
    issues.push(...refuseFields(CircuitBreakers_ThresholdsSchema, thresholds, fields, at));
  }
  return {
    maxConnections: thresholds?.maxConnections ?? BREAKER_DEFAULT,
    maxPendingRequests: thresholds?.maxPendingRequests ?? BREAKER_DEFAULT,
    maxRequests: thresholds?.maxRequests ?? BREAKER_DEFAULT,
    maxRetries: thresholds?.maxRetries ?? RETRIES_DEFAULT,
  };
}

function decodePanic(message: Cluster, issues: Issue[]): number {
  const common = message.commonLbConfig;
  if (common === undefined) return PANIC_PERCENT;
  // Changes are applied as they come, which no client can tell from applying them later.
  const fields = ["healthy_panic_threshold", "update_merge_window"];
  const path = "common_lb_config";
  issues.push(...refuseFields(Cluster_CommonLbConfigSchema, common, fields, path));
  return common.healthyPanicThreshold?.value ?? PANIC_PERCENT;
}
