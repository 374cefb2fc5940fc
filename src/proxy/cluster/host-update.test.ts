import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { Cluster } from "./cluster.ts";
import type { Endpoint, LbPolicy } from "./cluster-config.ts";
import { endpointKey, Host } from "./host.ts";
import { updateHosts } from "./host-update.ts";
import { ClusterLoad } from "./load.ts";
import { testAssignment, testClusterConfig, testEndpoint } from "./test-cluster-config.ts";

/** Endpoints of which many are the very same object from one update to the next. */
const POOL = Array.from({ length: 24 }, (_, at) =>
  testEndpoint((at % 8) + 1, { weight: 1 + (at >> 3) }),
);
const endpoints = fc.array(fc.constantFrom(...POOL), { maxLength: 14 });
const updates = fc.array(endpoints, { minLength: 1, maxLength: 8 });

/** The first of each address. */
function once(all: readonly Endpoint[]): readonly Endpoint[] {
  const keys = all.map(endpointKey);
  return all.filter((_, at) => keys.indexOf(keys[at] ?? "") === at);
}

function sorted(all: readonly unknown[]): readonly string[] {
  return all.map((one) => JSON.stringify(one)).toSorted();
}

function keysOf(hosts: readonly Host[]): readonly string[] {
  return hosts.map(({ key }) => key);
}

describe("updateHosts()", () => {
  test.each([true, false])("says what the endpoints say (each address once: %s)", (isUnique) => {
    const load = new ClusterLoad(testClusterConfig(), undefined);
    const create = (endpoint: Endpoint): Host => new Host(endpoint, load);
    fc.assert(
      fc.property(updates, (sequence) => {
        const byKey = isUnique ? new Map<string, Host>() : undefined;
        let hosts: readonly Host[] = [];
        for (const given of sequence) {
          const before = hosts;
          const update = updateHosts({ hosts, byKey, create }, given);
          hosts = update.hosts;
          const expected = isUnique ? once(given) : given;
          expect(sorted(hosts.map(({ state }) => state))).toEqual(sorted(expected));
          const ordered = update.isChanged ? expected.map(endpointKey) : keysOf(before);
          expect(keysOf(hosts)).toEqual(ordered);
          expect(new Set(update.added)).toEqual(
            new Set(hosts.filter((host) => !before.includes(host))),
          );
          expect(new Set(update.removed)).toEqual(
            new Set(before.filter((host) => !hosts.includes(host))),
          );
          // As many as there are of an address in both stay.
          for (const { key } of before) {
            const count = (all: readonly Host[]): number => all.filter((h) => h.key === key).length;
            const stayed = before.filter((host) => host.key === key && hosts.includes(host));
            expect(stayed.length).toBe(Math.min(count(before), count(hosts)));
          }
          expect(new Set(byKey?.values() ?? hosts)).toEqual(new Set(hosts));
        }
      }),
      { numRuns: 500 },
    );
  });

  const policies: readonly LbPolicy[] = ["round_robin", "least_request", "random"];
  test.each(policies)("leaves %s to choose as in a fresh cluster", (policy) => {
    const lb = { ...testClusterConfig().lb, policy };
    const config = testClusterConfig({ type: "EDS", lb });
    const draws = 3000;
    const shares = (cluster: Cluster): ReadonlyMap<string, number> => {
      const counts = new Map<string, number>();
      for (let draw = 0; draw < draws; draw++) {
        const key = cluster.pick()?.key ?? "none";
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
      return counts;
    };
    fc.assert(
      fc.property(updates, fc.integer(), (sequence, seed) => {
        const cluster = new Cluster(config, true, createPrng(seed));
        for (const given of sequence) cluster.assign(testAssignment(given));
        const fresh = new Cluster(config, true, createPrng(seed + 1));
        fresh.assign(testAssignment(sequence.at(-1) ?? []));
        const [own, expected] = [shares(cluster), shares(fresh)];
        expect([...own.keys()].toSorted()).toEqual([...expected.keys()].toSorted());
        for (const [key, count] of own) {
          // Round robin and weights are exact; by chance, six standard deviations.
          const isExact = policy === "round_robin";
          const allowed = isExact ? 4 : 6 * Math.sqrt(draws / 2);
          expect(Math.abs(count - (expected.get(key) ?? 0))).toBeLessThanOrEqual(allowed);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe("Cluster.assign()", () => {
  function assign(cluster: Cluster, all: readonly Endpoint[]): void {
    cluster.assign(testAssignment(all));
  }

  test("tells its observers what changed, and nobody of an update that says nothing new", () => {
    const cluster = new Cluster(testClusterConfig({ type: "EDS" }), true, createPrng(1));
    const told: string[] = [];
    const ports = (hosts: readonly Host[]): string => hosts.map(({ port }) => port).join();
    cluster.observe({
      onHosts: (added, removed) => told.push(`+${ports(added)} -${ports(removed)}`),
      close: () => undefined,
    });
    const all = Array.from({ length: 9 }, (_, at) => testEndpoint(at + 1));
    assign(cluster, all);
    assign(cluster, all.with(4, testEndpoint(20)));
    assign(cluster, all.with(4, testEndpoint(20, { weight: 7 })));
    const { hosts } = cluster;
    assign(
      cluster,
      hosts.map(({ state }) => state as Endpoint),
    );
    expect(cluster.hosts).toBe(hosts);
    assign(cluster, all.slice(2));
    expect(told).toEqual(["+1,2,3,4,5,6,7,8,9 -", "+20 -5", "+5 -1,2,20"]);
    expect(cluster.load.updatesWithoutRebuild).toBe(1);
    expect(cluster.load.membershipChanges).toBe(3);
  });
});
