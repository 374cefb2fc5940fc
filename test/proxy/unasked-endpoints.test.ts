import { expect, test } from "vitest";
import { createPrng } from "../../src/base/prng.ts";
import { SimClock } from "../../src/base/sim-clock.ts";
import {
  testAssignment,
  testClusterConfig,
  testEndpoint,
} from "../../src/proxy/cluster/test-cluster-config.ts";
import { createSimProxy } from "../sim/sim-proxy.ts";

test("endpoints that nobody asked for are not kept for a cluster to come", () => {
  const { clusters } = createSimProxy(new SimClock(), createPrng(1));
  const endpoints = testAssignment([testEndpoint(1)]);
  clusters.assign(endpoints);
  clusters.put(testClusterConfig({ type: "EDS", edsName: "c" }), true);
  expect(clusters.find("c")).toBeUndefined();
  clusters.assign(endpoints);
  expect(clusters.find("c")?.hosts.map(({ port }) => port)).toEqual([1]);
  clusters.close();
});
