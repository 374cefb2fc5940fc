import {
  type ClusterManager,
  ClusterManager_OutlierDetectionSchema,
  ClusterManagerSchema,
} from "../../api/gen/envoy/config/bootstrap/v3/bootstrap_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";

/** What a bootstrap says of all clusters together. */
export interface ClusterManagerConfig {
  /** The cluster that the proxy itself belongs to; "" for none. */
  readonly localClusterName: string;
  /** A file for what outlier detection does; `undefined` for none. */
  readonly ejectionLog: string | undefined;
}

/** Decodes what concerns all clusters; `names` are those of the bootstrap itself. */
export function decodeClusterManager(
  message: ClusterManager | undefined,
  names: ReadonlySet<string>,
  issues: Issue[],
): ClusterManagerConfig {
  const path = "cluster_manager";
  if (message === undefined) return { localClusterName: "", ejectionLog: undefined };
  const fields = ["local_cluster_name", "outlier_detection"];
  issues.push(...refuseFields(ClusterManagerSchema, message, fields, path));
  const { localClusterName, outlierDetection } = message;
  if (localClusterName !== "" && !names.has(localClusterName)) {
    const what = `local cluster '${localClusterName}' must be defined`;
    issues.push({ path: joinPath(path, "local_cluster_name"), message: what });
  }
  if (outlierDetection !== undefined) {
    const schema = ClusterManager_OutlierDetectionSchema;
    const at = joinPath(path, "outlier_detection");
    issues.push(...refuseFields(schema, outlierDetection, ["event_log_path"], at));
  }
  return { localClusterName, ejectionLog: outlierDetection?.eventLogPath || undefined };
}
