import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CircuitBreakersSchema } from "../api/gen/envoy/config/cluster/v3/circuit_breaker_pb.js";
import type { OutlierDetectionSchema } from "../api/gen/envoy/config/cluster/v3/outlier_detection_pb.js";
import type { OutlierDetection, RetryBudget, TrafficPolicy } from "../model/traffic-policy.ts";
import { duration } from "./wire.ts";

const UINT32_MAX = 0xffff_ffff;

/** No limit but memory where nobody set one: Envoy's own (1024) would refuse traffic unasked. */
export function circuitBreakers({
  connectionPool,
  retryBudget,
}: TrafficPolicy): MessageInitShape<typeof CircuitBreakersSchema> {
  const { maxConnections, maxPendingRequests, maxRequests, maxRetries } = connectionPool;
  return {
    thresholds: [
      {
        maxConnections: maxConnections ?? UINT32_MAX,
        maxPendingRequests: maxPendingRequests ?? UINT32_MAX,
        maxRequests: maxRequests ?? UINT32_MAX,
        maxRetries: maxRetries ?? UINT32_MAX,
        trackRemaining: true,
        ...(retryBudget !== undefined && { retryBudget: budget(retryBudget) }),
      },
    ],
  };
}

function budget({ percent, minConcurrency }: RetryBudget) {
  return {
    ...(percent !== undefined && { budgetPercent: { value: percent } }),
    ...(minConcurrency !== undefined && { minRetryConcurrency: minConcurrency }),
  };
}

/** All of an ejection is enforced, or it is off. */
const ENFORCED = 100;

/** When hosts are ejected. Success rates never count, as in Istio. */
export function outlierDetection(
  policy: OutlierDetection,
): MessageInitShape<typeof OutlierDetectionSchema> {
  const { consecutive5xx, consecutiveGatewayErrors, localOrigin } = policy;
  const { intervalMs, baseEjectionTimeMs, maxEjectionPercent } = policy;
  return {
    enforcingSuccessRate: 0,
    ...(consecutive5xx !== undefined && {
      consecutive5xx,
      enforcingConsecutive5xx: consecutive5xx > 0 ? ENFORCED : 0,
    }),
    ...(consecutiveGatewayErrors !== undefined && {
      consecutiveGatewayFailure: consecutiveGatewayErrors,
      enforcingConsecutiveGatewayFailure: consecutiveGatewayErrors > 0 ? ENFORCED : 0,
    }),
    ...(intervalMs !== undefined && { interval: duration(intervalMs) }),
    ...(baseEjectionTimeMs !== undefined && { baseEjectionTime: duration(baseEjectionTimeMs) }),
    ...(maxEjectionPercent !== undefined && { maxEjectionPercent }),
    ...(localOrigin !== undefined && {
      splitExternalLocalOriginErrors: true,
      enforcingLocalOriginSuccessRate: 0,
      ...(localOrigin.consecutiveFailures !== undefined && {
        consecutiveLocalOriginFailure: localOrigin.consecutiveFailures,
        enforcingConsecutiveLocalOriginFailure: ENFORCED,
      }),
    }),
  };
}
