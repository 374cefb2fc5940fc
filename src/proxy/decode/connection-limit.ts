import {
  type ConnectionLimit,
  ConnectionLimitSchema,
} from "../../api/gen/envoy/extensions/filters/network/connection_limit/v3/connection_limit_pb.js";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { decodeRuntimeFlag } from "../../match/runtime-reader.ts";
import { connectionLimit } from "../network-filter/connection-limit.ts";
import type { PassingFilterConfig } from "../network-filter/network-filter.ts";

const FIELDS = ["stat_prefix", "max_connections", "delay", "runtime_enabled"];

/** Decodes a connection limit. */
export function decodeConnectionLimit(
  message: ConnectionLimit,
  path: string,
  issues: Issue[],
): PassingFilterConfig {
  issues.push(...refuseFields(ConnectionLimitSchema, message, FIELDS, path));
  if (message.maxConnections === undefined) {
    issues.push({ path: joinPath(path, "max_connections"), message: "is missing" });
  }
  return connectionLimit({
    statPrefix: message.statPrefix,
    connectionsMax: Number(message.maxConnections ?? 0n),
    delayMs: durationMs(message.delay) ?? 0,
    enabled:
      message.runtimeEnabled &&
      decodeRuntimeFlag(message.runtimeEnabled, joinPath(path, "runtime_enabled"), issues),
  });
}
