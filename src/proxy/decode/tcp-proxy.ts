import {
  type TcpProxy,
  TcpProxy_TcpAccessLogOptionsSchema,
  type TcpProxy_TunnelingConfig,
  TcpProxy_TunnelingConfigSchema,
  TcpProxy_WeightedCluster_ClusterWeightSchema,
  TcpProxy_WeightedClusterSchema,
  TcpProxySchema,
} from "../../api/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import {
  HashPolicy_FilterStateSchema,
  HashPolicy_SourceIpSchema,
  HashPolicySchema,
} from "../../api/gen/envoy/type/v3/hash_policy_pb.js";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { decodeAdditions } from "../../match/header-mutations.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { chooseWeighted } from "../../match/route-cluster.ts";
import { mergeCriteria, type SubsetCriteria, subsetCriteria } from "../../match/subset-criteria.ts";
import { compileFormat } from "../../match/substitution.ts";
import type { TunnelConfig } from "../network-filter/http-tunnel.ts";
import type { TcpProxyConfig, TcpTarget } from "../network-filter/tcp-proxy.ts";
import { decodeAccessLogs } from "./access-log.ts";

const FIELDS = [
  "stat_prefix",
  "cluster",
  "weighted_clusters",
  "metadata_match",
  "hash_policy",
  "idle_timeout",
  "max_downstream_connection_duration",
  "max_connect_attempts",
  "tunneling_config",
  "access_log",
  "access_log_options",
  "access_log_flush_interval",
  "flush_access_log_on_connected",
];

/** Envoy's default. */
const IDLE_TIMEOUT_MS = 3_600_000;

/** Decodes a TCP proxy; `undefined` when it is wrong. */
export function decodeTcpProxy(
  message: TcpProxy,
  path: string,
  issues: Issue[],
): TcpProxyConfig | undefined {
  const before = issues.length;
  issues.push(...refuseFields(TcpProxySchema, message, FIELDS, path));
  if (message.statPrefix === "") {
    issues.push({ path: joinPath(path, "stat_prefix"), message: "is missing" });
  }
  const options = message.accessLogOptions;
  const optionFields = ["access_log_flush_interval", "flush_access_log_on_connected"];
  if (options !== undefined) {
    const optionsPath = joinPath(path, "access_log_options");
    const schema = TcpProxy_TcpAccessLogOptionsSchema;
    issues.push(...refuseFields(schema, options, optionFields, optionsPath));
    if (message.accessLogFlushInterval !== undefined || message.flushAccessLogOnConnected) {
      const what =
        "Only one of access_log_options or (access_log_flush_interval, flush_access_log_on_connected) can be specified.";
      issues.push({ path: optionsPath, message: what });
    }
  }
  const criteria = subsetCriteria(message.metadataMatch);
  const config: TcpProxyConfig = {
    statPrefix: message.statPrefix,
    chooseTarget: decodeTargets(message, criteria, path, issues),
    criteria,
    hashesSourceIp: decodeHashPolicy(message, path, issues),
    idleTimeoutMs: durationMs(message.idleTimeout) ?? IDLE_TIMEOUT_MS,
    durationMsMax: durationMs(message.maxDownstreamConnectionDuration) ?? 0,
    tunnel:
      message.tunnelingConfig &&
      decodeTunnel(message.tunnelingConfig, joinPath(path, "tunneling_config"), issues),
    connectAttemptsMax: message.maxConnectAttempts ?? 1,
    accessLogs: decodeAccessLogs(message.accessLog, path, issues),
    logIntervalMs:
      durationMs(options?.accessLogFlushInterval ?? message.accessLogFlushInterval) ?? 0,
    logsConnected: options?.flushAccessLogOnConnected ?? message.flushAccessLogOnConnected,
  };
  return issues.length === before ? config : undefined;
}

/** Response headers and trailers would only be seen in filter state, which is not kept. */
const TUNNEL_FIELDS = ["hostname", "use_post", "headers_to_add", "post_path"];

function decodeTunnel(
  message: TcpProxy_TunnelingConfig,
  path: string,
  issues: Issue[],
): TunnelConfig {
  issues.push(...refuseFields(TcpProxy_TunnelingConfigSchema, message, TUNNEL_FIELDS, path));
  const { hostname, usePost, postPath } = message;
  const format = compileFormat(hostname, "");
  if (!format.ok) {
    const at = joinPath(path, "hostname");
    issues.push(...format.issues.map((issue) => ({ ...issue, path: at })));
  }
  if (!usePost && postPath !== "") {
    const what = "Can't set a post path when POST method isn't used";
    issues.push({ path: joinPath(path, "post_path"), message: what });
  } else if (postPath !== "" && !/^\/[\x21-\x7e]*$/.test(postPath)) {
    issues.push({ path: joinPath(path, "post_path"), message: `"${postPath}" is no path` });
  }
  const add = decodeAdditions(message.headersToAdd, joinPath(path, "headers_to_add"), issues);
  return {
    hostname: format.ok ? format.value : () => "",
    postPath: usePost ? postPath || "/" : undefined,
    headers: { add, remove: [] },
  };
}

/** Whether the client's address is hashed; of the filter state nothing here can be. */
function decodeHashPolicy({ hashPolicy }: TcpProxy, path: string, issues: Issue[]): boolean {
  let isHashed = false;
  for (const [index, policy] of hashPolicy.entries()) {
    const at = joinPath(path, `hash_policy[${index}]`);
    const { policySpecifier: specifier } = policy;
    issues.push(...refuseFields(HashPolicySchema, policy, ["source_ip", "filter_state"], at));
    if (specifier.case === "sourceIp") {
      issues.push(...refuseFields(HashPolicy_SourceIpSchema, specifier.value, [], at));
      isHashed = true;
    } else if (specifier.case === "filterState") {
      issues.push(...refuseFields(HashPolicy_FilterStateSchema, specifier.value, ["key"], at));
    } else {
      issues.push({ path: at, message: "names nothing to hash" });
    }
  }
  return isHashed;
}

function decodeTargets(
  message: TcpProxy,
  criteria: SubsetCriteria,
  path: string,
  issues: Issue[],
): TcpProxyConfig["chooseTarget"] {
  const { clusterSpecifier: specifier } = message;
  if (specifier.case === "cluster") {
    const target: TcpTarget = { cluster: specifier.value, criteria };
    return () => target;
  }
  if (specifier.case === undefined) {
    issues.push({ path, message: "names no cluster" });
    return () => ({ cluster: "", criteria });
  }
  const weightedPath = joinPath(path, "weighted_clusters");
  const schema = TcpProxy_WeightedClusterSchema;
  issues.push(...refuseFields(schema, specifier.value, ["clusters"], weightedPath));
  const targets = new Map<string, TcpTarget>();
  const keys: string[] = [];
  const ends: number[] = [];
  let total = 0;
  for (const [at, cluster] of specifier.value.clusters.entries()) {
    const clusterPath = joinPath(weightedPath, `clusters[${at}]`);
    const weightSchema = TcpProxy_WeightedCluster_ClusterWeightSchema;
    const fields = ["name", "weight", "metadata_match"];
    issues.push(...refuseFields(weightSchema, cluster, fields, clusterPath));
    total += cluster.weight;
    const own = mergeCriteria(criteria, subsetCriteria(cluster.metadataMatch));
    targets.set(String(at), { cluster: cluster.name, criteria: own });
    keys.push(String(at));
    ends.push(total);
  }
  if (total === 0) issues.push({ path: weightedPath, message: "sum of the weights is 0" });
  const none: TcpTarget = { cluster: "", criteria };
  return (prng) => targets.get(chooseWeighted(keys, ends, total, prng)) ?? none;
}
