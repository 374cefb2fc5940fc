/** A cluster under load, and what one more request gets. */
export interface BreakerCase {
  readonly name: string;
  /** `circuit_breakers` of the cluster. */
  readonly thresholds: readonly object[];
  /** Requests that are held first, by the priority of their route: with a connection each. */
  readonly held?: { readonly priority: Priority; readonly count: number };
  /** Requests that fail and then wait for their retry. */
  readonly retrying?: { readonly priority: Priority; readonly count: number };
  /** What is asked in the end, and at which priority. */
  readonly asks: { readonly path: string; readonly priority: Priority };
  readonly status: number;
  /** Flags and details, as logged. */
  readonly log: string;
  /** Statistics of the cluster that are looked at while the load is there. */
  readonly stats: Readonly<Record<string, number>>;
}

export type Priority = "DEFAULT" | "HIGH";

const OVERFLOW = "UO upstream_reset_before_response_started{overflow}";
const REFUSED = { status: 503, log: OVERFLOW } as const;
const SERVED = { status: 200, log: "- via_upstream" } as const;

/** Each breaker closes for its own priority only. */
function ofRequests(priority: Priority, other: Priority): readonly BreakerCase[] {
  const prefix = `circuit_breakers.${priority.toLowerCase()}`;
  const otherPrefix = `circuit_breakers.${other.toLowerCase()}`;
  const requests = [{ priority, max_requests: 2, track_remaining: true }];
  return [
    {
      name: `max_requests of ${priority}`,
      thresholds: requests,
      held: { priority, count: 2 },
      asks: { path: "/up", priority },
      ...REFUSED,
      stats: {
        [`${prefix}.rq_open`]: 1,
        [`${prefix}.remaining_rq`]: 0,
        [`${otherPrefix}.rq_open`]: 0,
        upstream_rq_active: 2,
      },
    },
    {
      name: `max_requests of ${priority}, nearly reached`,
      thresholds: requests,
      held: { priority, count: 1 },
      asks: { path: "/up", priority },
      ...SERVED,
      stats: { [`${prefix}.rq_open`]: 0, [`${prefix}.remaining_rq`]: 1 },
    },
    {
      name: `max_requests of ${priority}, asked at ${other}`,
      thresholds: requests,
      held: { priority, count: 2 },
      asks: { path: "/up", priority: other },
      ...SERVED,
      stats: { [`${prefix}.rq_open`]: 1, [`${otherPrefix}.rq_open`]: 0 },
    },
  ];
}

function ofOthers(priority: Priority, other: Priority): readonly BreakerCase[] {
  const prefix = `circuit_breakers.${priority.toLowerCase()}`;
  const otherPrefix = `circuit_breakers.${other.toLowerCase()}`;
  const pending = [{ priority, max_pending_requests: 0, track_remaining: true }];
  const retries = [{ priority, max_retries: 1, track_remaining: true }];
  return [
    {
      name: `max_pending_requests of ${priority}`,
      thresholds: pending,
      asks: { path: "/up", priority },
      ...REFUSED,
      stats: { [`${prefix}.rq_pending_open`]: 0, [`${prefix}.remaining_pending`]: 0 },
    },
    {
      name: `max_pending_requests of ${priority}, asked at ${other}`,
      thresholds: pending,
      asks: { path: "/up", priority: other },
      ...SERVED,
      stats: { [`${otherPrefix}.rq_pending_open`]: 0 },
    },
    {
      name: `max_retries of ${priority}`,
      thresholds: retries,
      retrying: { priority, count: 1 },
      asks: { path: "/error", priority },
      status: 500,
      log: "UO via_upstream",
      stats: {
        [`${prefix}.rq_retry_open`]: 1,
        [`${prefix}.remaining_retries`]: 0,
        [`${otherPrefix}.rq_retry_open`]: 0,
        "retry.upstream_rq_500": 1,
        upstream_rq_retry_overflow: 1,
      },
    },
    {
      name: `max_connections of ${priority} counts requests that found one`,
      thresholds: [{ priority, max_connections: 1, max_pending_requests: 0 }],
      asks: { path: "/up", priority },
      ...REFUSED,
      stats: { [`${prefix}.cx_open`]: 0 },
    },
  ];
}

/** How many of six requests that fail may wait for a retry under a budget, by what is in flight. */
export interface BudgetCase {
  readonly budget: object;
  readonly held: number;
  readonly retries: number;
}

function budget(
  percent: number | undefined,
  least: number | undefined,
  held: number,
  retries: number,
): BudgetCase {
  return {
    budget: {
      ...(percent === undefined ? {} : { budget_percent: { value: percent } }),
      ...(least === undefined ? {} : { min_retry_concurrency: least }),
    },
    held,
    retries,
  };
}

export const BREAKER_CASES: readonly BreakerCase[] = [
  ...ofRequests("DEFAULT", "HIGH"),
  ...ofRequests("HIGH", "DEFAULT"),
  ...ofOthers("DEFAULT", "HIGH"),
  ...ofOthers("HIGH", "DEFAULT"),
];

export const BUDGET_CASES: readonly BudgetCase[] = [
  // Three whatever the share is: the default.
  budget(undefined, undefined, 0, 3),
  budget(20, undefined, 5, 3),
  budget(0, 0, 5, 0),
  budget(0, 2, 5, 2),
  budget(100, 0, 0, 1),
  budget(100, 0, 4, 5),
  budget(50, 0, 4, 2),
  budget(50, 1, 8, 4),
  budget(33, 0, 8, 2),
  budget(25, 1, 0, 1),
];
