import {
  type LocalRateLimit as ListenerRateLimit,
  LocalRateLimitSchema as ListenerRateLimitSchema,
} from "../../api/gen/envoy/extensions/filters/listener/local_ratelimit/v3/local_ratelimit_pb.js";
import {
  type LocalRateLimit as NetworkRateLimit,
  LocalRateLimitSchema as NetworkRateLimitSchema,
} from "../../api/gen/envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { decodeRuntimeFlag } from "../../match/runtime-reader.ts";
import type { ListenerFilterConfig } from "../listener-filter/listener-filter.ts";
import { listenerRateLimit } from "../listener-filter/local-rate-limit.ts";
import { localRateLimit } from "../network-filter/local-rate-limit.ts";
import type { PassingFilterConfig } from "../network-filter/network-filter.ts";
import type { ConnectionRateConfig } from "../rate-limit/connection-gate.ts";
import { decodeTokenBucket } from "./token-bucket.ts";

const FIELDS = ["stat_prefix", "token_bucket", "runtime_enabled"];

/** Decodes the network filter `envoy.filters.network.local_ratelimit`. */
export function decodeConnectionRateLimit(
  message: NetworkRateLimit,
  path: string,
  issues: Issue[],
): PassingFilterConfig {
  const fields = [...FIELDS, "share_key"];
  issues.push(...refuseFields(NetworkRateLimitSchema, message, fields, path));
  const { shareKey } = message;
  return localRateLimit({ ...decodeRate(message, path, issues), shareKey });
}

/** Decodes the listener filter `envoy.filters.listener.local_ratelimit`. */
export function decodeSocketRateLimit(
  message: ListenerRateLimit,
  path: string,
  issues: Issue[],
): ListenerFilterConfig {
  issues.push(...refuseFields(ListenerRateLimitSchema, message, FIELDS, path));
  return listenerRateLimit({ ...decodeRate(message, path, issues), shareKey: "" });
}

function decodeRate(
  { statPrefix, tokenBucket, runtimeEnabled }: NetworkRateLimit | ListenerRateLimit,
  path: string,
  issues: Issue[],
): Omit<ConnectionRateConfig, "shareKey"> {
  const bucketPath = joinPath(path, "token_bucket");
  return {
    statPrefix,
    bucket: tokenBucket && decodeTokenBucket(tokenBucket, { whose: "", path: bucketPath, issues }),
    enabled:
      runtimeEnabled &&
      decodeRuntimeFlag(runtimeEnabled, joinPath(path, "runtime_enabled"), issues),
  };
}
