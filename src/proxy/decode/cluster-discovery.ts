import {
  type Cluster,
  type Cluster_CustomClusterType,
  Cluster_CustomClusterTypeSchema,
  Cluster_DiscoveryType,
  Cluster_EdsClusterConfigSchema,
  Cluster_LbPolicy,
  Cluster_OriginalDstLbConfigSchema,
} from "../../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { refuseFields } from "../../match/refuse-fields.ts";
import type { ClusterConfig, OriginalDstConfig } from "../cluster/cluster-config.ts";
import { decodeAggregate } from "./cluster-aggregate.ts";
import { decodeDns } from "./cluster-dns.ts";
import { type ForwardConfig, isForward } from "./cluster-forward.ts";
import { isAds } from "./config-source.ts";
import { decodeAssignment, EMPTY_ASSIGNMENT } from "./endpoint.ts";

/** Envoy's defaults. */
const CLEANUP_MS = 5000;
const FIRST_ANSWER_MS = 15_000;
const ORIGINAL_DST_HEADER = "x-envoy-original-dst-host";

const TYPES: Readonly<Record<Cluster_DiscoveryType, ClusterConfig["type"]>> = {
  [Cluster_DiscoveryType.STATIC]: "STATIC",
  [Cluster_DiscoveryType.STRICT_DNS]: "STRICT_DNS",
  [Cluster_DiscoveryType.LOGICAL_DNS]: "LOGICAL_DNS",
  [Cluster_DiscoveryType.EDS]: "EDS",
  [Cluster_DiscoveryType.ORIGINAL_DST]: "ORIGINAL_DST",
};

/** The same by the names of Envoy's extensions. */
const TYPES_BY_NAME: Readonly<Record<string, ClusterConfig["type"]>> = {
  "envoy.cluster.static": "STATIC",
  "envoy.cluster.strict_dns": "STRICT_DNS",
  "envoy.cluster.logical_dns": "LOGICAL_DNS",
  "envoy.cluster.eds": "EDS",
  "envoy.cluster.original_dst": "ORIGINAL_DST",
};

/** Those that have no endpoints of their own to begin with. */
const MAKES_HOSTS: ReadonlySet<ClusterConfig["type"]> = new Set([
  "EDS",
  "ORIGINAL_DST",
  "AGGREGATE",
  "DYNAMIC_FORWARD_PROXY",
]);

type Discovery = Pick<
  ClusterConfig,
  | "type"
  | "edsName"
  | "edsFirstAnswerMs"
  | "assignment"
  | "dns"
  | "originalDst"
  | "dnsCache"
  | "aggregated"
>;

/** Decodes how a cluster's hosts are found. */
export function decodeDiscovery(
  message: Cluster,
  forward: ForwardConfig | undefined,
  issues: Issue[],
): Discovery {
  const aggregated = decodeAggregate(message, issues);
  const type = aggregated === undefined ? decodeType(message, issues) : "AGGREGATE";
  if (type !== "EDS" && message.edsClusterConfig !== undefined) {
    issues.push({ path: "eds_cluster_config", message: "cannot be set in a non-EDS cluster." });
  }
  return {
    type,
    ...decodeEds(message, type, issues),
    assignment: decodeInlineAssignment(message, type, issues),
    dns: type === "STRICT_DNS" || type === "LOGICAL_DNS" ? decodeDns(message, issues) : undefined,
    originalDst: decodeOriginalDst(message, type, issues),
    dnsCache: forward?.cache,
    aggregated: aggregated ?? [],
  };
}

function decodeType(message: Cluster, issues: Issue[]): ClusterConfig["type"] {
  const { clusterDiscoveryType: specifier } = message;
  if (isForward(message)) return "DYNAMIC_FORWARD_PROXY";
  // One that is not known breaks a rule of the .proto file, which is checked after.
  if (specifier.case === "type") return TYPES[specifier.value] ?? "STATIC";
  return specifier.case === "clusterType" ? decodeNamedType(specifier.value, issues) : "STATIC";
}

function decodeNamedType(
  message: Cluster_CustomClusterType,
  issues: Issue[],
): ClusterConfig["type"] {
  issues.push(...refuseFields(Cluster_CustomClusterTypeSchema, message, ["name"], "cluster_type"));
  const type = TYPES_BY_NAME[message.name];
  if (type !== undefined) return type;
  const what = `Didn't find a registered cluster factory implementation for name: '${message.name}'`;
  issues.push({ path: "cluster_type", message: what });
  return "STATIC";
}

function decodeEds(
  message: Cluster,
  type: ClusterConfig["type"],
  issues: Issue[],
): Pick<ClusterConfig, "edsName" | "edsFirstAnswerMs"> {
  if (type !== "EDS") return { edsName: "", edsFirstAnswerMs: 0 };
  const eds = message.edsClusterConfig;
  if (eds === undefined) {
    issues.push({ path: "eds_cluster_config", message: "is missing" });
    return { edsName: message.name, edsFirstAnswerMs: 0 };
  }
  const fields = ["eds_config", "service_name"];
  issues.push(...refuseFields(Cluster_EdsClusterConfigSchema, eds, fields, "eds_cluster_config"));
  isAds(eds.edsConfig, "eds_cluster_config.eds_config", issues);
  return {
    edsName: eds.serviceName || message.name,
    edsFirstAnswerMs: durationMs(eds.edsConfig?.initialFetchTimeout) ?? FIRST_ANSWER_MS,
  };
}

function decodeInlineAssignment(
  message: Cluster,
  type: ClusterConfig["type"],
  issues: Issue[],
): ClusterConfig["assignment"] {
  const { loadAssignment, name } = message;
  if (MAKES_HOSTS.has(type)) {
    if (loadAssignment !== undefined) {
      const what = `${type} clusters must have no load assignment configured`;
      issues.push({ path: "load_assignment", message: what });
    }
    return undefined;
  }
  // A cluster without endpoints is the black hole of Istio.
  const areIps = type === "STATIC";
  const assignment =
    loadAssignment === undefined
      ? { ...EMPTY_ASSIGNMENT, name }
      : decodeAssignment(loadAssignment, "load_assignment", areIps, issues);
  const localities = loadAssignment?.endpoints ?? [];
  if (type === "LOGICAL_DNS" && (localities.length !== 1 || assignment.endpoints.length !== 1)) {
    const what =
      "LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single lb_endpoint";
    issues.push({ path: "load_assignment", message: what });
  }
  return assignment;
}

function decodeOriginalDst(
  message: Cluster,
  type: ClusterConfig["type"],
  issues: Issue[],
): OriginalDstConfig | undefined {
  if (type !== "ORIGINAL_DST") return undefined;
  if (message.lbPolicy !== Cluster_LbPolicy.CLUSTER_PROVIDED) {
    const given = Cluster_LbPolicy[message.lbPolicy] ?? String(message.lbPolicy);
    const what = `LB policy ${given} is not valid for Cluster type ORIGINAL_DST. Only 'CLUSTER_PROVIDED' is allowed with cluster type 'ORIGINAL_DST'`;
    issues.push({ path: "lb_policy", message: what });
  }
  const cleanupMs = durationMs(message.cleanupInterval) ?? CLEANUP_MS;
  if (message.lbConfig.case !== "originalDstLbConfig") {
    return { header: "", portOverride: undefined, cleanupMs };
  }
  const config = message.lbConfig.value;
  const path = "original_dst_lb_config";
  const fields = ["use_http_header", "http_header_name", "upstream_port_override"];
  issues.push(...refuseFields(Cluster_OriginalDstLbConfigSchema, config, fields, path));
  if (!config.useHttpHeader && config.httpHeaderName !== "") {
    const what = "has an http_header_name, and use_http_header is false";
    issues.push({ path, message: what });
  }
  return {
    header: config.useHttpHeader
      ? (config.httpHeaderName || ORIGINAL_DST_HEADER).toLowerCase()
      : "",
    portOverride: config.upstreamPortOverride,
    cleanupMs,
  };
}
