import { describe } from "vitest";
import { AGGREGATE_CASES, RETRY_CASES } from "./aggregate-share-cases.ts";
import { PRIORITY_CASES } from "./host-share-cases.ts";
import { hostsOf, type PlaceSpec } from "./host-shares.ts";
import {
  ALL_HERE_CASES,
  CROWDED_CASES,
  ELSEWHERE_CASES,
  OWN_PANIC_CASES,
  RUNTIME_CASES,
  SUBSET_CASES,
  WEIGHT_CASES,
  ZONE_CASES,
} from "./locality-share-cases.ts";
import { runShareCases } from "./run-share-cases.ts";

describe("priorities share the load", () => {
  runShareCases(PRIORITY_CASES);
});
describe("localities share the load by weight", () => {
  runShareCases(WEIGHT_CASES);
});

describe("localities of a subset share the load", () => {
  runShareCases(SUBSET_CASES);
});

const place = (zone: string, specs: PlaceSpec["hosts"]): PlaceSpec => ({ zone, hosts: specs });

describe("requests stay in their zone", () => {
  runShareCases(ZONE_CASES, { own: [place("a", hostsOf(0, 2)), place("b", hostsOf(2, 2))] });
});
describe("requests stay in their zone as far as that is fair", () => {
  runShareCases(CROWDED_CASES, { own: [place("a", hostsOf(0, 3)), place("b", hostsOf(3, 1))] });
});
describe("requests stay in their zone where the own cluster is nowhere else", () => {
  runShareCases(ALL_HERE_CASES, { own: [place("a", hostsOf(0, 3))] });
});
describe("the runtime says when there is panic and how zones count", () => {
  runShareCases(RUNTIME_CASES, {
    own: [place("a", hostsOf(0, 2)), place("b", hostsOf(2, 2))],
    runtime: {
      upstream: {
        healthy_panic_threshold: 0,
        zone_routing: { enabled: 50, min_cluster_size: 2, force_local_zone: { min_size: 2 } },
      },
    },
  });
});
describe("zones do not count where the own cluster is elsewhere", () => {
  runShareCases(ELSEWHERE_CASES, { own: [place("b", hostsOf(0, 2)), place("c", hostsOf(2, 2))] });
});
describe("zones do not count where the own cluster panics", () => {
  runShareCases(OWN_PANIC_CASES, {
    own: [place("a", hostsOf(0, 0, 0, 3)), place("b", hostsOf(3, 1))],
  });
});
describe("the clusters of an aggregate share the load", () => {
  runShareCases(AGGREGATE_CASES);
});
describe("retries go to other priorities", () => {
  runShareCases(RETRY_CASES);
});
