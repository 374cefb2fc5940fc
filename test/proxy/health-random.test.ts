import { expect, test } from "vitest";
import { createPrng, type Prng } from "../../src/base/prng.ts";
import { type CheckAnswer, response } from "./checked-server.ts";
import type { HealthCase } from "./health-cases.ts";
import { onBoth } from "./health-planes.ts";
import { type HealthOutcome, runCases } from "./health-runs.ts";

const SEED = Number(process.env["SEED"] ?? 1);
const CASES = 60;

const LEAVE = "x-envoy-immediate-health-check-fail: 1\r\n";

/** What a host may do with a check without taking its time. */
const ANSWERS: readonly CheckAnswer[] = [
  response(200),
  response(200),
  response(200),
  response(200, "x-envoy-degraded: 1\r\n"),
  response(200, "connection: close\r\n"),
  response(200, LEAVE),
  response(500),
  response(500, LEAVE),
  response(503),
  response(503),
  response(404),
  { end: "reset" },
  { end: "fin" },
  { send: "HTTP/1.1 200 OK\r\n\r\n", end: "fin" },
  "nothing that anybody knows\r\n\r\n",
];

function randomCase(prng: Prng, at: number): HealthCase {
  const below = (limit: number): number => Math.floor(prng.next() * limit);
  const count = 8 + below(12);
  return {
    name: `case ${at} of seed ${SEED}`,
    check: {
      unhealthy_threshold: 1 + below(4),
      healthy_threshold: 1 + below(4),
      reuse_connection: prng.next() < 0.7,
      always_log_health_check_failures: prng.next() < 0.8,
      always_log_health_check_success: prng.next() < 0.8,
      http_health_check: {
        path: "/check",
        ...(prng.next() < 0.5 ? { retriable_statuses: [{ start: 500, end: 504 }] } : {}),
        ...(prng.next() < 0.3 ? { expected_statuses: [{ start: 200, end: 405 }] } : {}),
      },
    },
    answers: Array.from({ length: count }, () => ANSWERS[below(ANSWERS.length)] ?? ""),
    events: undefined,
    flags: "",
  };
}

/** Envoy counts who is excluded when something else about its hosts changes. */
function comparable(outcome: HealthOutcome | undefined): object | undefined {
  return outcome && { ...outcome, stats: { ...outcome.stats, membership_excluded: 0 } };
}

test("whatever hosts answer, the same is made of it", async () => {
  const prng = createPrng(SEED);
  const cases = Array.from({ length: CASES }, (_, at) => randomCase(prng, at));
  const { weft, envoy } = await onBoth((name) => runCases(name, cases));
  for (const [at, one] of cases.entries()) {
    expect(comparable(weft[at]), `${JSON.stringify(one)}`).toEqual(comparable(envoy[at]));
  }
  // They are not all alike.
  expect(new Set(weft.map(({ flags }) => flags.join())).size).toBeGreaterThan(3);
}, 120_000);
