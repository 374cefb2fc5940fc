import { describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { NO_RUNTIME } from "../../match/runtime-reader.ts";
import type { PickContext } from "../balance/pick-context.ts";
import { Cluster } from "./cluster.ts";
import type { Endpoint, LbPolicy } from "./cluster-config.ts";
import { testAssignment, testClusterConfig, testEndpoint } from "./test-cluster-config.ts";

function endpoint(port: number, weight = 1, isHealthy = true): Endpoint {
  return testEndpoint(port, { weight, health: isHealthy ? "HEALTHY" : "UNHEALTHY" });
}

function clusterOf(policy: LbPolicy, endpoints: readonly Endpoint[], panicPercent = 50): Cluster {
  const lb = { ...testClusterConfig().lb, policy, panicPercent };
  const cluster = new Cluster(testClusterConfig({ type: "EDS", lb }), false, createPrng(7));
  cluster.assign(testAssignment(endpoints));
  return cluster;
}

function counts(cluster: Cluster, draws: number): Record<number, number> {
  const byPort: Record<number, number> = {};
  for (let draw = 0; draw < draws; draw++) {
    const port = cluster.pick()?.port ?? 0;
    byPort[port] = (byPort[port] ?? 0) + 1;
  }
  return byPort;
}

describe("Cluster.pick()", () => {
  test("goes round in turn", () => {
    const cluster = clusterOf("round_robin", [endpoint(1), endpoint(2), endpoint(3)]);
    expect(counts(cluster, 300)).toEqual({ 1: 100, 2: 100, 3: 100 });
  });

  test.each(["round_robin", "least_request"] as const)("%s heeds weights", (policy) => {
    const byPort = counts(clusterOf(policy, [endpoint(1, 3), endpoint(2, 1)]), 4000);
    expect(byPort[1]).toBeGreaterThan(2990);
    expect(byPort[1]).toBeLessThan(3010);
  });

  test("least request prefers the host with less in flight", () => {
    const cluster = clusterOf("least_request", [endpoint(1), endpoint(2)]);
    for (const host of cluster.hosts) if (host.port === 1) host.activeRequests = 5;
    // The busy one is only chosen when it is drawn twice: one time in four.
    const busy = counts(cluster, 4000)[1] ?? 0;
    expect(Math.abs(busy - 1000)).toBeLessThan(170);
  });

  test.each([
    { bias: 0, share: 2 / 3 },
    // 2 / (3 + 1) to 1.
    { bias: 1, share: 1 / 3 },
    // What makes no sense counts as 1.
    { bias: -1, share: 1 / 3 },
  ])("least request heeds the runtime's bias $bias", ({ bias, share }) => {
    const base = testClusterConfig().lb;
    const lb = { ...base, policy: "least_request" as const, activeRequestBiasKey: "bias" };
    const runtime = {
      ...NO_RUNTIME,
      double: (key: string) => (key === "bias" ? bias : undefined),
    };
    const surroundings = { runtime, localZone: undefined, nowMs: () => 0 };
    const cluster = new Cluster(
      testClusterConfig({ lb }),
      false,
      createPrng(7),
      undefined,
      surroundings,
    );
    cluster.assign(testAssignment([endpoint(1, 2), endpoint(2, 1)]));
    for (const host of cluster.hosts) if (host.port === 1) host.activeRequests = 3;
    expect(Math.abs((counts(cluster, 3000)[1] ?? 0) / 3000 - share)).toBeLessThan(0.01);
  });

  test("random spreads evenly", () => {
    const byPort = counts(clusterOf("random", [endpoint(1, 9), endpoint(2)]), 4000);
    expect(Math.abs((byPort[1] ?? 0) - 2000)).toBeLessThan(190);
  });

  test("leaves out unhealthy hosts, until too few are left", () => {
    const hosts = [endpoint(1), endpoint(2), endpoint(3, 1, false)];
    expect(Object.keys(counts(clusterOf("round_robin", hosts), 30))).toEqual(["1", "2"]);
    const few = [endpoint(1), endpoint(2, 1, false), endpoint(3, 1, false)];
    expect(Object.keys(counts(clusterOf("round_robin", few), 30))).toEqual(["1", "2", "3"]);
    expect(Object.keys(counts(clusterOf("round_robin", few, 0), 30))).toEqual(["1"]);
  });

  test("has nobody without hosts", () => {
    expect(clusterOf("least_request", []).pick()).toBeUndefined();
    expect(clusterOf("random", [endpoint(1, 1, false)], 0).pick()).toBeUndefined();
  });
});

describe("Cluster.assign()", () => {
  test("keeps hosts that stay and removes those that went", () => {
    const cluster = clusterOf("round_robin", [endpoint(1), endpoint(2)]);
    const [one, two] = cluster.hosts;
    cluster.assign(testAssignment([endpoint(2, 5), endpoint(3)]));
    expect(cluster.hosts[0]).toBe(two);
    expect(two?.state.weight).toBe(5);
    expect(one?.isRemoved).toBe(true);
    expect(two?.isRemoved).toBe(false);
  });

  test("takes an address that stands there twice once", () => {
    const cluster = clusterOf("round_robin", [endpoint(1), endpoint(1)]);
    expect(cluster.hosts).toHaveLength(1);
  });
});

describe("Cluster.pick() with a context", () => {
  test("avoids hosts that are rejected while another is found", () => {
    const cluster = clusterOf("round_robin", [endpoint(1), endpoint(2)]);
    const without = (rejectsHost: PickContext["rejectsHost"]): PickContext => ({
      subsetCriteria: [],
      originalDestination: undefined,
      requestHeader: () => undefined,
      hostDrawsMax: 5,
      rejectsHost,
    });
    const other = without(({ port }) => port === 1);
    for (let draw = 0; draw < 10; draw++) expect(cluster.pick(other)?.port).toBe(2);
    expect(cluster.pick(without(() => true))).toBeDefined();
  });
});
