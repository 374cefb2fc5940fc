import fc from "fast-check";
import { expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { Cluster } from "../cluster/cluster.ts";
import type { SubsetConfig } from "../cluster/cluster-config.ts";
import { testAssignment, testClusterConfig, testEndpoint } from "../cluster/test-cluster-config.ts";
import type { PickContext } from "./pick-context.ts";

const VALUES = [1, 2, 3];
const rest = { isSingleHost: false, fallback: undefined, fallbackKeys: [] };
const SUBSETS: SubsetConfig = {
  fallback: "none",
  defaultSubset: [],
  selectors: [
    { ...rest, keys: ["a"] },
    { ...rest, keys: ["a", "b"] },
    { ...rest, keys: ["b"], isSingleHost: true },
  ],
  panicModeAny: false,
  localityWeights: "none",
  listAsAny: true,
  allowsRedundantKeys: false,
  usesFallbackList: false,
};

/** Many of them are the very same object from one update to the next. */
const POOL = Array.from({ length: 40 }, (_, at) => {
  const lists = [1, [1, 2], [2, 2], 3, undefined];
  const b = VALUES[at % 4];
  const a = lists[at % 5];
  const metadata = { ...(a === undefined ? {} : { a }), ...(b === undefined ? {} : { b }) };
  const health = at % 7 === 0 ? "UNHEALTHY" : "UNKNOWN";
  return testEndpoint(1 + (at % 10), { health, metadata: { "envoy.lb": metadata } });
});
const updates = fc.array(fc.array(fc.constantFrom(...POOL), { maxLength: 12 }), {
  minLength: 1,
  maxLength: 6,
});

const CRITERIA = [
  ...VALUES.map((a) => [["a", a]] as const),
  ...VALUES.map((b) => [["b", b]] as const),
  ...VALUES.flatMap((a) => VALUES.map((b) => [["a", a] as const, ["b", b] as const] as const)),
];

function createCluster(): Cluster {
  const lb = { ...testClusterConfig().lb, subsets: SUBSETS };
  return new Cluster(testClusterConfig({ type: "EDS", lb }), true, createPrng(5));
}

/** The ports that are chosen for every criteria, and how many subsets there are. */
function seen(cluster: Cluster): object {
  const ports = CRITERIA.map((pairs) => {
    const context: PickContext = {
      subsetCriteria: pairs.map(([key, value]) => ({ key, value: String(value) })),
      originalDestination: undefined,
      requestHeader: () => undefined,
      hostDrawsMax: 0,
      rejectsHost: () => false,
    };
    const found = Array.from({ length: 12 }, () => cluster.pick(context)?.port ?? 0);
    return [...new Set(found)].toSorted((left, right) => left - right);
  });
  const { subsetsActive, subsetsDuplicates } = cluster.load;
  return { ports, subsetsActive, subsetsDuplicates };
}

test("subsets that saw updates are those of a fresh cluster", () => {
  fc.assert(
    fc.property(updates, (sequence) => {
      const cluster = createCluster();
      for (const endpoints of sequence) {
        cluster.assign(testAssignment(endpoints));
        const fresh = createCluster();
        // In the order of its hosts, which an update that only reorders leaves as it was.
        const inOrder = cluster.hosts.flatMap(({ state }) =>
          endpoints.filter((endpoint) => endpoint === state).slice(0, 1),
        );
        fresh.assign(testAssignment(inOrder));
        expect(seen(cluster)).toEqual(seen(fresh));
        const { subsetsCreated, subsetsRemoved, subsetsActive } = cluster.load;
        expect(subsetsCreated - subsetsRemoved).toBe(subsetsActive);
      }
    }),
    { numRuns: 300 },
  );
});
