import { afterAll, beforeAll, expect, test } from "vitest";
import { aggregateCluster, httpListener, routeTable, socketAddress } from "./bootstrap-json.ts";
import { BothPlanes } from "./both-planes.ts";
import type { ShareCase } from "./host-share-cases.ts";
import { assignmentOf, countAnswers, NumberedHosts, type PlaceSpec } from "./host-shares.ts";

/** So many requests a case. */
const REQUESTS = 1000;
/** How far a share may be from what it should be, in standard deviations. */
const DEVIATIONS = 5;

/** So many upstreams, from 0. */
const HOSTS = 16;

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

/** The clusters of one case: its own, and the members of that where it is an aggregate. */
function clustersOf(one: ShareCase, name: string, hosts: readonly number[]): readonly object[] {
  const fixed = (of: string, places: readonly PlaceSpec[], policy?: object): object => ({
    name: of,
    type: "STATIC",
    connect_timeout: "5s",
    load_assignment: assignmentOf(of, places, hosts, policy),
  });
  const { members, places = [], policy, cluster } = one;
  if (members === undefined) return [{ ...fixed(name, places, policy), ...cluster }];
  const names = members.map((_, at) => `${name}-${at}`);
  return [
    { ...aggregateCluster(name, names), ...cluster },
    ...members.flatMap((member, at) =>
      member === undefined ? [] : [{ ...fixed(names[at] ?? "", member), ...one.memberCluster }],
    ),
  ];
}

/** A bootstrap with a cluster and a path for each case. */
function bootstrap(
  cases: readonly ShareCase[],
  ports: Ports,
  hosts: readonly number[],
  { own, runtime }: ShareWorld,
): object {
  const routes = cases.map(({ route }, at) => ({
    match: { path: `/${at}` },
    route: { cluster: `c${at}`, ...route },
  }));
  const node = { id: "a", cluster: "own", locality: { region: "r", zone: "a" } };
  return {
    ...(own === undefined ? {} : { node, cluster_manager: { local_cluster_name: "own" } }),
    ...(runtime === undefined
      ? {}
      : { layered_runtime: { layers: [{ name: "a", static_layer: runtime }] } }),
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [httpListener("in", ports.in, { route_config: routeTable(routes) })],
      clusters: [
        ...(own === undefined
          ? []
          : clustersOf({ name: "", places: own, shares: {} }, "own", hosts)),
        ...cases.flatMap((one, at) => clustersOf(one, `c${at}`, hosts)),
      ],
    },
  };
}

/** What all cases of a run have in common. */
interface ShareWorld {
  /** The hosts of the proxy's own cluster. */
  readonly own?: readonly PlaceSpec[];
  /** Values that configuration is overruled by. */
  readonly runtime?: object;
}

/** Tests all of them on weft and on Envoy. */
export function runShareCases(cases: readonly ShareCase[], world: ShareWorld = {}): void {
  const both = new BothPlanes<"in">();
  let hosts: NumberedHosts;
  beforeAll(async () => {
    hosts = await NumberedHosts.start(HOSTS);
    await both.start(["in"], (ports) => bootstrap(cases, ports, hosts.ports, world));
  });
  afterAll(async () => {
    await both.stop();
    await hosts.stop();
  });

  test.each(cases.map((one, at) => ({ ...one, at })))("$name", async (one) => {
    const { at, shares, counters = {}, fails } = one;
    const headers = fails === undefined ? "" : `x-fail: ${fails}\r\n`;
    for (const plane of both.planes) {
      const prefix = `cluster.c${at}.`;
      // What is counted once, before the first request, is not about requests.
      await countAnswers(plane.ports.in, `/${at}`, 1);
      const before = await plane.stats(prefix);
      const counts = await countAnswers(plane.ports.in, `/${at}`, REQUESTS, headers);
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
