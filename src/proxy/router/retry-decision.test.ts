import { describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { extendRetryPolicy, type RetryPolicy } from "../../match/retry-policy.ts";
import { ResponseHead } from "../http/message-head.ts";
import { waitBeforeRetry } from "./retry-decision.ts";

const BASE_MS = 25;
const MAX_MS = 250;
const DRAWS = 20_000;
const BINS = 10;
/** Of the chi-squared distribution of 9 degrees of freedom: one seed in 100,000 is above. */
const CHI_SQUARED_MAX = 39.3;

const POLICY: RetryPolicy = {
  ...extendRetryPolicy(undefined, {
    conditions: ["5xx"],
    statuses: [],
    headerNames: [],
    retriesMax: undefined,
  }),
  backOffMs: BASE_MS,
  backOffMsMax: MAX_MS,
};
const RATE_LIMITED: RetryPolicy = {
  ...POLICY,
  resetHeaders: [
    { name: "retry-after", format: "SECONDS" },
    { name: "x-reset", format: "UNIX_TIMESTAMP" },
  ],
  resetMsMax: 10_000,
};

function draws(retry: number): number[] {
  const prng = createPrng(retry);
  return Array.from(
    { length: DRAWS },
    () => waitBeforeRetry(POLICY, retry, undefined, prng.next(), 0).ms,
  );
}

/** The window of each retry, which doubles until it is as long as it may be. */
const WINDOWS = [25, 50, 100, 200, 250, 250, 250].map((windowMs, at) => ({
  retry: at + 1,
  windowMs,
}));

describe("the wait before a retry", () => {
  test.each(WINDOWS)("$retry is drawn evenly from [0, $windowMs) ms", ({ retry, windowMs }) => {
    const waits = draws(retry);
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...waits)).toBeLessThan(windowMs);
    const bins = Array.from({ length: BINS }, () => 0);
    for (const waitMs of waits) {
      const bin = Math.floor((waitMs / windowMs) * BINS);
      bins[bin] = (bins[bin] ?? 0) + 1;
    }
    const expected = DRAWS / BINS;
    const chiSquared = bins.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    expect(chiSquared).toBeLessThan(CHI_SQUARED_MAX);
  });

  test("never repeats from one client to the next", () => {
    expect(new Set(draws(3)).size).toBeGreaterThan(DRAWS * 0.999);
  });
});

describe("the wait that a response asks for", () => {
  const WALL_MS = 1_700_000_000_000;

  function wait(headers: readonly (readonly [string, string])[], draw: number): number {
    const head = new ResponseHead();
    for (const [name, value] of headers) head.headers.add(name, value);
    return waitBeforeRetry(RATE_LIMITED, 1, head, draw, WALL_MS).ms;
  }

  test.each([
    ["seconds", [["retry-after", "2"]], 2000],
    ["a moment", [["x-reset", String(WALL_MS / 1000 + 3)]], 3000],
    [
      "the first of two",
      [
        ["x-reset", String(WALL_MS / 1000 + 3)],
        ["retry-after", "2"],
      ],
      2000,
    ],
    [
      "the second, as the first is too long",
      [
        ["retry-after", "11"],
        ["x-reset", "1700000004"],
      ],
      4000,
    ],
    ["the most that may be", [["retry-after", "10"]], 10_000],
  ] as const)(
    "in %s is at least that, and half as long again at most",
    (_name, headers, leastMs) => {
      expect(wait(headers, 0)).toBe(leastMs);
      expect(wait(headers, 0.999_999)).toBeCloseTo(leastMs * 1.5, -1);
    },
  );

  test.each([
    ["too long", [["retry-after", "11"]]],
    ["nothing", [["retry-after", "0"]]],
    ["a moment that has gone", [["x-reset", "1600000000"]]],
    ["a date", [["retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"]]],
    ["a negative number", [["retry-after", "-1"]]],
    ["not there", []],
  ] as const)("is left alone when it is %s", (_name, headers) => {
    expect(wait(headers, 0.5)).toBe(BASE_MS / 2);
  });
});
