import { describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { Cluster } from "../cluster/cluster.ts";
import type { Endpoint, HashingConfig, LbPolicy } from "../cluster/cluster-config.ts";
import { testAssignment, testClusterConfig, testEndpoint } from "../cluster/test-cluster-config.ts";
import type { Hash64 } from "./hash64.ts";
import type { PickContext } from "./pick-context.ts";

const HASHING: HashingConfig = {
  ringSizeMin: 1024,
  ringSizeMax: 8_388_608,
  hashFunction: "xx_hash",
  tableSize: 65_537,
  usesHostname: false,
  balanceFactorPercent: 0,
};

type HashPolicy = Extract<LbPolicy, "ring_hash" | "maglev">;
const POLICIES: readonly HashPolicy[] = ["ring_hash", "maglev"];

function clusterOf(
  policy: HashPolicy,
  endpoints: readonly Endpoint[],
  changes: Partial<HashingConfig> = {},
): Cluster {
  const { lb } = testClusterConfig();
  const config = { ...lb, policy, hashing: { ...HASHING, ...changes } };
  const cluster = new Cluster(testClusterConfig({ lb: config }), false, createPrng(9));
  cluster.assign(testAssignment(endpoints));
  return cluster;
}

function endpoints(count: number, weightOf: (at: number) => number = () => 1): Endpoint[] {
  return Array.from({ length: count }, (_, at) =>
    testEndpoint(10_000 + at, { weight: weightOf(at) }),
  );
}

/** Hashes as requests have them, always the same. */
function hashes(count: number, seed = 5): Hash64[] {
  const prng = createPrng(seed);
  const half = (): number => Math.floor(prng.next() * 2 ** 32);
  return Array.from({ length: count }, () => ({ high: half(), low: half() }));
}

function contextOf(hash: Hash64): PickContext {
  return {
    subsetCriteria: [],
    originalDestination: undefined,
    requestHeader: () => undefined,
    hostDrawsMax: 0,
    rejectsHost: () => false,
    hash: () => hash,
  };
}

function pickAll(cluster: Cluster, all: readonly Hash64[]): number[] {
  return all.map((hash) => cluster.pick(contextOf(hash))?.port ?? 0);
}

function countBy(ports: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const port of ports) counts.set(port, (counts.get(port) ?? 0) + 1);
  return counts;
}

describe("shares", () => {
  test("of a ring are by weight, as far as its size allows", () => {
    // Gaps between random points are exponential: with p points of its own a host's share has a
    // standard deviation of 1/sqrt(p) of itself. Four of them are hardly ever passed.
    for (const ringSizeMin of [1024, 65_536]) {
      const all = endpoints(10, (at) => 1 + (at % 4));
      const total = all.reduce((sum, { weight }) => sum + weight, 0);
      const counts = countBy(
        pickAll(clusterOf("ring_hash", all, { ringSizeMin }), hashes(200_000)),
      );
      for (const { port, weight } of all) {
        const wanted = (200_000 * weight) / total;
        const points = (ringSizeMin * weight) / total;
        const bound = 4 / Math.sqrt(points) + 4 / Math.sqrt(wanted);
        expect(Math.abs((counts.get(port) ?? 0) / wanted - 1)).toBeLessThan(bound);
      }
    }
  });

  test("of Maglev differ by next to nothing where weights are equal", () => {
    // Turns are taken in rounds, so that no host has more than one place more than another.
    for (const count of [3, 10, 100, 1000]) {
      const cluster = clusterOf("maglev", endpoints(count));
      cluster.settle();
      const { min, max } = cluster.load.hashTable;
      expect(max - min).toBeLessThanOrEqual(1);
      expect(max / min).toBeLessThan(1 + count / 65_537 + 0.001);
    }
  });

  test("of Maglev are by weight to one place in a hundred", () => {
    const all = endpoints(10, (at) => 1 + at);
    const counts = countBy(pickAll(clusterOf("maglev", all), hashes(200_000)));
    for (const { port, weight } of all) {
      const wanted = (200_000 * weight) / 55;
      expect(Math.abs((counts.get(port) ?? 0) / wanted - 1)).toBeLessThan(
        0.01 + 4 / Math.sqrt(wanted),
      );
    }
  });
});

describe("when one of the hosts leaves", () => {
  const ALL = hashes(50_000);

  test("only what it had goes elsewhere on a ring where others keep their points", () => {
    // Five points for each of 20 hosts, and of 19.
    const cluster = clusterOf("ring_hash", endpoints(20), { ringSizeMin: 95 });
    const before = pickAll(cluster, ALL);
    cluster.assign(testAssignment(endpoints(20).toSpliced(2, 1)));
    const after = pickAll(cluster, ALL);
    const moved = before.filter((port, at) => port !== after[at]);
    expect(new Set(moved)).toEqual(new Set([10_002]));
    expect(moved.length).toBe(countBy(before).get(10_002));
  });

  test("the others get more points where the ring has a size, and what belongs to these", () => {
    for (const count of [5, 20, 100]) {
      const cluster = clusterOf("ring_hash", endpoints(count), { ringSizeMin: 100 * count });
      const before = pickAll(cluster, ALL);
      cluster.assign(testAssignment(endpoints(count).toSpliced(2, 1)));
      const after = pickAll(cluster, ALL);
      const moved = before.filter((port, at) => port !== after[at]);
      // What it had, and what the points take that the others get in its stead.
      const points = Math.ceil((100 * count) / (count - 1));
      const bound = 1.3 / count + (points - 100) / points;
      expect(moved.length / ALL.length).toBeLessThan(bound);
    }
  });

  test("little more than what it had goes elsewhere with Maglev", () => {
    for (const count of [5, 20, 100]) {
      const cluster = clusterOf("maglev", endpoints(count));
      const before = pickAll(cluster, ALL);
      cluster.assign(testAssignment(endpoints(count).toSpliced(2, 1)));
      const after = pickAll(cluster, ALL);
      const moved = before.filter((port, at) => port !== after[at]);
      expect(moved.length / ALL.length).toBeLessThan(1.1 / count + 0.02);
    }
  });
});

describe("what is made anew from what was there", () => {
  test("is what would be made from nothing", () => {
    const prng = createPrng(3);
    const all = hashes(2000);
    for (const policy of POLICIES) {
      const changes = { tableSize: 2003, ringSizeMin: 700 };
      let present = endpoints(40, (at) => 1 + (at % 3));
      const cluster = clusterOf(policy, present, changes);
      for (let times = 0; times < 60; times++) {
        const at = Math.floor(prng.next() * present.length);
        const added = testEndpoint(20_000 + times, { weight: 1 + (times % 4) });
        const named = { ...added, metadata: { "envoy.lb": { hash_key: `n${times % 5}` } } };
        const steps = [
          () => present.toSpliced(at, 1),
          () => present.toSpliced(at, 0, added),
          () => present.toSpliced(at, 1, named),
          () => [...present.slice(at), ...present.slice(0, at)],
        ];
        present = steps[times % 4]?.() ?? present;
        cluster.assign(testAssignment(present));
        // Of equal keys it is not said which comes first.
        const keyOf = (port: number): string => {
          const one = present.find((endpoint) => endpoint.port === port);
          return JSON.stringify(one?.metadata["envoy.lb"]?.["hash_key"] ?? port);
        };
        const fresh = pickAll(clusterOf(policy, present, changes), all).map(keyOf);
        expect(pickAll(cluster, all).map(keyOf)).toEqual(fresh);
      }
    }
  });
});

describe("bounded loads", () => {
  test("no host gets more than its bound, and one over it", () => {
    for (const policy of POLICIES) {
      for (const balanceFactorPercent of [100, 125, 200]) {
        const cluster = clusterOf(policy, endpoints(10), { balanceFactorPercent });
        const { breakers } = cluster.load;
        // All to one host, if there were no bound.
        for (const [sent, hash] of hashes(1000).entries()) {
          const host = cluster.pick(contextOf(sent % 3 === 0 ? hash : { high: 7, low: 7 }));
          if (host === undefined) throw new Error("no host");
          const mean = (sent + 1) / 10;
          const bound = Math.max(1, Math.ceil((mean * balanceFactorPercent) / 100));
          // A host that is at its bound is not yet over it.
          expect(host.activeRequests).toBeLessThanOrEqual(bound);
          host.activeRequests++;
          breakers[0].requests++;
        }
      }
    }
  });

  test("the order in which hosts are tried is the hash's own", () => {
    const cluster = clusterOf("maglev", endpoints(10), { balanceFactorPercent: 120 });
    const context = contextOf({ high: 1, low: 2 });
    const first = cluster.pick(context);
    if (first === undefined) throw new Error("no host");
    first.activeRequests = 100;
    const others = Array.from({ length: 20 }, () => cluster.pick(context)?.port);
    expect(new Set(others).size).toBe(1);
    expect(others[0]).not.toBe(first.port);
  });
});

describe("who is hashed to", () => {
  const ALL = hashes(1000);

  test("is healthy, or anybody in panic; a degraded host never", () => {
    for (const policy of POLICIES) {
      const all = endpoints(6);
      const with_ = (at: number, health: Endpoint["health"]): Endpoint[] =>
        all.map((one, index) => (index < at ? { ...one, health } : one));
      const calm = clusterOf(policy, with_(2, "UNHEALTHY"));
      expect(countBy(pickAll(calm, ALL)).size).toBe(4);
      expect(calm.load.panics).toBe(0);
      const panic = clusterOf(policy, with_(4, "UNHEALTHY"));
      expect(countBy(pickAll(panic, ALL)).size).toBe(6);
      expect(panic.load.panics).toBe(1000);
      const degraded = clusterOf(policy, with_(2, "DEGRADED"));
      expect(countBy(pickAll(degraded, ALL)).size).toBe(4);
    }
  });

  test("without a hash is random", () => {
    for (const policy of POLICIES) {
      const cluster = clusterOf(policy, endpoints(4));
      const ports = Array.from({ length: 400 }, () => cluster.pick()?.port ?? 0);
      expect(countBy(ports).size).toBe(4);
    }
  });

  test("is another one where the first is rejected", () => {
    for (const policy of POLICIES) {
      const cluster = clusterOf(policy, endpoints(4));
      for (const hash of ALL) {
        const first = cluster.pick(contextOf(hash));
        const rejecting = { ...contextOf(hash), rejectsHost: (host: unknown) => host === first };
        expect(cluster.pick(rejecting)).toBe(first);
        const others = cluster.pick({ ...rejecting, hostDrawsMax: 30 });
        expect(others).not.toBe(first);
      }
    }
  });
});
