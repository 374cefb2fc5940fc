import {
  type Cluster_SlowStartConfig,
  Cluster_SlowStartConfigSchema,
} from "../../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { RuntimeDoubleSchema } from "../../api/gen/envoy/config/core/v3/base_pb.js";
import {
  SlowStartConfigSchema,
  type SlowStartConfig as SlowStartMessage,
} from "../../api/gen/envoy/extensions/load_balancing_policies/common/v3/common_pb.js";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { SlowStartConfig } from "../cluster/cluster-config.ts";

const FIELDS = ["slow_start_window", "aggression", "min_weight_percent"];
/** Envoy's default. */
const WEIGHT_PERCENT_MIN = 10;

/** How new hosts begin, in the old place. */
export function decodeOldSlowStart(
  message: Cluster_SlowStartConfig | undefined,
  path: string,
  issues: Issue[],
): SlowStartConfig | undefined {
  if (message === undefined) return undefined;
  issues.push(...refuseFields(Cluster_SlowStartConfigSchema, message, FIELDS, path));
  return decodeShared(message, path, issues);
}

/** The same in a typed policy. */
export function decodeSlowStart(
  message: SlowStartMessage | undefined,
  path: string,
  issues: Issue[],
): SlowStartConfig | undefined {
  if (message === undefined) return undefined;
  issues.push(...refuseFields(SlowStartConfigSchema, message, FIELDS, path));
  return decodeShared(message, path, issues);
}

type Shared = Pick<SlowStartMessage, "slowStartWindow" | "aggression" | "minWeightPercent">;

function decodeShared(message: Shared, path: string, issues: Issue[]): SlowStartConfig | undefined {
  const { aggression } = message;
  if (aggression !== undefined) {
    const at = joinPath(path, "aggression");
    const fields = ["default_value", "runtime_key"];
    issues.push(...refuseFields(RuntimeDoubleSchema, aggression, fields, at));
  }
  const windowMs = durationMs(message.slowStartWindow) ?? 0;
  if (windowMs <= 0) return undefined;
  return {
    windowMs,
    aggression: aggression?.defaultValue ?? 1,
    aggressionKey: aggression?.runtimeKey ?? "",
    minWeightPercent: message.minWeightPercent?.value ?? WEIGHT_PERCENT_MIN,
  };
}
