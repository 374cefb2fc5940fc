/** A cluster with outlier detection, what is asked of it, and what comes of that. */
export interface OutlierCase {
  readonly name: string;
  /** Joined to `COMMON`. */
  readonly outlier: object;
  /** More of the cluster. */
  readonly cluster?: object;
  /** More of the route's action. */
  readonly route?: object;
  /** Where the hosts are: three that answer, one that nobody listens on, one that stays silent. */
  readonly hosts?: readonly ("a" | "b" | "c" | "dead" | "silent")[];
  /** A copy of each request goes to the cluster instead of the request itself. */
  readonly isMirror?: boolean;
  /** Connections are passed on as they are. */
  readonly isTcp?: boolean;
  /** Paths to ask for, one after the other; what follows blanks are headers. */
  readonly steps: readonly string[];
  /** What the client gets: a status, "closed" for nothing at all, "UH" where no host is in use, "broken" for half an answer. */
  readonly answers: readonly string[];
  /** What is counted under `outlier_detection.` and is not 0. */
  readonly counters: Readonly<Record<string, number>>;
}

/** Nothing comes back by itself, all may be ejected, and who is ejected is not asked. */
export const COMMON = { interval: "3600s", max_ejection_percent: 100 };
/** Who is ejected is so at once, also the second within a second. */
const AT_ONCE = { update_merge_window: "0s" };
export const NO_PANIC = {
  common_lb_config: { ...AT_ONCE, healthy_panic_threshold: { value: 0 } },
};

/** How long the proxy waits for an answer that never comes, and for one that never ends. */
const SOON = "x-envoy-upstream-rq-timeout-ms:100";
const LATER = "x-envoy-upstream-rq-timeout-ms:700";
const GRPC = "content-type:application/grpc";

function ejected(type: string, detected = 1): Record<string, number> {
  const name = type === "consecutive_5xx" ? { ejections_consecutive_5xx: detected } : {};
  const total = type === "consecutive_5xx" ? { ejections_total: detected } : {};
  return {
    ...name,
    ...total,
    ejections_active: 1,
    [`ejections_detected_${type}`]: detected,
    [`ejections_enforced_${type}`]: 1,
    ejections_enforced_total: 1,
  };
}

const BY_5XX = ejected("consecutive_5xx");
const BY_GATEWAY = ejected("consecutive_gateway_failure");
const BY_LOCAL_ORIGIN = ejected("consecutive_local_origin_failure");
/** Gateway failures alone. */
const GATEWAY = {
  consecutive_5xx: 0,
  consecutive_gateway_failure: 2,
  enforcing_consecutive_gateway_failure: 100,
};
const DEGRADED = { detect_degraded_hosts: true, max_ejection_percent: 0 };
const SPLIT = { split_external_local_origin_errors: true, consecutive_local_origin_failure: 2 };

export const OUTLIER_CASES: readonly OutlierCase[] = [
  {
    name: "five failures by default",
    outlier: {},
    steps: ["500", "500", "500", "500", "500", "200"],
    answers: ["500", "500", "500", "500", "500", "UH"],
    counters: BY_5XX,
  },
  {
    name: "a success begins anew",
    outlier: { consecutive_5xx: 3 },
    steps: ["500", "500", "404", "500", "501", "599", "200"],
    answers: ["500", "500", "404", "500", "501", "599", "UH"],
    counters: BY_5XX,
  },
  {
    name: "gateway failures in a row",
    outlier: GATEWAY,
    steps: ["503", "500", "502", "504", "200"],
    answers: ["503", "500", "502", "504", "UH"],
    counters: BY_GATEWAY,
  },
  {
    name: "gateway failures are only seen by default",
    outlier: { consecutive_gateway_failure: 2 },
    steps: ["503", "503", "503", "503", "200"],
    answers: ["503", "503", "503", "503", "200"],
    counters: { ejections_detected_consecutive_gateway_failure: 2 },
  },
  {
    name: "two ways at once",
    outlier: { ...GATEWAY, consecutive_5xx: 2 },
    steps: ["503", "503", "200"],
    answers: ["503", "503", "UH"],
    counters: BY_GATEWAY,
  },
  {
    name: "what is not enforced is seen again and again",
    outlier: { consecutive_5xx: 3, enforcing_consecutive_5xx: 0 },
    steps: ["500", "500", "500", "500", "500", "500", "200"],
    answers: ["500", "500", "500", "500", "500", "500", "200"],
    counters: {
      ejections_consecutive_5xx: 2,
      ejections_detected_consecutive_5xx: 2,
      ejections_total: 2,
    },
  },
  {
    name: "zero is never",
    outlier: { consecutive_5xx: 0, consecutive_gateway_failure: 0 },
    steps: ["503", "503", "503", "503", "503", "503"],
    answers: ["503", "503", "503", "503", "503", "503"],
    counters: {},
  },
  {
    name: "a tenth of one host is none",
    outlier: { consecutive_5xx: 1, max_ejection_percent: 10 },
    steps: ["500", "500", "200"],
    answers: ["500", "500", "200"],
    counters: {
      ejections_consecutive_5xx: 2,
      ejections_detected_consecutive_5xx: 2,
      ejections_overflow: 2,
    },
  },
  {
    name: "one host in any case",
    outlier: { consecutive_5xx: 1, max_ejection_percent: 0, always_eject_one_host: true },
    steps: ["500", "200"],
    answers: ["500", "UH"],
    counters: BY_5XX,
  },
  {
    name: "half of three is one",
    outlier: { consecutive_5xx: 1, max_ejection_percent: 50 },
    hosts: ["a", "b", "c"],
    steps: ["500", "500", "500"],
    answers: ["500", "500", "500"],
    counters: {
      ...BY_5XX,
      ejections_consecutive_5xx: 3,
      ejections_detected_consecutive_5xx: 3,
      ejections_overflow: 2,
    },
  },
  {
    name: "panic when too many are gone",
    outlier: { consecutive_5xx: 1 },
    cluster: { common_lb_config: AT_ONCE },
    hosts: ["a", "b"],
    steps: ["500", "500", "200", "200"],
    answers: ["500", "500", "200", "200"],
    counters: {
      ejections_active: 2,
      ejections_consecutive_5xx: 2,
      ejections_detected_consecutive_5xx: 2,
      ejections_enforced_consecutive_5xx: 2,
      ejections_enforced_total: 2,
      ejections_total: 2,
    },
  },
  {
    name: "connections that break off are gateway failures",
    outlier: GATEWAY,
    steps: ["reset", "reset", "200"],
    answers: ["503", "503", "UH"],
    counters: BY_GATEWAY,
  },
  {
    name: "half an answer is a success and a failure",
    outlier: { consecutive_5xx: 2 },
    steps: ["half", "half", "500", "200"],
    answers: ["broken", "broken", "500", "UH"],
    counters: BY_5XX,
  },
  {
    name: "garbage",
    outlier: GATEWAY,
    steps: ["garbage", "garbage", "200"],
    answers: ["502", "502", "UH"],
    counters: BY_GATEWAY,
  },
  {
    name: "nobody listens",
    outlier: GATEWAY,
    hosts: ["dead"],
    steps: ["200", "200", "200"],
    answers: ["503", "503", "UH"],
    counters: BY_GATEWAY,
  },
  {
    name: "no answer in time",
    outlier: GATEWAY,
    steps: [`hang ${SOON}`, `hang ${SOON}`, "200"],
    answers: ["504", "504", "UH"],
    counters: BY_GATEWAY,
  },
  {
    name: "no answer in time, with another status for it",
    outlier: GATEWAY,
    steps: [
      `hang ${SOON}`,
      `hang ${SOON} x-envoy-upstream-rq-timeout-alt-response:1`,
      `hang ${SOON}`,
      "200",
    ],
    answers: ["504", "204", "504", "200"],
    counters: {},
  },
  {
    name: "no end of the answer in time",
    outlier: { consecutive_5xx: 1, consecutive_gateway_failure: 1 },
    steps: [`endless ${LATER}`, "200"],
    answers: ["broken", "200"],
    counters: {},
  },
  {
    name: "tries that take too long",
    outlier: { ...GATEWAY, consecutive_gateway_failure: 3 },
    route: {
      retry_policy: { retry_on: "reset", num_retries: 2, per_try_timeout: "0.1s" },
    },
    steps: ["hang", "200"],
    answers: ["504", "UH"],
    counters: BY_GATEWAY,
  },
  {
    name: "tries in which nothing comes",
    outlier: { ...GATEWAY, consecutive_gateway_failure: 3 },
    route: {
      retry_policy: { retry_on: "reset", num_retries: 2, per_try_idle_timeout: "0.1s" },
    },
    steps: ["hang", "200"],
    answers: ["504", "UH"],
    counters: BY_GATEWAY,
  },
  {
    name: "tries that fail",
    outlier: { consecutive_5xx: 3 },
    route: { retry_policy: { retry_on: "5xx", num_retries: 2 } },
    steps: ["500", "200"],
    answers: ["500", "UH"],
    counters: BY_5XX,
  },
  {
    name: "no connection in time",
    outlier: GATEWAY,
    cluster: { connect_timeout: "0.1s" },
    hosts: ["silent"],
    steps: ["200", "200", "200"],
    answers: ["503", "503", "UH"],
    counters: BY_GATEWAY,
  },
  {
    name: "a request that ends before it has a connection",
    outlier: { consecutive_5xx: 1, consecutive_gateway_failure: 1 },
    hosts: ["silent"],
    route: { timeout: "0.1s" },
    steps: ["200", "200"],
    answers: ["504", "504"],
    counters: {},
  },
  {
    name: "tries that never have a connection",
    outlier: { consecutive_5xx: 1, consecutive_gateway_failure: 1 },
    hosts: ["silent"],
    route: {
      timeout: "0.5s",
      retry_policy: { retry_on: "reset", num_retries: 9, per_try_timeout: "0.1s" },
    },
    steps: ["200"],
    answers: ["504"],
    counters: {},
  },
  {
    name: "calls by what they say of themselves",
    outlier: { ...GATEWAY, consecutive_5xx: 4 },
    steps: [
      `grpc-14 ${GRPC}`,
      `grpc-1 ${GRPC}`,
      "grpc-14",
      `grpc-14 ${GRPC}`,
      `grpc-2 ${GRPC}`,
      `grpc-17 ${GRPC}`,
      `grpc-4 ${GRPC}`,
      "200",
    ],
    answers: ["200", "200", "200", "200", "200", "200", "200", "UH"],
    counters: BY_5XX,
  },
  {
    name: "who calls itself degraded is, once",
    outlier: DEGRADED,
    steps: ["degraded-404", "degraded-200", "200", "degraded-200"],
    answers: ["404", "200", "200", "200"],
    counters: { ejections_detected_degradation: 1 },
  },
  {
    name: "errors are not degraded, and degraded calls are",
    outlier: DEGRADED,
    steps: ["degraded-503", `degraded-grpc-14 ${GRPC}`, `degraded-grpc-0 ${GRPC}`],
    answers: ["503", "200", "200"],
    counters: { ejections_detected_degradation: 1 },
  },
  {
    name: "one of two is degraded",
    outlier: DEGRADED,
    hosts: ["a", "b"],
    steps: ["degraded-200", "200", "200"],
    answers: ["200", "200", "200"],
    counters: { ejections_detected_degradation: 1 },
  },
  {
    name: "degraded hosts are ejected all the same",
    outlier: { consecutive_5xx: 2, detect_degraded_hosts: true },
    steps: ["degraded-200", "500", "500", "200"],
    answers: ["200", "500", "500", "UH"],
    counters: { ...BY_5XX, ejections_detected_degradation: 1 },
  },
  {
    name: "ejected hosts are degraded all the same",
    outlier: { consecutive_5xx: 2, detect_degraded_hosts: true },
    cluster: { common_lb_config: AT_ONCE },
    steps: ["500", "500", "degraded-200"],
    answers: ["500", "500", "200"],
    counters: { ...BY_5XX, ejections_detected_degradation: 1 },
  },
  {
    name: "nobody asked who is degraded",
    outlier: {},
    steps: ["degraded-200"],
    answers: ["200"],
    counters: {},
  },
  {
    name: "too many requests are nobody's failure",
    outlier: { consecutive_5xx: 1 },
    cluster: { circuit_breakers: { thresholds: [{ max_requests: 0 }] } },
    steps: ["200", "200"],
    answers: ["503", "503"],
    counters: {},
  },
  {
    name: "a mirror",
    outlier: { consecutive_5xx: 2 },
    isMirror: true,
    steps: ["500", "500"],
    answers: ["500", "500"],
    counters: BY_5XX,
  },
  {
    name: "TCP: nobody listens",
    outlier: GATEWAY,
    isTcp: true,
    hosts: ["dead"],
    steps: ["200", "200", "200"],
    answers: ["closed", "closed", "closed"],
    counters: BY_GATEWAY,
  },
  {
    name: "TCP: every try counts",
    outlier: { ...GATEWAY, consecutive_gateway_failure: 3 },
    isTcp: true,
    route: { max_connect_attempts: 3 },
    hosts: ["dead"],
    steps: ["200"],
    answers: ["closed"],
    counters: BY_GATEWAY,
  },
  {
    name: "TCP: no connection in time",
    outlier: { ...SPLIT, consecutive_5xx: 1 },
    isTcp: true,
    cluster: { connect_timeout: "0.1s" },
    hosts: ["silent"],
    steps: ["200", "200"],
    answers: ["closed", "closed"],
    counters: BY_LOCAL_ORIGIN,
  },
  {
    name: "TCP: what is said on a connection does not matter",
    outlier: { consecutive_5xx: 1 },
    isTcp: true,
    steps: ["500", "reset", "500"],
    answers: ["500", "closed", "500"],
    counters: {},
  },
  {
    name: "split: nobody listens",
    outlier: SPLIT,
    hosts: ["dead"],
    steps: ["200", "200", "200"],
    answers: ["503", "503", "UH"],
    counters: BY_LOCAL_ORIGIN,
  },
  {
    name: "split: who connects is reached, and begins anew",
    outlier: { ...SPLIT, consecutive_5xx: 1 },
    steps: ["reset", `hang ${SOON}`, "reset", "200"],
    answers: ["503", "504", "503", "200"],
    counters: {},
  },
  {
    name: "split: one failure",
    outlier: { ...SPLIT, consecutive_local_origin_failure: 1, consecutive_5xx: 1 },
    steps: [`hang ${SOON}`, "200"],
    answers: ["504", "UH"],
    counters: BY_LOCAL_ORIGIN,
  },
  {
    name: "split: answers are the host's own",
    outlier: { ...SPLIT, consecutive_5xx: 3, consecutive_gateway_failure: 2 },
    steps: ["503", "500", "503", "200"],
    answers: ["503", "500", "503", "UH"],
    counters: BY_5XX,
  },
  {
    name: "split: failures to reach it are only seen",
    outlier: { ...SPLIT, enforcing_consecutive_local_origin_failure: 0 },
    hosts: ["dead"],
    steps: ["200", "200", "200", "200"],
    answers: ["503", "503", "503", "503"],
    counters: { ejections_detected_consecutive_local_origin_failure: 2 },
  },
];
