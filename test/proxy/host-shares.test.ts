import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { httpListener, routeTable, socketAddress } from "./bootstrap-json.ts";
import { BothPlanes } from "./both-planes.ts";
import { PRIORITY_CASES, type ShareCase } from "./host-share-cases.ts";
import {
  assignmentOf,
  countAnswers,
  hostsOf,
  NumberedHosts,
  type PlaceSpec,
} from "./host-shares.ts";
import {
  CROWDED_CASES,
  ELSEWHERE_CASES,
  OWN_PANIC_CASES,
  WEIGHT_CASES,
  ZONE_CASES,
} from "./locality-share-cases.ts";

/** So many requests a case. */
const REQUESTS = 1000;
/** How far a share may be from what it should be, in standard deviations. */
const DEVIATIONS = 5;

let hosts: NumberedHosts;
beforeAll(async () => {
  hosts = await NumberedHosts.start(16);
});
afterAll(() => hosts.stop());

/** Every host of "0-3", or the one name that it is. */
function namesOf(key: string): readonly string[] {
  const range = /^(\d+)-(\d+)$/.exec(key);
  if (range === null) return [key];
  const [first, last] = [Number(range[1]), Number(range[2])];
  return Array.from({ length: last - first + 1 }, (_, at) => String(first + at));
}

/** Which counts cannot have come from these shares; exact where the share is all or nothing. */
function misses(
  counts: Readonly<Record<string, number>>,
  shares: Readonly<Record<string, number>>,
): readonly string[] {
  const expected = new Map(
    Object.entries(shares).flatMap(([key, share]) => {
      const names = namesOf(key);
      return names.map((name) => [name, share / names.length / 100] as const);
    }),
  );
  const names = new Set([...expected.keys(), ...Object.keys(counts)]);
  return [...names].flatMap((name) => {
    const share = expected.get(name) ?? 0;
    const count = counts[name] ?? 0;
    const bound =
      DEVIATIONS * Math.sqrt(REQUESTS * share * (1 - share)) + (share < 1 && share > 0 ? 2 : 0);
    return Math.abs(count - REQUESTS * share) <= bound
      ? []
      : [`${name}: ${count}, not ${REQUESTS * share}`];
  });
}

const COUNTERS = [
  "lb_healthy_panic",
  "lb_local_cluster_not_ok",
  "lb_zone_no_capacity_left",
  "lb_zone_routing_all_directly",
  "lb_zone_routing_cross_zone",
  "lb_zone_routing_sampled",
  "upstream_cx_none_healthy",
];

type Ports = Readonly<Record<"in" | "admin", number>>;

/** A bootstrap with a cluster and a path for each case; `own` is where the proxy belongs to. */
function bootstrap(cases: readonly ShareCase[], ports: Ports, own?: readonly PlaceSpec[]): object {
  const routes = cases.map((_, at) => ({
    match: { path: `/${at}` },
    route: { cluster: `c${at}` },
  }));
  const cluster = (name: string, places: readonly PlaceSpec[], policy?: object): object => ({
    name,
    type: "STATIC",
    connect_timeout: "5s",
    load_assignment: assignmentOf(name, places, hosts.ports, policy),
  });
  const node = { id: "a", cluster: "own", locality: { region: "r", zone: "a" } };
  return {
    ...(own === undefined ? {} : { node, cluster_manager: { local_cluster_name: "own" } }),
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [httpListener("in", ports.in, { route_config: routeTable(routes) })],
      clusters: [
        ...(own === undefined ? [] : [cluster("own", own)]),
        ...cases.map((one, at) => ({
          ...cluster(`c${at}`, one.places, one.policy),
          ...one.cluster,
        })),
      ],
    },
  };
}

function runAll(cases: readonly ShareCase[], own?: readonly PlaceSpec[]): void {
  const both = new BothPlanes<"in">();
  beforeAll(() => both.start(["in"], (ports) => bootstrap(cases, ports, own)));
  afterAll(() => both.stop());

  test.each(cases.map((one, at) => ({ ...one, at })))("$name", async (one) => {
    const { at, shares, counters = {} } = one;
    for (const plane of both.planes) {
      const prefix = `cluster.c${at}.`;
      // What is counted once, before the first request, is not about requests.
      await countAnswers(plane.ports.in, `/${at}`, 1);
      const before = await plane.stats(prefix);
      const counts = await countAnswers(plane.ports.in, `/${at}`, REQUESTS);
      const stats = await plane.stats(prefix);
      const counted = Object.fromEntries(
        COUNTERS.map((name) => [name, (stats[prefix + name] ?? 0) - (before[prefix + name] ?? 0)]),
      );
      const problems = { answers: misses(counts, shares), counters: misses(counted, counters) };
      expect({ plane: plane.name, ...problems }).toEqual({
        plane: plane.name,
        answers: [],
        counters: [],
      });
    }
  });
}

describe("priorities share the load", () => {
  runAll(PRIORITY_CASES);
});
describe("localities share the load by weight", () => {
  runAll(WEIGHT_CASES);
});

const place = (zone: string, specs: PlaceSpec["hosts"]): PlaceSpec => ({ zone, hosts: specs });

describe("requests stay in their zone", () => {
  runAll(ZONE_CASES, [place("a", hostsOf(0, 2)), place("b", hostsOf(2, 2))]);
});
describe("requests stay in their zone as far as that is fair", () => {
  runAll(CROWDED_CASES, [place("a", hostsOf(0, 3)), place("b", hostsOf(3, 1))]);
});
describe("zones do not count where the own cluster is elsewhere", () => {
  runAll(ELSEWHERE_CASES, [place("b", hostsOf(0, 2)), place("c", hostsOf(2, 2))]);
});
describe("zones do not count where the own cluster panics", () => {
  runAll(OWN_PANIC_CASES, [place("a", hostsOf(0, 0, 0, 3)), place("b", hostsOf(3, 1))]);
});
