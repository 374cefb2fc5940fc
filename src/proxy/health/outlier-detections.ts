import type { OutlierNumbers } from "./outlier-config.ts";
import type { ConsecutiveType } from "./outlier-monitor.ts";

/** One way to be found: what is counted, what says whether it is acted upon, and in which words. */
export interface Detection {
  /** As the names of counters end. */
  readonly stat: DetectionStat;
  readonly enforcing: keyof OutlierNumbers;
}

type DetectionStat =
  | "consecutive_5xx"
  | "consecutive_gateway_failure"
  | "consecutive_local_origin_failure"
  | "success_rate"
  | "local_origin_success_rate"
  | "failure_percentage"
  | "local_origin_failure_percentage";

interface Consecutive extends Detection {
  readonly limit: keyof OutlierNumbers;
  readonly words: string;
}

/** By what is counted in a row. */
export const CONSECUTIVE: Readonly<Record<ConsecutiveType, Consecutive>> = {
  CONSECUTIVE_5XX: {
    stat: "consecutive_5xx",
    enforcing: "enforcing_consecutive_5xx",
    limit: "consecutive_5xx",
    words: "consecutive 5xx",
  },
  CONSECUTIVE_GATEWAY_FAILURE: {
    stat: "consecutive_gateway_failure",
    enforcing: "enforcing_consecutive_gateway_failure",
    limit: "consecutive_gateway_failure",
    words: "consecutive gateway failures",
  },
  CONSECUTIVE_LOCAL_ORIGIN_FAILURE: {
    stat: "consecutive_local_origin_failure",
    enforcing: "enforcing_consecutive_local_origin_failure",
    limit: "consecutive_local_origin_failure",
    words: "consecutive failures to reach it",
  },
};

/** What is looked at when an interval ends: what hosts answered, and whether they could be reached. */
export interface RateKind {
  readonly of: "external" | "localOrigin";
  readonly words: string;
  readonly successRate: Detection & { readonly type: string };
  readonly failurePercentage: Detection & { readonly type: string };
}

/** In the order in which they are looked at. */
export const RATE_KINDS: readonly RateKind[] = [
  {
    of: "external",
    words: "",
    successRate: {
      type: "SUCCESS_RATE",
      stat: "success_rate",
      enforcing: "enforcing_success_rate",
    },
    failurePercentage: {
      type: "FAILURE_PERCENTAGE",
      stat: "failure_percentage",
      enforcing: "enforcing_failure_percentage",
    },
  },
  {
    of: "localOrigin",
    words: "local origin ",
    successRate: {
      type: "SUCCESS_RATE_LOCAL_ORIGIN",
      stat: "local_origin_success_rate",
      enforcing: "enforcing_local_origin_success_rate",
    },
    failurePercentage: {
      type: "FAILURE_PERCENTAGE_LOCAL_ORIGIN",
      stat: "local_origin_failure_percentage",
      enforcing: "enforcing_failure_percentage_local_origin",
    },
  },
];
