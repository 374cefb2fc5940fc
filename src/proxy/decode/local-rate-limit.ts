import {
  XRateLimitHeadersRFCVersion as HeadersVersion,
  VhRateLimitsOptions as HostOptions,
  type LocalRateLimitDescriptor,
  LocalRateLimitDescriptorSchema,
  RateLimitDescriptor_EntrySchema,
} from "../../api/gen/envoy/extensions/common/ratelimit/v3/ratelimit_pb.js";
import {
  type LocalRateLimit,
  LocalRateLimitSchema,
} from "../../api/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.js";
import type { Issue } from "../../base/issue.ts";
import { decodeFilterRateLimits } from "../../match/decode-rate-limit.ts";
import { decodeAdditions } from "../../match/header-mutations.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { decodeRuntimeShare } from "../../match/runtime-reader.ts";
import { wireText } from "../../match/wire-text.ts";
import type { FilterScope, FilterStream } from "../http/http-filter.ts";
import { LocalRateLimitFilter, LocalRateLimitPolicy } from "../http-filter/local-rate-limit.ts";
import {
  type DescriptorBucket,
  keyOf,
  type LocalRateLimiterConfig,
} from "../rate-limit/local-rate-limiter.ts";
import type { HostRateLimits } from "../rate-limit/rate-limit-source.ts";
import { extension } from "./extension.ts";
import { decodeTokenBucket } from "./token-bucket.ts";

/** `envoy.filters.http.local_ratelimit` in a connection manager. */
export const LOCAL_RATE_LIMIT = extension(LocalRateLimitSchema, (message, path, issues) => {
  const policy = decodePolicy(message, path, issues);
  return {
    open: ({ context, name }: FilterScope) => {
      policy.showCounters(context.counters);
      return (stream: FilterStream) => new LocalRateLimitFilter(stream, name, policy);
    },
  };
});

/** The same message in a route takes the place of the filter's own. */
export const LOCAL_RATE_LIMIT_OF_ROUTE = extension(
  LocalRateLimitSchema,
  (message, path, issues) => {
    if (message.tokenBucket === undefined) {
      const what = "local rate limit token bucket must be set for per filter configs";
      issues.push({ path: joinPath(path, "token_bucket"), message: what });
    }
    return decodePolicy(message, path, issues);
  },
);

const FIELDS = [
  "stat_prefix",
  "status",
  "token_bucket",
  "filter_enabled",
  "filter_enforced",
  "request_headers_to_add_when_not_enforced",
  "response_headers_to_add",
  "descriptors",
  "stage",
  "local_rate_limit_per_downstream_connection",
  // Refused below.
  "local_cluster_rate_limit",
  "enable_x_ratelimit_headers",
  "vh_rate_limits",
  "always_consume_default_token_bucket",
  "rate_limited_as_resource_exhausted",
  "rate_limits",
  "max_dynamic_descriptors",
  "enable_retry_after_header",
];

const HOST_OPTIONS: Readonly<Record<HostOptions, HostRateLimits>> = {
  [HostOptions.OVERRIDE]: "override",
  [HostOptions.INCLUDE]: "include",
  [HostOptions.IGNORE]: "ignore",
};

const TOO_MANY_REQUESTS = 429;
const ERROR_STATUS_MIN = 400;
const GRPC_RESOURCE_EXHAUSTED = 8;

function decodePolicy(
  message: LocalRateLimit,
  path: string,
  issues: Issue[],
): LocalRateLimitPolicy {
  issues.push(...refuseFields(LocalRateLimitSchema, message, FIELDS, path));
  refuseSharing(message, path, issues);
  const { filterEnabled, filterEnforced } = message;
  const status: number = message.status?.code ?? TOO_MANY_REQUESTS;
  const enforcedPath = joinPath(path, "filter_enforced");
  const requestPath = joinPath(path, "request_headers_to_add_when_not_enforced");
  const responsePath = joinPath(path, "response_headers_to_add");
  return new LocalRateLimitPolicy({
    statPrefix: message.statPrefix,
    status: status < ERROR_STATUS_MIN ? TOO_MANY_REQUESTS : status,
    limiter: decodeLimiter(message, path, issues),
    enabled:
      filterEnabled && decodeRuntimeShare(filterEnabled, joinPath(path, "filter_enabled"), issues),
    enforced: filterEnforced && decodeRuntimeShare(filterEnforced, enforcedPath, issues),
    requestHeaders: decodeAdditions(
      message.requestHeadersToAddWhenNotEnforced,
      requestPath,
      issues,
    ),
    responseHeaders: decodeAdditions(message.responseHeadersToAdd, responsePath, issues),
    stage: message.stage,
    isPerConnection: message.localRateLimitPerDownstreamConnection,
    tellsLimit: message.enableXRatelimitHeaders === HeadersVersion.DRAFT_VERSION_03,
    tellsRetryAfter: message.enableRetryAfterHeader,
    hostRateLimits: HOST_OPTIONS[message.vhRateLimits] ?? "override",
    rules: decodeFilterRateLimits(message.rateLimits, joinPath(path, "rate_limits"), issues),
    grpcStatus: message.rateLimitedAsResourceExhausted ? GRPC_RESOURCE_EXHAUSTED : undefined,
  });
}

function refuseSharing(message: LocalRateLimit, path: string, issues: Issue[]): void {
  if (message.localClusterRateLimit === undefined) return;
  const what = message.localRateLimitPerDownstreamConnection
    ? "local_cluster_rate_limit is set and local_rate_limit_per_downstream_connection is set to true"
    : "is not supported yet";
  issues.push({ path: joinPath(path, "local_cluster_rate_limit"), message: what });
}

/** Of values that an entry without one may have; Envoy's number. */
const DYNAMIC_BUCKETS_MAX_DEFAULT = 20;

function decodeLimiter(
  message: LocalRateLimit,
  path: string,
  issues: Issue[],
): LocalRateLimiterConfig {
  const { tokenBucket } = message;
  const bucketPath = joinPath(path, "token_bucket");
  const keys = new Set<string>();
  return {
    bucket: tokenBucket && decodeTokenBucket(tokenBucket, { whose: "", path: bucketPath, issues }),
    descriptors: message.descriptors.flatMap((descriptor, at): DescriptorBucket[] => {
      const descriptorPath = joinPath(path, `descriptors[${at}]`);
      const decoded = decodeDescriptor(descriptor, descriptorPath, issues);
      if (decoded === undefined) return [];
      const key = keyOf(decoded.entries);
      if (keys.has(key)) {
        const text = descriptor.entries.map((entry) => `${entry.key}=${entry.value}`).join(", ");
        const what = `duplicate descriptor in the local rate descriptor: ${text}`;
        issues.push({ path: descriptorPath, message: what });
      }
      keys.add(key);
      return [decoded];
    }),
    dynamicBucketsMax: message.maxDynamicDescriptors ?? DYNAMIC_BUCKETS_MAX_DEFAULT,
    alwaysTakesDefault: message.alwaysConsumeDefaultTokenBucket ?? true,
  };
}

function decodeDescriptor(
  message: LocalRateLimitDescriptor,
  path: string,
  issues: Issue[],
): DescriptorBucket | undefined {
  const fields = ["entries", "token_bucket", "shadow_mode"];
  issues.push(...refuseFields(LocalRateLimitDescriptorSchema, message, fields, path));
  const { tokenBucket } = message;
  const bucketPath = joinPath(path, "token_bucket");
  if (tokenBucket === undefined) {
    issues.push({ path: bucketPath, message: "is missing" });
    return undefined;
  }
  const where = { whose: "descriptor ", path: bucketPath, issues } as const;
  const bucket = decodeTokenBucket(tokenBucket, where);
  if (bucket === undefined) return undefined;
  const entries = message.entries.map((entry, at) => {
    const entryPath = joinPath(path, `entries[${at}]`);
    const handled = ["key", "value"];
    issues.push(...refuseFields(RateLimitDescriptor_EntrySchema, entry, handled, entryPath));
    return { key: wireText(entry.key), value: wireText(entry.value) };
  });
  return { entries, bucket, isShadow: message.shadowMode };
}
