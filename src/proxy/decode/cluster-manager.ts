import {
  type ClusterManager,
  ClusterManager_OutlierDetectionSchema,
  ClusterManagerSchema,
} from "../../api/gen/envoy/config/bootstrap/v3/bootstrap_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";

/** What a bootstrap says of all clusters together. */
export interface ClusterManagerConfig {
  /** A file for what outlier detection does; `undefined` for none. */
  readonly ejectionLog: string | undefined;
}

/** Decodes what concerns all clusters; without it there is nothing of that. */
export function decodeClusterManager(
  message: ClusterManager | undefined,
  issues: Issue[],
): ClusterManagerConfig {
  const path = "cluster_manager";
  if (message === undefined) return { ejectionLog: undefined };
  issues.push(...refuseFields(ClusterManagerSchema, message, ["outlier_detection"], path));
  const { outlierDetection } = message;
  if (outlierDetection !== undefined) {
    const schema = ClusterManager_OutlierDetectionSchema;
    const at = joinPath(path, "outlier_detection");
    issues.push(...refuseFields(schema, outlierDetection, ["event_log_path"], at));
  }
  return { ejectionLog: outlierDetection?.eventLogPath || undefined };
}
