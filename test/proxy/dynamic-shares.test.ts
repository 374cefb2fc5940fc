import { afterEach, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { aggregateCluster, httpListener, routeTable, staticCluster } from "./bootstrap-json.ts";
import { BothPlanes, type Plane } from "./both-planes.ts";
import { dynamicBootstrap, edsCluster } from "./dynamic-bootstrap.ts";
import {
  assignmentOf,
  countAnswers,
  hostsOf,
  NumberedHosts,
  type PlaceSpec,
} from "./host-shares.ts";
import { TestControlPlane } from "./test-control-plane.ts";

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface World {
  readonly controlPlane: TestControlPlane;
  readonly both: BothPlanes<"in">;
  readonly hosts: NumberedHosts;
}

/** weft and Envoy under one control plane, with a listener whose routes go to these clusters. */
async function start(clusters: Readonly<Record<string, object>>, to: string): Promise<World> {
  const hosts = await NumberedHosts.start(6);
  closers.push(() => hosts.stop());
  const controlPlane = new TestControlPlane();
  await controlPlane.start();
  closers.push(() => controlPlane.stop());
  controlPlane.set("cluster", clusters);
  // Envoy is not ready before it knows of all endpoints.
  const names = ["up", "one", "two"].map((name) => [name, assignmentOf(name, [], [])] as const);
  controlPlane.set("endpoint", Object.fromEntries(names));
  const both = new BothPlanes<"in">();
  closers.push(() => both.stop());
  const routes = [{ match: { prefix: "/" }, route: { cluster: to } }];
  await both.start(["in"], (ports) => {
    const {
      dynamic_resources: dynamic,
      static_resources: fixed,
      ...rest
    } = dynamicBootstrap(controlPlane.port, ports.admin);
    const listener = httpListener("in", ports.in, { route_config: routeTable(routes) });
    return {
      ...rest,
      dynamic_resources: { cds_config: dynamic.cds_config, ads_config: dynamic.ads_config },
      static_resources: { ...fixed, listeners: [listener] },
    };
  });
  return { controlPlane, both, hosts };
}

/** Sends until answers come only from these, and from all of them; who answers then. */
async function answersOf(plane: Plane<"in">, names: readonly string[]): Promise<readonly string[]> {
  let last: readonly string[] = [];
  await until(async () => {
    last = Object.keys(await countAnswers(plane.ports.in, "/", 40)).sort();
    return last.join() === names.join();
  }, `${plane.name} to answer from ${names.join()} only`).catch(() => undefined);
  return last;
}

describe("an aggregate of a control plane's clusters", () => {
  const member = (name: string, port: number): object => staticCluster(name, [port]);

  test("follows members that come, change and go", async () => {
    const world = await start({ up: aggregateCluster("up", ["one", "two"]) }, "up");
    const { controlPlane, both, hosts } = world;
    const [zero = 0, one = 0, two = 0] = hosts.ports;
    const up = aggregateCluster("up", ["one", "two"]);
    for (const [clusters, answers] of [
      [{}, ["503 no healthy upstream"]],
      [{ two: member("two", one) }, ["1"]],
      [{ one: member("one", zero), two: member("two", one) }, ["0"]],
      [{ one: member("one", two), two: member("two", one) }, ["2"]],
      [{ two: member("two", one) }, ["1"]],
    ] as const) {
      controlPlane.set("cluster", { up, ...clusters });
      for (const plane of both.planes) expect(await answersOf(plane, answers)).toEqual(answers);
    }
    controlPlane.set("cluster", { up: aggregateCluster("up", ["three"]), two: member("two", one) });
    for (const plane of both.planes)
      expect(await answersOf(plane, ["503 no healthy upstream"])).toEqual([
        "503 no healthy upstream",
      ]);
  });

  test("follows the health of its members' hosts", async () => {
    const clusters = {
      up: aggregateCluster("up", ["one", "two"]),
      one: edsCluster("one"),
      two: edsCluster("two"),
    };
    const world = await start(clusters, "up");
    const { controlPlane, both, hosts } = world;
    const tell = (healthy: number): void => {
      controlPlane.set("endpoint", {
        one: assignmentOf("one", [{ hosts: hostsOf(0, healthy, 0, 2 - healthy) }], hosts.ports),
        two: assignmentOf("two", [{ hosts: hostsOf(2, 1) }], hosts.ports),
      });
    };
    for (const [healthy, answers] of [
      [2, ["0", "1"]],
      [0, ["2"]],
      // 70 % of 40 requests and the rest: each gets some but for a chance of one in a million.
      [1, ["0", "2"]],
      [2, ["0", "1"]],
    ] as const) {
      tell(healthy);
      for (const plane of both.planes) expect(await answersOf(plane, answers)).toEqual(answers);
    }
  });
});

describe("discovery changes", () => {
  test("priorities, localities and how hosts count", async () => {
    const up = edsCluster("up", { common_lb_config: { locality_weighted_lb_config: {} } });
    const { controlPlane, both, hosts } = await start({ up }, "up");
    const steps: readonly (readonly [
      readonly PlaceSpec[],
      object | undefined,
      readonly string[],
    ])[] = [
      [[{ zone: "a", weight: 1, hosts: hostsOf(0, 1) }], undefined, ["0"]],
      // The same host in another priority, behind a better one.
      [
        [
          { zone: "a", weight: 1, priority: 1, hosts: hostsOf(0, 1) },
          { zone: "a", weight: 1, hosts: hostsOf(1, 1) },
        ],
        undefined,
        ["1"],
      ],
      // Half of the first priority goes, which is still enough.
      [
        [
          { zone: "a", weight: 1, priority: 1, hosts: hostsOf(0, 1) },
          { zone: "a", weight: 1, hosts: hostsOf(1, 3, 0, 1) },
        ],
        undefined,
        ["1", "2", "3"],
      ],
      // And is not, when hosts count for no more than they are.
      [
        [
          { zone: "a", weight: 1, priority: 1, hosts: hostsOf(0, 1) },
          { zone: "a", weight: 1, hosts: hostsOf(1, 3, 0, 1) },
        ],
        { overprovisioning_factor: 100 },
        ["0", "1", "2", "3"],
      ],
      // Only the weights of localities change.
      [
        [
          { zone: "a", weight: 1, hosts: hostsOf(0, 1) },
          { zone: "b", weight: 1, hosts: hostsOf(1, 1) },
        ],
        undefined,
        ["0", "1"],
      ],
      [
        [
          { zone: "a", hosts: hostsOf(0, 1) },
          { zone: "b", weight: 1, hosts: hostsOf(1, 1) },
        ],
        undefined,
        ["1"],
      ],
    ];
    for (const [places, policy, answers] of steps) {
      controlPlane.set("endpoint", { up: assignmentOf("up", places, hosts.ports, policy) });
      for (const plane of both.planes) expect(await answersOf(plane, answers)).toEqual(answers);
    }
  });
});

describe("slow start", () => {
  const WINDOW_MS = 2000;
  const REQUESTS = 400;

  test.each([
    ["round robin", { round_robin_lb_config: slow() }],
    ["least request", { lb_policy: "LEAST_REQUEST", least_request_lb_config: slow() }],
  ])("gives a new host little at first: %s", async (_name, options) => {
    const { controlPlane, both, hosts } = await start({ up: edsCluster("up", options) }, "up");
    const tell = (count: number): void => {
      controlPlane.set("endpoint", {
        up: assignmentOf("up", [{ hosts: hostsOf(0, count) }], hosts.ports),
      });
    };
    tell(1);
    for (const plane of both.planes) expect(await answersOf(plane, ["0"])).toEqual(["0"]);
    await new Promise((resolve) => setTimeout(resolve, WINDOW_MS));
    tell(2);
    const shares = await Promise.all(
      both.planes.map(async (plane) => {
        await until(
          async () =>
            (await plane.stats("cluster.up.membership_total"))["cluster.up.membership_total"] === 2,
          `${plane.name} to have two hosts`,
        );
        const first = await countAnswers(plane.ports.in, "/", REQUESTS);
        await new Promise((resolve) => setTimeout(resolve, WINDOW_MS));
        const last = await countAnswers(plane.ports.in, "/", REQUESTS);
        return { first: (first["1"] ?? 0) / REQUESTS, last: (last["1"] ?? 0) / REQUESTS };
      }),
    );
    for (const { first, last } of shares) {
      // A tenth of the other's weight is a share of 9 %; on a slow machine some of the window goes by.
      expect(first).toBeLessThan(0.4);
      expect(first).toBeGreaterThan(0.02);
      expect(Math.abs(last - 0.5)).toBeLessThan(0.2);
    }
  });

  function slow(): object {
    return { slow_start_config: { slow_start_window: `${WINDOW_MS / 1000}s` } };
  }
});
