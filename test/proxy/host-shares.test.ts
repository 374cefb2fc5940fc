import { describe } from "vitest";
import { AGGREGATE_CASES, RETRY_CASES } from "./aggregate-share-cases.ts";
import { PRIORITY_CASES } from "./host-share-cases.ts";
import { hostsOf, type PlaceSpec } from "./host-shares.ts";
import {
  ALL_HERE_CASES,
  CROWDED_CASES,
  ELSEWHERE_CASES,
  OWN_PANIC_CASES,
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

const place = (zone: string, specs: PlaceSpec["hosts"]): PlaceSpec => ({ zone, hosts: specs });

describe("requests stay in their zone", () => {
  runShareCases(ZONE_CASES, [place("a", hostsOf(0, 2)), place("b", hostsOf(2, 2))]);
});
describe("requests stay in their zone as far as that is fair", () => {
  runShareCases(CROWDED_CASES, [place("a", hostsOf(0, 3)), place("b", hostsOf(3, 1))]);
});
describe("requests stay in their zone where the own cluster is nowhere else", () => {
  runShareCases(ALL_HERE_CASES, [place("a", hostsOf(0, 3))]);
});
describe("zones do not count where the own cluster is elsewhere", () => {
  runShareCases(ELSEWHERE_CASES, [place("b", hostsOf(0, 2)), place("c", hostsOf(2, 2))]);
});
describe("zones do not count where the own cluster panics", () => {
  runShareCases(OWN_PANIC_CASES, [place("a", hostsOf(0, 0, 0, 3)), place("b", hostsOf(3, 1))]);
});
describe("the clusters of an aggregate share the load", () => {
  runShareCases(AGGREGATE_CASES);
});
describe("retries go to other priorities", () => {
  runShareCases(RETRY_CASES);
});
