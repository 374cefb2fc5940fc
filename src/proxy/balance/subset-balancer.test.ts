import type { JsonObject } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { canonicalText } from "../../match/subset-criteria.ts";
import { Cluster } from "../cluster/cluster.ts";
import type { SubsetConfig, SubsetSelector } from "../cluster/cluster-config.ts";
import { testAssignment, testClusterConfig, testEndpoint } from "../cluster/test-cluster-config.ts";
import type { PickContext } from "./pick-context.ts";

const CONFIG: SubsetConfig = {
  fallback: "none",
  defaultSubset: [],
  selectors: [],
  panicModeAny: false,
  localityWeights: "none",
  listAsAny: false,
  allowsRedundantKeys: false,
  usesFallbackList: false,
};

function selector(keys: readonly string[], changes: Partial<SubsetSelector> = {}): SubsetSelector {
  return { keys, isSingleHost: false, fallback: undefined, fallbackKeys: [], ...changes };
}

/** Hosts by port, with what each says of itself. */
function clusterOf(
  subsets: Partial<SubsetConfig>,
  hosts: Readonly<Record<number, JsonObject>>,
  unhealthy: readonly number[] = [],
): Cluster {
  const config = testClusterConfig();
  const lb = { ...config.lb, panicPercent: 0, subsets: { ...CONFIG, ...subsets } };
  const cluster = new Cluster(testClusterConfig({ lb }), false, createPrng(3));
  const endpoints = Object.entries(hosts).map(([port, metadata]) =>
    testEndpoint(Number(port), {
      health: unhealthy.includes(Number(port)) ? "UNHEALTHY" : "UNKNOWN",
      metadata: { "envoy.lb": metadata },
    }),
  );
  cluster.assign(testAssignment(endpoints));
  return cluster;
}

/** Somebody whose route asks for this. */
function asking(wanted: JsonObject): PickContext {
  return {
    subsetCriteria: Object.keys(wanted)
      .sort()
      .map((key) => ({ key, value: canonicalText(wanted[key] ?? null) })),
    originalDestination: undefined,
    requestHeader: () => undefined,
    hostDrawsMax: 0,
    rejectsHost: () => false,
  };
}

/** The ports that are chosen, sorted. */
function ports(cluster: Cluster, wanted: JsonObject): readonly number[] {
  const context = asking(wanted);
  const found = Array.from({ length: 20 }, () => cluster.pick(context)?.port ?? 0);
  return [...new Set(found)].sort((left, right) => left - right);
}

const HOSTS = {
  1: { version: "v1", stage: "prod" },
  2: { version: "v1", stage: "dev" },
  3: { version: "v2", stage: "prod" },
  4: {},
};
const BY_VERSION = [selector(["version"]), selector(["stage", "version"])];

describe("a cluster with subsets", () => {
  test("chooses among hosts that say what the route asks for", () => {
    const cluster = clusterOf({ selectors: BY_VERSION }, HOSTS);
    expect(ports(cluster, { version: "v1" })).toEqual([1, 2]);
    expect(ports(cluster, { version: "v1", stage: "dev" })).toEqual([2]);
    expect(cluster.load.subsetsSelected).toBe(40);
    expect(cluster.load.subsetsActive).toBe(5);
  });

  test("has nobody for other values, other keys, or no keys", () => {
    const cluster = clusterOf({ selectors: BY_VERSION }, HOSTS);
    for (const wanted of [{ version: "v3" }, { version: 1 }, { stage: "prod" }, {}]) {
      expect(ports(cluster, wanted)).toEqual([0]);
    }
    expect(cluster.pick()).toBeUndefined();
  });

  test("falls back to any host, or to those of the default subset", () => {
    const any = clusterOf({ selectors: BY_VERSION, fallback: "any" }, HOSTS);
    expect(ports(any, { version: "v3" })).toEqual([1, 2, 3, 4]);
    expect(any.load.subsetsFallback).toBe(20);
    const defaultSubset = [["version", '"v2"']] as const;
    const some = clusterOf({ selectors: BY_VERSION, fallback: "default", defaultSubset }, HOSTS);
    expect(ports(some, {})).toEqual([3]);
  });

  test("panics where the default subset is empty and it may", () => {
    const subsets = { selectors: BY_VERSION, fallback: "default", panicModeAny: true } as const;
    const cluster = clusterOf({ ...subsets, defaultSubset: [["version", '"v9"']] }, HOSTS);
    expect(ports(cluster, {})).toEqual([1, 2, 3, 4]);
    expect(cluster.load.subsetsFallbackPanic).toBe(20);
  });

  test("does not fall back where a subset is there but nobody in it is healthy", () => {
    const cluster = clusterOf({ selectors: BY_VERSION, fallback: "any" }, HOSTS, [3]);
    expect(ports(cluster, { version: "v2" })).toEqual([0]);
  });

  test("falls back by selector: to fewer keys, to any, to nobody", () => {
    const keys = ["stage", "version"];
    const fewer = selector(keys, { fallback: "keys", fallbackKeys: ["version"] });
    const wanted = { version: "v2", stage: "dev" };
    const cluster = (own: SubsetSelector): Cluster =>
      clusterOf({ selectors: [selector(["version"]), own], fallback: "default" }, HOSTS);
    expect(ports(cluster(fewer), wanted)).toEqual([3]);
    expect(ports(cluster(selector(keys, { fallback: "any" })), wanted)).toEqual([1, 2, 3, 4]);
    expect(ports(cluster(selector(keys, { fallback: "none" })), wanted)).toEqual([0]);
  });

  test("may keep one host of each subset, whatever its health", () => {
    const single = selector(["version"], { isSingleHost: true });
    const cluster = clusterOf({ selectors: [single] }, HOSTS, [1]);
    expect(ports(cluster, { version: "v1" })).toEqual([1]);
    expect(cluster.load.subsetsDuplicates).toBe(1);
  });

  test("may read lists as any of their entries", () => {
    const hosts = { 1: { version: ["v1", "v2"] }, 2: { version: "v2" } };
    const selectors = [selector(["version"])];
    const cluster = clusterOf({ selectors, listAsAny: true }, hosts);
    expect(ports(cluster, { version: "v2" })).toEqual([1, 2]);
    expect(ports(cluster, { version: "v1" })).toEqual([1]);
    const literal = clusterOf({ selectors }, hosts);
    expect(ports(literal, { version: "v1" })).toEqual([0]);
    expect(ports(literal, { version: ["v1", "v2"] })).toEqual([1]);
  });

  test("may leave out keys that no selector has", () => {
    const wanted = { version: "v2", other: "x" };
    const subsets = { selectors: [selector(["version"])] };
    expect(ports(clusterOf(subsets, HOSTS), wanted)).toEqual([0]);
    expect(ports(clusterOf({ ...subsets, allowsRedundantKeys: true }, HOSTS), wanted)).toEqual([3]);
  });

  test("may try a list of alternatives", () => {
    const cluster = clusterOf({ selectors: BY_VERSION, usesFallbackList: true }, HOSTS);
    const list = [{ version: "v9" }, { version: "v2", stage: "prod" }];
    expect(ports(cluster, { version: "v1", fallback_list: list })).toEqual([3]);
    expect(ports(cluster, { version: "v1", fallback_list: [] })).toEqual([1, 2]);
    expect(ports(cluster, { fallback_list: [{ version: "v9" }] })).toEqual([0]);
  });

  test("follows its hosts", () => {
    const cluster = clusterOf({ selectors: BY_VERSION }, HOSTS);
    const [one] = cluster.hosts;
    expect(ports(cluster, { version: "v2" })).toEqual([3]);
    if (one === undefined) throw new Error("no host");
    const endpoint = { address: "127.0.0.1", port: 1, ...one.state };
    const moved = { ...endpoint, metadata: { "envoy.lb": { version: "v2" } } };
    cluster.assign(testAssignment([moved]));
    expect(cluster.hosts[0]).toBe(one);
    expect(ports(cluster, { version: "v2" })).toEqual([1]);
    expect(ports(cluster, { version: "v1" })).toEqual([0]);
    expect([cluster.load.subsetsActive, cluster.load.subsetsRemoved]).toEqual([1, 4]);
  });
});
