import type { JsonObject } from "@bufbuild/protobuf";
import type { Behaviour } from "../../sim/behaviour.ts";
import { become, type Scenario, send, wait } from "../scenario.ts";

const OK = "200 - via_upstream @0";
const NO_HOST = "503 UH no_healthy_upstream";
const SICK: Behaviour = { status: 503 };

/** Active checks as a case says, without panic. */
function checking(check: JsonObject, common: JsonObject = {}): JsonObject {
  return {
    common_lb_config: {
      healthy_panic_threshold: { value: 0 },
      // Envoy else tells its workers of changes once a second only.
      update_merge_window: "0s",
      ...common,
    },
    health_checks: [
      {
        timeout: "0.5s",
        interval: "0.2s",
        no_traffic_interval: "0.2s",
        unhealthy_threshold: 1,
        healthy_threshold: 1,
        ...("tcp_health_check" in check ? {} : { http_health_check: { path: "/health" } }),
        ...check,
      },
    ],
  };
}

const COUNTERS = [
  "membership_healthy",
  "membership_degraded",
  "membership_total",
  "membership_excluded",
  "health_check.healthy",
  "health_check.degraded",
];

/** Who is used by what active health checks find. */
export const CHECKS: readonly Scenario[] = [
  {
    name: "a host that passes its checks",
    cluster: checking({}),
    upstreams: [{}],
    steps: [send(2)],
    counters: COUNTERS,
    expect: [OK, OK],
  },
  {
    name: "a host that fails its first check",
    cluster: checking({}),
    upstreams: [{ behaviour: SICK }],
    steps: [send(2)],
    counters: COUNTERS,
    expect: [NO_HOST, NO_HOST],
  },
  {
    name: "a host that gets well",
    cluster: checking({}),
    upstreams: [{ behaviour: SICK }],
    steps: [send(), become(0, {}), wait(900), send()],
    counters: COUNTERS,
    expect: [NO_HOST, OK],
  },
  {
    name: "a host that falls ill",
    cluster: checking({}),
    upstreams: [{}],
    steps: [send(), become(0, SICK), wait(900), send()],
    counters: COUNTERS,
    expect: [OK, NO_HOST],
  },
  {
    name: "a host that needs more than one good check",
    cluster: checking({ healthy_threshold: 50 }),
    upstreams: [{}],
    steps: [send(), become(0, SICK), wait(900), become(0, {}), wait(900), send()],
    counters: COUNTERS,
    expect: [OK, NO_HOST],
  },
  {
    name: "a bad status counts at once, whatever the threshold",
    cluster: checking({ unhealthy_threshold: 50 }),
    upstreams: [{}],
    steps: [send(), become(0, SICK), wait(900), send()],
    counters: COUNTERS,
    expect: [OK, NO_HOST],
  },
  {
    name: "a status that may be tried again counts like a time-out",
    cluster: checking({
      unhealthy_threshold: 50,
      http_health_check: { path: "/", retriable_statuses: [{ start: "503", end: "504" }] },
    }),
    upstreams: [{}],
    steps: [send(), become(0, { ...SICK, headers: { "x-sick": "yes" } }), wait(900), send()],
    counters: COUNTERS,
    expect: [OK, "503 - via_upstream @0"],
  },
  {
    name: "statuses that are expected",
    cluster: checking({
      http_health_check: { path: "/", expected_statuses: [{ start: "500", end: "600" }] },
    }),
    upstreams: [{ behaviour: SICK }],
    steps: [send()],
    counters: COUNTERS,
    expect: ["503 - via_upstream @0"],
  },
  {
    name: "a check that is never answered",
    cluster: checking({ timeout: "0.2s" }),
    upstreams: [{}],
    steps: [send(), become(0, { answer: "none" }), wait(1200), send()],
    counters: COUNTERS,
    expect: [OK, NO_HOST],
  },
  {
    name: "half an answer to a check",
    cluster: checking({ timeout: "0.2s" }),
    upstreams: [{}],
    steps: [send(), become(0, { answer: "half" }), wait(1200), send()],
    counters: COUNTERS,
    expect: [OK, NO_HOST],
  },
  {
    name: "nobody at the door",
    cluster: checking({ tcp_health_check: {} }),
    upstreams: [{ behaviour: { door: "refuses" } }, { priority: 1 }],
    steps: [send(2)],
    counters: COUNTERS,
    expect: ["200 - via_upstream @1", "200 - via_upstream @1"],
  },
  {
    name: "somebody at the door is enough for TCP",
    cluster: checking({ tcp_health_check: {} }),
    upstreams: [{ behaviour: SICK }],
    steps: [send()],
    counters: COUNTERS,
    expect: ["503 - via_upstream @0"],
  },
  {
    name: "a host that calls itself degraded",
    cluster: checking({}),
    upstreams: [{ behaviour: { headers: { "x-envoy-degraded": "true" } } }, { priority: 1 }],
    steps: [send(2)],
    counters: COUNTERS,
    expect: ["200 - via_upstream @1", "200 - via_upstream @1"],
  },
  {
    name: "a host that asks to be taken out at once",
    cluster: checking({ interval: "30s", no_traffic_interval: "30s" }),
    upstreams: [{}],
    steps: [
      send(),
      become(0, { headers: { "x-envoy-immediate-health-check-fail": "true" } }),
      send(),
      wait(200),
      send(),
    ],
    counters: COUNTERS,
    expect: [OK, OK, NO_HOST],
  },
];
