import { describe, expect, test } from "vitest";
import { Breakers } from "./breakers.ts";
import { testClusterConfig } from "./test-cluster-config.ts";

function breakers(retryBudget?: { percent: number; concurrencyMin: number }): Breakers {
  const [limits] = testClusterConfig().thresholds;
  return new Breakers({ ...limits, retryBudget });
}

describe("Breakers", () => {
  test("allow so many retries", () => {
    const fixed = breakers();
    fixed.retries = 2;
    expect(fixed.canRetry()).toBe(true);
    fixed.retries = 3;
    expect(fixed.canRetry()).toBe(false);
  });

  test("allow retries as a share of what is in flight, but a few in any case", () => {
    const budget = breakers({ percent: 25, concurrencyMin: 2 });
    expect(budget.retriesMax).toBe(2);
    budget.requests = 30;
    budget.pending = 9;
    expect(budget.retriesMax).toBe(9);
    budget.retries = 9;
    expect(budget.canRetry()).toBe(false);
    budget.pending = 10;
    expect(budget.canRetry()).toBe(true);
  });
});
