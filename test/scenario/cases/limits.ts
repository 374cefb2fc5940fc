import type { JsonObject } from "@bufbuild/protobuf";
import { become, type Scenario, send, sendTogether, wait } from "../scenario.ts";

const OK = "200 - via_upstream @0";
const OVERFLOW = "503 UO upstream_reset_before_response_started{overflow}";

function breakers(limits: JsonObject, more: JsonObject = {}): JsonObject {
  return { circuit_breakers: { thresholds: [{ ...limits, ...more }] } };
}

function times(count: number, line: string): string[] {
  return Array.from({ length: count }, () => line);
}

const OVERFLOWS = [
  "upstream_rq_pending_overflow",
  "upstream_cx_overflow",
  "upstream_rq_pending_total",
  "upstream_cx_total",
  "circuit_breakers.default.rq_open",
  "circuit_breakers.default.cx_open",
];

/** What circuit breakers let through. */
export const LIMITS: readonly Scenario[] = [
  {
    name: "one connection, and nobody may wait for it",
    cluster: breakers({ max_connections: 1, max_pending_requests: 1 }),
    upstreams: [{ behaviour: { delayMs: 300 } }],
    steps: [send(), sendTogether(4)],
    isDrawn: true,
    counters: OVERFLOWS,
    expect: [...times(3, OK), ...times(2, OVERFLOW)],
  },
  {
    name: "one connection, and three may wait for it",
    cluster: breakers({ max_connections: 1, max_pending_requests: 3 }),
    upstreams: [{ behaviour: { delayMs: 50 } }],
    steps: [send(), sendTogether(5)],
    isDrawn: true,
    counters: ["upstream_rq_pending_overflow", "upstream_rq_pending_total", "upstream_cx_total"],
    expect: [...times(5, OK), OVERFLOW].toSorted(),
  },
  {
    name: "two requests at a time",
    cluster: breakers({ max_requests: 2 }),
    upstreams: [{ behaviour: { delayMs: 200 } }],
    steps: [send(2), sendTogether(5)],
    isDrawn: true,
    counters: ["upstream_rq_total"],
    expect: [...times(4, OK), ...times(3, OVERFLOW)].toSorted(),
  },
  {
    name: "nobody may wait at all",
    cluster: breakers({ max_pending_requests: 0 }),
    upstreams: [{}],
    steps: [send(2)],
    counters: OVERFLOWS,
    expect: [OVERFLOW, OVERFLOW],
  },
  {
    name: "no connection allowed, and a host has one all the same",
    cluster: breakers({ max_connections: 0 }),
    upstreams: [{}],
    steps: [send(2)],
    counters: ["upstream_cx_overflow", "upstream_cx_total"],
    expect: [OK, OK],
  },
  {
    name: "requests of high priority have limits of their own",
    cluster: {
      circuit_breakers: {
        thresholds: [
          { priority: "DEFAULT", max_requests: 1024 },
          { priority: "HIGH", max_pending_requests: 0 },
        ],
      },
    },
    route: { priority: "HIGH" },
    upstreams: [{}],
    steps: [send(2)],
    counters: ["upstream_rq_pending_overflow", "upstream_rq_pending_total"],
    expect: [OVERFLOW, OVERFLOW],
  },
  {
    name: "no retries allowed",
    cluster: breakers({ max_retries: 0 }),
    route: { retry_policy: { retry_on: "5xx", num_retries: 3 } },
    upstreams: [{ behaviour: { status: 503 } }],
    steps: [send(2)],
    counters: ["upstream_rq_retry", "upstream_rq_retry_overflow", "upstream_rq_total"],
    expect: times(2, "503 UO via_upstream @0"),
  },
  {
    name: "a budget of no share has its least number of retries",
    cluster: breakers(
      {},
      { retry_budget: { budget_percent: { value: 0 }, min_retry_concurrency: 1 } },
    ),
    route: {
      retry_policy: {
        retry_on: "5xx",
        num_retries: 1,
        retry_back_off: { base_interval: "0.001s", max_interval: "0.001s" },
      },
    },
    upstreams: [{ behaviour: { status: 503, delayMs: 200 } }],
    steps: [sendTogether(4)],
    isDrawn: true,
    counters: ["upstream_rq_retry", "upstream_rq_retry_overflow"],
    expect: ["503 URX via_upstream @0", ...times(3, "503 UO via_upstream @0")].toSorted(),
  },
  {
    name: "a budget of all that is in flight",
    cluster: breakers(
      {},
      { retry_budget: { budget_percent: { value: 100 }, min_retry_concurrency: 0 } },
    ),
    route: { retry_policy: { retry_on: "5xx", num_retries: 1 } },
    upstreams: [{ behaviour: { status: 503, delayMs: 100 } }],
    steps: [send(2)],
    counters: ["upstream_rq_retry", "upstream_rq_retry_overflow"],
    expect: times(2, "503 URX via_upstream @0"),
  },
  {
    name: "a budget wins over a number",
    cluster: breakers(
      { max_retries: 0 },
      { retry_budget: { budget_percent: { value: 100 }, min_retry_concurrency: 5 } },
    ),
    route: { retry_policy: { retry_on: "5xx", num_retries: 1 } },
    upstreams: [{ behaviour: { status: 503 } }],
    steps: [send(2)],
    counters: ["upstream_rq_retry", "upstream_rq_retry_overflow"],
    expect: times(2, "503 URX via_upstream @0"),
  },
  {
    name: "one connection for each host",
    cluster: {
      circuit_breakers: { per_host_thresholds: [{ max_connections: 1 }] },
    },
    upstreams: [{ behaviour: { delayMs: 100 } }],
    steps: [sendTogether(3)],
    isDrawn: true,
    counters: ["upstream_cx_total"],
    expect: times(3, OK),
  },
  {
    name: "what is left is told where that is asked for",
    cluster: breakers({ max_requests: 7, max_retries: 2, track_remaining: true }),
    upstreams: [{}],
    steps: [send()],
    counters: [
      "circuit_breakers.default.remaining_rq",
      "circuit_breakers.default.remaining_retries",
      "circuit_breakers.default.remaining_pending",
      "circuit_breakers.default.remaining_cx",
    ],
    expect: [OK],
  },
  {
    name: "room again when the slow ones are done",
    cluster: breakers({ max_requests: 1 }),
    upstreams: [{ behaviour: { delayMs: 100 } }],
    steps: [sendTogether(2), wait(100), become(0, {}), send()],
    isDrawn: true,
    counters: ["circuit_breakers.default.rq_open"],
    expect: [OK, OK, OVERFLOW].toSorted(),
  },
];
