import type { RuntimeReader } from "../../match/runtime-reader.ts";

/** Numbers that a runtime key may change: `outlier_detection.` and the name here. Envoy's defaults. */
export const OUTLIER_DEFAULTS = {
  interval_ms: 10_000,
  base_ejection_time_ms: 30_000,
  max_ejection_time_ms: 300_000,
  max_ejection_time_jitter_ms: 0,
  max_ejection_percent: 10,
  consecutive_5xx: 5,
  consecutive_gateway_failure: 5,
  consecutive_local_origin_failure: 5,
  success_rate_minimum_hosts: 5,
  success_rate_request_volume: 100,
  /** In thousandths. */
  success_rate_stdev_factor: 1900,
  failure_percentage_threshold: 85,
  failure_percentage_minimum_hosts: 5,
  failure_percentage_request_volume: 50,
  enforcing_consecutive_5xx: 100,
  enforcing_consecutive_gateway_failure: 0,
  enforcing_consecutive_local_origin_failure: 100,
  enforcing_success_rate: 100,
  enforcing_local_origin_success_rate: 100,
  enforcing_failure_percentage: 0,
  enforcing_failure_percentage_local_origin: 0,
};

export type OutlierNumbers = Readonly<Record<keyof typeof OUTLIER_DEFAULTS, number>>;

/** When hosts of a cluster are ejected for what they answer, and for how long. */
export interface OutlierConfig {
  readonly numbers: OutlierNumbers;
  /** One host may be ejected whatever share of all it is. */
  readonly alwaysEjectsOne: boolean;
  /** Whether failures to connect and timeouts are told from what a host answers. */
  readonly splitsLocalOrigin: boolean;
  /** Whether a host may say of itself that it is used only where there are not enough others. */
  readonly heedsDegraded: boolean;
  /** An ejected host comes back when a health check of it succeeds. */
  readonly returnsWhenChecked: boolean;
}

/** The numbers that hold: what the runtime says goes before what the cluster says. */
export function currentNumbers(config: OutlierConfig, runtime: RuntimeReader): OutlierNumbers {
  const numbers = { ...config.numbers };
  for (const name of Object.keys(OUTLIER_DEFAULTS) as (keyof OutlierNumbers)[]) {
    numbers[name] = runtime.integer(`outlier_detection.${name}`) ?? numbers[name];
  }
  // An interval of nothing would never let anything else happen.
  return { ...numbers, interval_ms: Math.max(1, numbers.interval_ms) };
}
