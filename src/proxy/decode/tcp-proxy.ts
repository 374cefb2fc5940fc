import {
  type TcpProxy,
  TcpProxy_WeightedCluster_ClusterWeightSchema,
  TcpProxy_WeightedClusterSchema,
  TcpProxySchema,
} from "../../api/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { chooseWeighted } from "../../match/route-cluster.ts";
import type { TcpProxyConfig } from "../network-filter/tcp-proxy.ts";
import { decodeAccessLogs } from "./access-log.ts";

const FIELDS = [
  "stat_prefix",
  "cluster",
  "weighted_clusters",
  "idle_timeout",
  "max_connect_attempts",
  "access_log",
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
  const config: TcpProxyConfig = {
    statPrefix: message.statPrefix,
    chooseCluster: decodeClusters(message, path, issues),
    idleTimeoutMs: durationMs(message.idleTimeout) ?? IDLE_TIMEOUT_MS,
    connectAttemptsMax: message.maxConnectAttempts ?? 1,
    accessLogs: decodeAccessLogs(message.accessLog, path, issues),
  };
  return issues.length === before ? config : undefined;
}

function decodeClusters(
  message: TcpProxy,
  path: string,
  issues: Issue[],
): TcpProxyConfig["chooseCluster"] {
  const { clusterSpecifier: specifier } = message;
  if (specifier.case === "cluster") return () => specifier.value;
  if (specifier.case === undefined) {
    issues.push({ path, message: "names no cluster" });
    return () => "";
  }
  const weightedPath = joinPath(path, "weighted_clusters");
  const schema = TcpProxy_WeightedClusterSchema;
  issues.push(...refuseFields(schema, specifier.value, ["clusters"], weightedPath));
  const names: string[] = [];
  const ends: number[] = [];
  let total = 0;
  for (const [at, cluster] of specifier.value.clusters.entries()) {
    const clusterPath = joinPath(weightedPath, `clusters[${at}]`);
    const weightSchema = TcpProxy_WeightedCluster_ClusterWeightSchema;
    issues.push(...refuseFields(weightSchema, cluster, ["name", "weight"], clusterPath));
    total += cluster.weight;
    names.push(cluster.name);
    ends.push(total);
  }
  if (total === 0) issues.push({ path: weightedPath, message: "sum of the weights is 0" });
  return (prng) => chooseWeighted(names, ends, total, prng);
}
