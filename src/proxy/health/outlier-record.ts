import { NO_SUCCESS_RATES, type SuccessRates } from "./outlier-statistics.ts";

/** What the outlier detection of one cluster counted and found, for whoever asks. */
export class OutlierRecord {
  /** By Envoy's names under `outlier_detection.`. */
  readonly counters = {
    ejections_active: 0,
    ejections_consecutive_5xx: 0,
    ejections_detected_consecutive_5xx: 0,
    ejections_detected_consecutive_gateway_failure: 0,
    ejections_detected_consecutive_local_origin_failure: 0,
    ejections_detected_degradation: 0,
    ejections_detected_failure_percentage: 0,
    ejections_detected_local_origin_failure_percentage: 0,
    ejections_detected_local_origin_success_rate: 0,
    ejections_detected_success_rate: 0,
    ejections_enforced_consecutive_5xx: 0,
    ejections_enforced_consecutive_gateway_failure: 0,
    ejections_enforced_consecutive_local_origin_failure: 0,
    ejections_enforced_failure_percentage: 0,
    ejections_enforced_local_origin_failure_percentage: 0,
    ejections_enforced_local_origin_success_rate: 0,
    ejections_enforced_success_rate: 0,
    ejections_enforced_total: 0,
    ejections_overflow: 0,
    ejections_success_rate: 0,
    ejections_total: 0,
  };
  /** Of the last interval. */
  external: SuccessRates = NO_SUCCESS_RATES;
  localOrigin: SuccessRates = NO_SUCCESS_RATES;
}
