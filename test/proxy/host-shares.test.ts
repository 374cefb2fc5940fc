import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { httpListener, routeTable, socketAddress } from "./bootstrap-json.ts";
import { BothPlanes } from "./both-planes.ts";
import { PRIORITY_CASES, type ShareCase } from "./host-share-cases.ts";
import { assignmentOf, countAnswers, NumberedHosts } from "./host-shares.ts";

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

const COUNTERS = ["lb_healthy_panic", "upstream_cx_none_healthy"];

function bootstrap(
  cases: readonly ShareCase[],
  ports: Readonly<Record<"in" | "admin", number>>,
): object {
  const routes = cases.map((_, at) => ({
    match: { path: `/${at}` },
    route: { cluster: `c${at}` },
  }));
  return {
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [httpListener("in", ports.in, { route_config: routeTable(routes) })],
      clusters: cases.map(({ places, cluster, policy }, at) => ({
        name: `c${at}`,
        type: "STATIC",
        connect_timeout: "5s",
        load_assignment: assignmentOf(`c${at}`, places, hosts.ports, policy),
        ...cluster,
      })),
    },
  };
}

describe("priorities share the load", () => {
  const both = new BothPlanes<"in">();
  beforeAll(() => both.start(["in"], (ports) => bootstrap(PRIORITY_CASES, ports)));
  afterAll(() => both.stop());

  test.each(PRIORITY_CASES.map((one, at) => ({ ...one, at })))(
    "$name",
    async ({ at, shares, counters = {} }) => {
      for (const plane of both.planes) {
        const counts = await countAnswers(plane.ports.in, `/${at}`, REQUESTS);
        const stats = await plane.stats(`cluster.c${at}.`);
        const counted = Object.fromEntries(
          COUNTERS.map((name) => [name, stats[`cluster.c${at}.${name}`] ?? 0]),
        );
        const problems = { answers: misses(counts, shares), counters: misses(counted, counters) };
        expect({ plane: plane.name, ...problems }).toEqual({
          plane: plane.name,
          answers: [],
          counters: [],
        });
      }
    },
  );
});
