import type { JsonObject } from "@bufbuild/protobuf";
import { become, type Scenario, send } from "../scenario.ts";

const OK = "200 - via_upstream @0";
const PREVIOUS_HOSTS = {
  name: "envoy.retry_host_predicates.previous_hosts",
  typed_config: {
    "@type":
      "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
  },
};

function retries(on: string, more: JsonObject = {}): JsonObject {
  const back = { base_interval: "0.005s", max_interval: "0.01s" };
  return { retry_policy: { retry_on: on, num_retries: 2, retry_back_off: back, ...more } };
}

const COUNTERS = [
  "upstream_rq_retry",
  "upstream_rq_retry_success",
  "upstream_rq_retry_limit_exceeded",
  "upstream_rq_total",
];
const REFUSED =
  "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}";

/** What is tried again, and where. */
export const RETRIES: readonly Scenario[] = [
  {
    name: "a status that is tried again in vain",
    route: retries("5xx"),
    upstreams: [{ behaviour: { status: 500 } }],
    steps: [send()],
    counters: COUNTERS,
    expect: ["500 URX via_upstream @0"],
  },
  {
    name: "a status that is not among those to try again",
    route: retries("gateway-error"),
    upstreams: [{ behaviour: { status: 500 } }],
    steps: [send()],
    counters: COUNTERS,
    expect: ["500 - via_upstream @0"],
  },
  {
    name: "another host for each attempt",
    route: retries("5xx", {
      retry_host_predicate: [PREVIOUS_HOSTS],
      host_selection_retry_max_attempts: "20",
    }),
    upstreams: [{ behaviour: { status: 500 } }, {}],
    steps: [send(6)],
    counters: ["upstream_rq_retry_limit_exceeded"],
    expect: Array.from({ length: 6 }, () => "200 - via_upstream @1"),
  },
  {
    name: "an upstream that resets, tried again in vain",
    route: retries("reset"),
    upstreams: [{ behaviour: { answer: "none", end: "reset" } }],
    steps: [send()],
    counters: COUNTERS,
    expect: ["503 URX,UC upstream_reset_before_response_started{connection_termination}"],
  },
  {
    name: "an upstream that resets, not tried again",
    upstreams: [{ behaviour: { answer: "none", end: "reset" } }],
    steps: [send()],
    counters: COUNTERS,
    expect: ["503 UC upstream_reset_before_response_started{connection_termination}"],
  },
  {
    name: "an upstream that ends its connection without an answer",
    upstreams: [{ behaviour: { answer: "none", end: "fin" } }],
    steps: [send()],
    counters: COUNTERS,
    expect: ["503 UC upstream_reset_before_response_started{connection_termination}"],
  },
  {
    name: "an upstream that breaks off in its answer",
    route: retries("reset,5xx"),
    upstreams: [{ behaviour: { answer: "half", end: "fin" } }],
    steps: [send()],
    counters: [...COUNTERS, "upstream_cx_protocol_error"],
    expect: ["200 UPE upstream_reset_after_response_started{protocol_error} @0"],
  },
  {
    name: "nobody at the door",
    upstreams: [{ behaviour: { door: "refuses" } }],
    steps: [send()],
    counters: [...COUNTERS, "upstream_cx_connect_fail"],
    expect: [`503 UF ${REFUSED}`],
  },
  {
    name: "nobody at the door, tried again in vain",
    route: retries("connect-failure"),
    upstreams: [{ behaviour: { door: "refuses" } }],
    steps: [send()],
    counters: [...COUNTERS, "upstream_cx_connect_fail"],
    expect: [`503 URX,UF ${REFUSED}`],
  },
  {
    name: "nobody at the first door",
    route: retries("connect-failure", {
      retry_host_predicate: [PREVIOUS_HOSTS],
      host_selection_retry_max_attempts: "20",
    }),
    upstreams: [{ behaviour: { door: "refuses" } }, {}],
    steps: [send(4)],
    counters: ["upstream_rq_retry_limit_exceeded"],
    expect: Array.from({ length: 4 }, () => "200 - via_upstream @1"),
  },
  {
    name: "a status of a list",
    route: retries("retriable-status-codes", { retriable_status_codes: [418] }),
    upstreams: [{ behaviour: { status: 418 } }],
    steps: [send(), become(0, { status: 500 }), send(), become(0, {}), send()],
    counters: COUNTERS,
    expect: ["418 URX via_upstream @0", "500 - via_upstream @0", OK],
  },
  {
    name: "who is over its rate limit is left alone",
    route: retries("5xx"),
    upstreams: [{ behaviour: { status: 503, headers: { "x-envoy-ratelimited": "true" } } }],
    steps: [send()],
    counters: COUNTERS,
    expect: ["503 - via_upstream @0"],
  },
  {
    name: "a wait that the upstream asks for",
    route: retries("5xx", {
      rate_limited_retry_back_off: {
        reset_headers: [{ name: "retry-after", format: "SECONDS" }],
        max_interval: "0.5s",
      },
      num_retries: 1,
    }),
    upstreams: [{ behaviour: { status: 503, headers: { "retry-after": "60" } } }],
    steps: [send()],
    counters: [
      ...COUNTERS,
      "upstream_rq_retry_backoff_ratelimited",
      "upstream_rq_retry_backoff_exponential",
    ],
    expect: ["503 URX via_upstream @0"],
  },
];
