import { become, type Scenario, send, wait } from "../scenario.ts";

const OK = "200 - via_upstream @0";
const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

function httpOptions(common: Readonly<Record<string, string | number>>): Scenario["cluster"] {
  return {
    typed_extension_protocol_options: {
      [HTTP_OPTIONS]: {
        "@type": `type.googleapis.com/${HTTP_OPTIONS}`,
        common_http_protocol_options: common,
        explicit_http_config: { http_protocol_options: {} },
      },
    },
  };
}

/** Time-outs of requests, attempts and connections. */
export const TIMEOUTS: readonly Scenario[] = [
  {
    name: "the route's time-out, then an answer in time",
    route: { timeout: "0.3s" },
    upstreams: [{ behaviour: { answer: "none" } }],
    steps: [send(), become(0, {}), send()],
    counters: ["upstream_rq_timeout", "upstream_rq_total", "upstream_cx_total"],
    expect: ["504 UT response_timeout", OK],
  },
  {
    name: "a time-out in the middle of an answer",
    route: { timeout: "0.3s" },
    upstreams: [{ behaviour: { answer: "half" } }],
    steps: [send()],
    counters: ["upstream_rq_timeout", "upstream_rq_total"],
    expect: ["200 UT response_timeout @0"],
  },
  {
    name: "no time-out where it is 0",
    route: { timeout: "0s" },
    upstreams: [{ behaviour: { delayMs: 800 } }],
    steps: [send()],
    counters: ["upstream_rq_timeout"],
    expect: [OK],
  },
  {
    name: "an answer just before the time-out",
    route: { timeout: "0.8s" },
    upstreams: [{ behaviour: { delayMs: 300 } }],
    steps: [send()],
    counters: ["upstream_rq_timeout"],
    expect: [OK],
  },
  {
    name: "the time-out of each attempt, with no retries for it",
    route: { timeout: "2s", retry_policy: { retry_on: "retriable-4xx", per_try_timeout: "0.2s" } },
    upstreams: [{ behaviour: { answer: "none" } }],
    steps: [send()],
    counters: ["upstream_rq_per_try_timeout", "upstream_rq_retry", "upstream_rq_timeout"],
    expect: ["504 UT upstream_per_try_timeout"],
  },
  {
    name: "the time-out of each attempt, tried again until there are no more",
    route: {
      timeout: "5s",
      retry_policy: { retry_on: "reset", num_retries: 2, per_try_timeout: "0.15s" },
    },
    upstreams: [{ behaviour: { answer: "none" } }],
    steps: [send()],
    counters: [
      "upstream_rq_per_try_timeout",
      "upstream_rq_retry",
      "upstream_rq_retry_limit_exceeded",
    ],
    expect: ["504 URX,UT upstream_per_try_timeout"],
  },
  {
    name: "the route's time-out over all attempts",
    route: {
      timeout: "0.5s",
      retry_policy: { retry_on: "reset", num_retries: 9, per_try_timeout: "0.2s" },
    },
    upstreams: [{ behaviour: { answer: "none" } }],
    steps: [send()],
    counters: ["upstream_rq_timeout"],
    expect: ["504 UT response_timeout"],
  },
  {
    name: "silence of an attempt in the middle of its answer",
    route: {
      timeout: "5s",
      retry_policy: { retry_on: "reset", num_retries: 1, per_try_idle_timeout: "0.2s" },
    },
    upstreams: [{ behaviour: { answer: "half" } }],
    steps: [send()],
    counters: ["upstream_rq_per_try_idle_timeout", "upstream_rq_retry"],
    expect: ["200 UT upstream_per_try_idle_timeout @0"],
  },
  {
    name: "silence of an attempt before its answer, tried again",
    route: {
      timeout: "5s",
      retry_policy: { retry_on: "reset", num_retries: 1, per_try_idle_timeout: "0.2s" },
    },
    upstreams: [{ behaviour: { answer: "none" } }],
    steps: [send()],
    counters: ["upstream_rq_per_try_idle_timeout", "upstream_rq_retry"],
    expect: ["504 URX,UT upstream_per_try_idle_timeout"],
  },
  {
    name: "the longest life of a request that a cluster allows",
    cluster: { ...httpOptions({ max_stream_duration: "0.3s" }) },
    upstreams: [{ behaviour: { answer: "none" } }],
    steps: [send()],
    counters: ["upstream_rq_max_duration_reached"],
    expect: ["504 UMSDR upstream_max_stream_duration_reached"],
  },
  {
    name: "the longest life of a request that a route allows",
    route: { max_stream_duration: { max_stream_duration: "0.3s" } },
    upstreams: [{ behaviour: { answer: "none" } }],
    steps: [send()],
    counters: ["upstream_rq_cancelled"],
    expect: ["504 - max_duration_timeout"],
  },
  {
    name: "a stream on which nothing moves",
    route: { idle_timeout: "0.3s" },
    upstreams: [{ behaviour: { answer: "none" } }],
    steps: [send()],
    counters: [],
    expect: ["504 SI stream_idle_timeout"],
  },
  {
    name: "an idle connection that closes",
    cluster: { ...httpOptions({ idle_timeout: "0.3s" }) },
    upstreams: [{}],
    steps: [send(), send(), wait(700), send()],
    counters: ["upstream_cx_idle_timeout", "upstream_cx_total", "upstream_cx_destroy_local"],
    expect: [OK, OK, OK],
  },
  {
    name: "a connection that is old enough to close",
    cluster: { ...httpOptions({ max_connection_duration: "0.4s" }) },
    upstreams: [{}],
    steps: [send(), send(), wait(800), send()],
    counters: ["upstream_cx_max_duration_reached", "upstream_cx_total"],
    expect: [OK, OK, OK],
  },
  {
    name: "a connection that has served enough",
    cluster: { ...httpOptions({ max_requests_per_connection: 2 }) },
    upstreams: [{}],
    steps: [send(5)],
    counters: ["upstream_cx_max_requests", "upstream_cx_total"],
    expect: [OK, OK, OK, OK, OK],
  },
];
