import {
  type OutlierDetection,
  OutlierDetectionSchema,
} from "../../api/gen/envoy/config/cluster/v3/outlier_detection_pb.js";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { refuseFields } from "../../match/refuse-fields.ts";
import {
  OUTLIER_DEFAULTS,
  type OutlierConfig,
  type OutlierNumbers,
} from "../health/outlier-config.ts";

/** All but `monitors`: extensions that judge in other ways. */
const FIELDS = [
  "consecutive_5xx",
  "interval",
  "base_ejection_time",
  "max_ejection_percent",
  "enforcing_consecutive_5xx",
  "enforcing_success_rate",
  "success_rate_minimum_hosts",
  "success_rate_request_volume",
  "success_rate_stdev_factor",
  "consecutive_gateway_failure",
  "enforcing_consecutive_gateway_failure",
  "split_external_local_origin_errors",
  "consecutive_local_origin_failure",
  "enforcing_consecutive_local_origin_failure",
  "enforcing_local_origin_success_rate",
  "failure_percentage_threshold",
  "enforcing_failure_percentage",
  "enforcing_failure_percentage_local_origin",
  "failure_percentage_minimum_hosts",
  "failure_percentage_request_volume",
  "max_ejection_time",
  "max_ejection_time_jitter",
  "successful_active_health_check_uneject_host",
  "always_eject_one_host",
  "detect_degraded_hosts",
];

/** Decodes when hosts are ejected for what they answer; `undefined` where they are not. */
export function decodeOutlierDetection(
  message: OutlierDetection | undefined,
  issues: Issue[],
): OutlierConfig | undefined {
  if (message === undefined) return undefined;
  const path = "outlier_detection";
  issues.push(...refuseFields(OutlierDetectionSchema, message, FIELDS, path));
  const numbers = decodeNumbers(message);
  if (numbers.max_ejection_time_ms < numbers.base_ejection_time_ms) {
    const what = "max_ejection_time cannot be smaller than base_ejection_time";
    issues.push({ path, message: `outlier detector's ${what}` });
  }
  return {
    numbers,
    alwaysEjectsOne: message.alwaysEjectOneHost ?? false,
    heedsDegraded: message.detectDegradedHosts ?? false,
    splitsLocalOrigin: message.splitExternalLocalOriginErrors,
    returnsWhenChecked: message.successfulActiveHealthCheckUnejectHost ?? true,
  };
}

function decodeNumbers(given: OutlierDetection): OutlierNumbers {
  const times = decodeTimes(given);
  const numbers: { [Name in keyof OutlierNumbers]?: number | undefined } = {
    ...times,
    max_ejection_percent: given.maxEjectionPercent,
    consecutive_5xx: given.consecutive5xx,
    consecutive_gateway_failure: given.consecutiveGatewayFailure,
    consecutive_local_origin_failure: given.consecutiveLocalOriginFailure,
    success_rate_minimum_hosts: given.successRateMinimumHosts,
    success_rate_request_volume: given.successRateRequestVolume,
    success_rate_stdev_factor: given.successRateStdevFactor,
    failure_percentage_threshold: given.failurePercentageThreshold,
    failure_percentage_minimum_hosts: given.failurePercentageMinimumHosts,
    failure_percentage_request_volume: given.failurePercentageRequestVolume,
    enforcing_consecutive_5xx: given.enforcingConsecutive5xx,
    enforcing_consecutive_gateway_failure: given.enforcingConsecutiveGatewayFailure,
    enforcing_consecutive_local_origin_failure: given.enforcingConsecutiveLocalOriginFailure,
    enforcing_success_rate: given.enforcingSuccessRate,
    enforcing_local_origin_success_rate: given.enforcingLocalOriginSuccessRate,
    enforcing_failure_percentage: given.enforcingFailurePercentage,
    enforcing_failure_percentage_local_origin: given.enforcingFailurePercentageLocalOrigin,
  };
  const set = Object.entries(numbers).filter(([, value]) => value !== undefined);
  return { ...OUTLIER_DEFAULTS, ...Object.fromEntries(set) };
}

/** In whole milliseconds. The longest ejection is never shorter than the shortest by default. */
function decodeTimes(given: OutlierDetection): Partial<OutlierNumbers> {
  const baseMs = durationMs(given.baseEjectionTime) ?? OUTLIER_DEFAULTS.base_ejection_time_ms;
  const times = {
    interval_ms: durationMs(given.interval) ?? OUTLIER_DEFAULTS.interval_ms,
    base_ejection_time_ms: baseMs,
    max_ejection_time_ms:
      durationMs(given.maxEjectionTime) ?? Math.max(OUTLIER_DEFAULTS.max_ejection_time_ms, baseMs),
    max_ejection_time_jitter_ms:
      durationMs(given.maxEjectionTimeJitter) ?? OUTLIER_DEFAULTS.max_ejection_time_jitter_ms,
  };
  return Object.fromEntries(Object.entries(times).map(([name, ms]) => [name, Math.floor(ms)]));
}
