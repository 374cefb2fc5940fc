import { get, post } from "../cases/request-text.ts";
import type { OptionCase } from "../side-by-side.ts";
import { casesOf, filters, own } from "./filter-case.ts";

const TYPE = "health_check.v3.HealthCheck";
const CHECK = [{ name: ":path", string_match: { exact: "/health" } }];
const OK = [200];
const STATS = "downstream_rq_";

/** The cluster of a case is up0, whichever it is called where it runs. */
function answered(percents: Readonly<Record<string, number>> = {}): object {
  const entries = Object.entries(percents).map(([name, value]) => [name, { value }] as const);
  return filters(
    own(TYPE, {
      pass_through_mode: false,
      headers: CHECK,
      ...(entries.length > 0 && { cluster_min_healthy_percentages: Object.fromEntries(entries) }),
    }),
  );
}

function passed(path: string, more: object = {}): object {
  const headers = [{ name: ":path", string_match: { exact: path } }];
  return filters(own(TYPE, { pass_through_mode: true, headers, ...more }));
}

const DEAD = {
  load_assignment: {
    cluster_name: "up",
    endpoints: [
      {
        lb_endpoints: ["UNHEALTHY", "HEALTHY"].map((health, at) => ({
          health_status: health,
          endpoint: {
            address: { socket_address: { address: "127.0.0.77", port_value: at + 1 } },
          },
        })),
      },
    ],
  },
};
const EMPTY = { load_assignment: { cluster_name: "up" } };

export const HEALTH_CHECK_CASES: readonly OptionCase[] = [
  ...casesOf({ options: answered(), stats: STATS }, [
    { name: "health check: answered here", send: get("/health"), status: OK },
    { name: "health check: another request", send: get("/healthy"), status: OK },
    {
      name: "health check: with a body",
      send: post("/health", "Content-Length: 2\r\n", "ab"),
      status: OK,
    },
    {
      name: "health check: HEAD",
      send: "HEAD /health HTTP/1.1\r\nHost: a.test\r\n\r\n",
      methods: ["HEAD"],
      status: OK,
    },
  ]),
  {
    name: "health check: a cluster that is not there",
    options: answered({ nowhere: 10 }),
    send: get("/health"),
    status: [503],
  },
  ...[0, 50, 50.9, 51, 100].map((percent) => ({
    name: `health check: half of a cluster, ${percent} % wanted`,
    options: answered({ up: percent }),
    cluster: DEAD,
    send: get("/health"),
    status: [percent >= 51 ? 503 : 200],
  })),
  ...[0, 1].map((percent) => ({
    name: `health check: an empty cluster, ${percent} % wanted`,
    options: answered({ up: percent }),
    cluster: EMPTY,
    send: get("/health"),
    status: [percent > 0 ? 503 : 200],
  })),
  ...casesOf({ options: passed("/health"), stats: STATS }, [
    { name: "health check: passed on", send: get("/health"), status: OK },
  ]),
  {
    name: "health check: by several headers",
    options: filters(
      own(TYPE, {
        pass_through_mode: false,
        headers: [...CHECK, { name: "x-check", present_match: true }],
      }),
    ),
    send: get("/health") + get("/health", "X-Check: 1\r\n"),
    status: [200, 200],
  },
  {
    name: "health check: every request",
    options: filters(own(TYPE, { pass_through_mode: false })),
    send: get("/anything"),
    status: OK,
  },
  ...casesOf(
    {
      options: passed("/cached", { cache_time: "3600s" }),
      scripts: {
        "/cached": {
          send: "HTTP/1.1 503 No\r\nX-Envoy-Degraded: 1\r\nX-Other: 1\r\nContent-Length: 2\r\n\r\nno",
        },
      },
    },
    [
      { name: "health check: the first goes to the upstream", send: get("/cached"), status: [503] },
      { name: "health check: the second is answered again", send: get("/cached"), status: [503] },
    ],
  ),
];
