import type { Thresholds } from "../cluster/cluster-config.ts";
import type { LocalRateLimiterConfig } from "../rate-limit/local-rate-limiter.ts";
import type { TokenBucketConfig } from "../rate-limit/token-bucket.ts";

/** One process's part of what all processes of a proxy may have together, rounded up. */
export function shareOf(limit: number, processes: number): number {
  return Math.ceil(limit / processes);
}

/** Circuit breakers of one process; a share of what is in flight is a share in each of them. */
export function shareOfThresholds(limits: Thresholds, processes: number): Thresholds {
  if (processes === 1) return limits;
  const { retryBudget } = limits;
  return {
    ...limits,
    connectionsMax: shareOf(limits.connectionsMax, processes),
    pendingMax: shareOf(limits.pendingMax, processes),
    requestsMax: shareOf(limits.requestsMax, processes),
    retriesMax: shareOf(limits.retriesMax, processes),
    ...(retryBudget === undefined
      ? {}
      : {
          retryBudget: {
            ...retryBudget,
            concurrencyMin: shareOf(retryBudget.concurrencyMin, processes),
          },
        }),
  };
}

/** A token bucket of one process: its tokens come exactly as much slower. */
export function shareOfBucket(bucket: TokenBucketConfig, processes: number): TokenBucketConfig {
  if (processes === 1) return bucket;
  return {
    ...bucket,
    maxTokens: shareOf(bucket.maxTokens, processes),
    fillIntervalMs: bucket.fillIntervalMs * processes,
  };
}

/** The buckets of a local rate limit of one process. */
export function shareOfLimiter(
  config: LocalRateLimiterConfig,
  processes: number,
): LocalRateLimiterConfig {
  if (processes === 1) return config;
  return {
    ...config,
    bucket: config.bucket && shareOfBucket(config.bucket, processes),
    descriptors: config.descriptors.map((descriptor) => ({
      ...descriptor,
      bucket: shareOfBucket(descriptor.bucket, processes),
    })),
  };
}
