import { describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { NO_RUNTIME } from "../../match/runtime-reader.ts";
import { Cluster } from "../cluster/cluster.ts";
import type { Endpoint, LbPolicy, SlowStartConfig } from "../cluster/cluster-config.ts";
import { HEALTH_FLAG } from "../cluster/host-health.ts";
import { testAssignment, testClusterConfig, testEndpoint } from "../cluster/test-cluster-config.ts";

const SLOW: SlowStartConfig = {
  windowMs: 10_000,
  aggression: 1,
  aggressionKey: "",
  minWeightPercent: 10,
};

/** A cluster whose time a test sets. */
class Rig {
  nowMs = 1_000_000;
  readonly cluster: Cluster;

  constructor(slowStart: Partial<SlowStartConfig> = {}, policy: LbPolicy = "round_robin") {
    const { lb } = testClusterConfig();
    const config = testClusterConfig({
      type: "EDS",
      lb: { ...lb, policy, slowStart: { ...SLOW, ...slowStart } },
    });
    const runtime = { ...NO_RUNTIME, double: (key: string) => (key === "twice" ? 2 : undefined) };
    const surroundings = { runtime, localZone: undefined, nowMs: () => this.nowMs };
    this.cluster = new Cluster(config, false, createPrng(5), undefined, surroundings);
  }

  assign(...endpoints: readonly Endpoint[]): void {
    this.cluster.assign(testAssignment(endpoints));
  }

  /** What part of many choices the host at that port gets, without any time going by. */
  shareOf(port: number): number {
    const draws = 2000;
    let count = 0;
    for (let draw = 0; draw < draws; draw++) if (this.cluster.pick()?.port === port) count++;
    return count / draws;
  }
}

/** The share of one whose weight is so much of the other's. */
const besideOne = (weight: number): number => weight / (1 + weight);

/** An old host at port 1 and a new one at port 2. */
function withNewHost(slowStart: Partial<SlowStartConfig> = {}, policy?: LbPolicy): Rig {
  const rig = new Rig(slowStart, policy);
  rig.assign(testEndpoint(1));
  rig.nowMs += 20_000;
  rig.assign(testEndpoint(1), testEndpoint(2));
  return rig;
}

describe("SlowStart", () => {
  test.each(["round_robin", "least_request"] as const)(
    "lets the weight of a new host grow: %s",
    (policy) => {
      const rig = withNewHost({}, policy);
      for (const [goneMs, weight] of [
        [0, 0.1],
        [500, 0.1],
        [2500, 0.25],
        [5000, 0.5],
        [9999, 1],
        [30_000, 1],
      ] as const) {
        rig.nowMs = 1_020_000 + goneMs;
        // The schedule looks at a weight again once the host was chosen.
        rig.shareOf(2);
        expect(Math.abs(rig.shareOf(2) - besideOne(weight))).toBeLessThan(0.01);
      }
    },
  );

  test.each([
    [{ aggression: 2 }, 0.5],
    [{ aggression: 0.5 }, 0.0625],
    [{ aggression: 0.5, minWeightPercent: 20 }, 0.2],
    [{ aggression: 1, aggressionKey: "twice" }, 0.5],
    [{ aggression: 0 }, 0.25],
  ])("grows as %j says", (config, weight) => {
    const rig = withNewHost({ minWeightPercent: 0, ...config });
    rig.nowMs += 2500;
    rig.shareOf(2);
    expect(Math.abs(rig.shareOf(2) - besideOne(weight))).toBeLessThan(0.01);
  });

  test("scales what a host weighs", () => {
    const rig = new Rig();
    rig.assign(testEndpoint(1, { weight: 2 }));
    rig.nowMs += 20_000;
    rig.assign(testEndpoint(1, { weight: 2 }), testEndpoint(2, { weight: 4 }));
    rig.nowMs += 5000;
    rig.shareOf(2);
    expect(Math.abs(rig.shareOf(2) - 0.5)).toBeLessThan(0.01);
  });

  test("does not set hosts apart that begin together", () => {
    const rig = new Rig();
    rig.assign(testEndpoint(1), testEndpoint(2));
    expect(Math.abs(rig.shareOf(2) - 0.5)).toBeLessThan(0.01);
  });

  test("begins when a host becomes healthy, and again only after health checks", () => {
    const rig = new Rig();
    rig.assign(testEndpoint(1), testEndpoint(2, { health: "UNHEALTHY" }));
    rig.nowMs += 20_000;
    rig.assign(testEndpoint(1), testEndpoint(2));
    rig.shareOf(2);
    expect(Math.abs(rig.shareOf(2) - besideOne(0.1))).toBeLessThan(0.01);
    rig.nowMs += 20_000;
    const host = rig.cluster.hosts.find(({ port }) => port === 2);
    host?.setFlag(HEALTH_FLAG.failedOutlierCheck, true);
    host?.setFlag(HEALTH_FLAG.failedOutlierCheck, false);
    expect(Math.abs(rig.shareOf(2) - 0.5)).toBeLessThan(0.01);
    host?.setFlag(HEALTH_FLAG.failedActiveHc, true);
    host?.setFlag(HEALTH_FLAG.failedActiveHc, false);
    rig.shareOf(2);
    expect(Math.abs(rig.shareOf(2) - besideOne(0.1))).toBeLessThan(0.01);
  });
});
