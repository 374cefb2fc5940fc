import type { JsonObject } from "@bufbuild/protobuf";
import type { Behaviour } from "../../sim/behaviour.ts";
import { become, type Scenario, send, wait } from "../scenario.ts";

const NO_HOST = "503 UH no_healthy_upstream";
const BAD: Behaviour = { status: 500 };
const RESETS: Behaviour = { answer: "none", end: "reset" };
const REFUSES: Behaviour = { door: "refuses" };
const RESET = "503 UC upstream_reset_before_response_started{connection_termination}";
const REFUSED =
  "503 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}";

function answered(status: number, count: number, upstream = 0): string[] {
  return Array.from({ length: count }, () => `${status} - via_upstream @${upstream}`);
}

/** Outlier detection that looks at what a case says, without panic. */
function detecting(outlier: JsonObject, panicPercent = 0): JsonObject {
  return {
    common_lb_config: {
      healthy_panic_threshold: { value: panicPercent },
      // Envoy else tells its workers of changes once a second only.
      update_merge_window: "0s",
    },
    outlier_detection: {
      interval: "10s",
      base_ejection_time: "30s",
      max_ejection_percent: 100,
      ...outlier,
    },
  };
}

const COUNTERS = [
  "outlier_detection.ejections_active",
  "outlier_detection.ejections_enforced_total",
  "outlier_detection.ejections_overflow",
  "outlier_detection.ejections_detected_consecutive_5xx",
  "outlier_detection.ejections_enforced_consecutive_5xx",
  "outlier_detection.ejections_detected_consecutive_gateway_failure",
  "outlier_detection.ejections_enforced_consecutive_gateway_failure",
  "outlier_detection.ejections_detected_consecutive_local_origin_failure",
  "outlier_detection.ejections_detected_success_rate",
  "outlier_detection.ejections_detected_failure_percentage",
  "membership_healthy",
  "lb_healthy_panic",
];

/** Who is taken out of use for failing, and for how long. */
export const EJECTION: readonly Scenario[] = [
  {
    name: "three 500s in a row",
    cluster: detecting({ consecutive_5xx: 3 }),
    upstreams: [{ behaviour: BAD }],
    steps: [send(5)],
    counters: COUNTERS,
    expect: [...answered(500, 3), NO_HOST, NO_HOST],
  },
  {
    name: "a good answer begins the count anew",
    cluster: detecting({ consecutive_5xx: 3 }),
    upstreams: [{ behaviour: BAD }],
    steps: [send(2), become(0, {}), send(), become(0, BAD), send(4)],
    counters: COUNTERS,
    expect: [...answered(500, 2), ...answered(200, 1), ...answered(500, 3), NO_HOST],
  },
  {
    name: "gateway failures in a row",
    cluster: detecting({
      consecutive_gateway_failure: 2,
      enforcing_consecutive_gateway_failure: 100,
    }),
    upstreams: [{ behaviour: { status: 503 } }],
    steps: [send(3)],
    counters: COUNTERS,
    expect: [...answered(503, 2), NO_HOST],
  },
  {
    name: "a 500 is no gateway failure",
    cluster: detecting({
      consecutive_5xx: 100,
      consecutive_gateway_failure: 2,
      enforcing_consecutive_gateway_failure: 100,
    }),
    upstreams: [{ behaviour: BAD }],
    steps: [send(4)],
    counters: COUNTERS,
    expect: answered(500, 4),
  },
  {
    name: "gateway failures are detected and not enforced unless asked for",
    cluster: detecting({ consecutive_5xx: 100, consecutive_gateway_failure: 2 }),
    upstreams: [{ behaviour: { status: 502 } }],
    steps: [send(4)],
    counters: COUNTERS,
    expect: answered(502, 4),
  },
  {
    name: "detected, and enforced for none",
    cluster: detecting({ consecutive_5xx: 2, enforcing_consecutive_5xx: 0 }),
    upstreams: [{ behaviour: BAD }],
    steps: [send(5)],
    counters: COUNTERS,
    expect: answered(500, 5),
  },
  {
    name: "back at the end of an interval",
    cluster: detecting({ consecutive_5xx: 2, interval: "0.3s", base_ejection_time: "0.1s" }),
    upstreams: [{ behaviour: BAD }],
    steps: [send(3), become(0, {}), wait(700), send()],
    counters: COUNTERS,
    expect: [...answered(500, 2), NO_HOST, ...answered(200, 1)],
  },
  {
    name: "not back before its time, however many intervals end",
    cluster: detecting({ consecutive_5xx: 1, interval: "0.1s", base_ejection_time: "30s" }),
    upstreams: [{ behaviour: BAD }],
    steps: [send(), become(0, {}), wait(600), send()],
    counters: COUNTERS,
    expect: [...answered(500, 1), NO_HOST],
  },
  {
    name: "longer out the second time",
    cluster: detecting({ consecutive_5xx: 1, interval: "0.5s", base_ejection_time: "0.6s" }),
    upstreams: [{ behaviour: BAD }],
    steps: [send(), wait(1200), send(), become(0, {}), wait(1000), send(), wait(900), send()],
    counters: COUNTERS,
    expect: [...answered(500, 2), NO_HOST, ...answered(200, 1)],
  },
  {
    name: "as long as may be at most",
    cluster: detecting({
      consecutive_5xx: 1,
      interval: "0.1s",
      base_ejection_time: "0.4s",
      max_ejection_time: "0.4s",
    }),
    upstreams: [{ behaviour: BAD }],
    steps: [send(), wait(800), send(), wait(800), send(), become(0, {}), wait(800), send()],
    counters: COUNTERS,
    expect: [...answered(500, 3), ...answered(200, 1)],
  },
  {
    name: "so many at most: with one host of ten percent nobody",
    cluster: detecting({ consecutive_5xx: 2, max_ejection_percent: 10 }),
    upstreams: [{ behaviour: BAD }],
    steps: [send(4)],
    counters: COUNTERS,
    expect: answered(500, 4),
  },
  {
    name: "so many at most, and one in any case",
    cluster: detecting({
      consecutive_5xx: 2,
      max_ejection_percent: 10,
      always_eject_one_host: true,
    }),
    upstreams: [{ behaviour: BAD }],
    steps: [send(4)],
    counters: COUNTERS,
    expect: [...answered(500, 2), NO_HOST, NO_HOST],
  },
  {
    name: "half of them at most",
    cluster: detecting({ consecutive_5xx: 1, max_ejection_percent: 50 }),
    upstreams: [{ behaviour: BAD }, { priority: 1, behaviour: BAD }],
    steps: [send(4)],
    counters: COUNTERS,
    expect: [...answered(500, 1), ...answered(500, 3, 1)],
  },
  {
    name: "resets count as gateway failures",
    cluster: detecting({
      consecutive_gateway_failure: 2,
      enforcing_consecutive_gateway_failure: 100,
    }),
    upstreams: [{ behaviour: RESETS }],
    steps: [send(3)],
    counters: COUNTERS,
    expect: [RESET, RESET, NO_HOST],
  },
  {
    name: "refused connections count as failures",
    cluster: detecting({ consecutive_5xx: 2 }),
    upstreams: [{ behaviour: REFUSES }],
    steps: [send(3)],
    counters: COUNTERS,
    expect: [REFUSED, REFUSED, NO_HOST],
  },
  {
    name: "refused connections are of local origin where that is told apart",
    cluster: detecting({
      consecutive_5xx: 1,
      split_external_local_origin_errors: true,
      consecutive_local_origin_failure: 3,
    }),
    upstreams: [{ behaviour: REFUSES }],
    steps: [send(4)],
    counters: COUNTERS,
    expect: [REFUSED, REFUSED, REFUSED, NO_HOST],
  },
  {
    name: "a 500 is not of local origin",
    cluster: detecting({
      consecutive_5xx: 100,
      split_external_local_origin_errors: true,
      consecutive_local_origin_failure: 1,
    }),
    upstreams: [{ behaviour: BAD }],
    steps: [send(3)],
    counters: COUNTERS,
    expect: answered(500, 3),
  },
  {
    name: "time-outs count",
    cluster: detecting({ consecutive_5xx: 2 }),
    route: { timeout: "0.2s" },
    upstreams: [{ behaviour: { answer: "none" } }],
    steps: [send(3)],
    counters: COUNTERS,
    expect: ["504 UT response_timeout", "504 UT response_timeout", NO_HOST],
  },
  {
    name: "attempts count, and the next one goes elsewhere",
    cluster: detecting({ consecutive_5xx: 1 }),
    route: { retry_policy: { retry_on: "5xx", num_retries: 1 } },
    upstreams: [{ behaviour: BAD }, { priority: 1 }],
    steps: [send(2)],
    counters: COUNTERS,
    expect: answered(200, 2, 1),
  },
  {
    name: "the next priority, when all of the first are out",
    cluster: detecting({ consecutive_5xx: 2 }),
    upstreams: [{ behaviour: BAD }, { priority: 1 }],
    steps: [send(4)],
    counters: COUNTERS,
    expect: [...answered(500, 2), ...answered(200, 2, 1)],
  },
  {
    name: "panic, when too many are out",
    cluster: detecting({ consecutive_5xx: 1 }, 50),
    upstreams: [{ behaviour: BAD }],
    steps: [send(3)],
    counters: COUNTERS,
    expect: answered(500, 3),
  },
  {
    name: "a share of failures in an interval",
    cluster: detecting({
      consecutive_5xx: 100,
      interval: "0.4s",
      enforcing_success_rate: 0,
      failure_percentage_threshold: 50,
      failure_percentage_minimum_hosts: 1,
      failure_percentage_request_volume: 4,
      enforcing_failure_percentage: 100,
    }),
    upstreams: [{ behaviour: BAD }],
    steps: [send(5), wait(700), send()],
    counters: COUNTERS,
    expect: [...answered(500, 5), NO_HOST],
  },
  {
    name: "too few requests to judge by",
    cluster: detecting({
      consecutive_5xx: 100,
      interval: "0.4s",
      enforcing_success_rate: 0,
      failure_percentage_threshold: 50,
      failure_percentage_minimum_hosts: 1,
      failure_percentage_request_volume: 100,
      enforcing_failure_percentage: 100,
    }),
    upstreams: [{ behaviour: BAD }],
    steps: [send(5), wait(700), send()],
    counters: COUNTERS,
    expect: answered(500, 6),
  },
];
