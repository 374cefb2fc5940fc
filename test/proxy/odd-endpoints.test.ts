import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { BothPlanes, type Plane } from "./both-planes.ts";
import { dynamicBootstrap, edsCluster } from "./dynamic-bootstrap.ts";
import { assignmentOf, countAnswers, NumberedHosts, type PlaceSpec } from "./host-shares.ts";
import { TestControlPlane } from "./test-control-plane.ts";

/** Requests to each cluster. */
const REQUESTS = 60;
const WEIGHT_MAX = 4_294_967_295;

/** Endpoints such as nobody should send, and who answers in spite of that. */
interface OddCase {
  readonly what: string;
  readonly places: readonly PlaceSpec[];
  readonly cluster?: object;
  /** The answers that come: numbers of hosts, or a status with its body. */
  readonly answers: readonly string[];
  /** Of STATIC, where they are not the same. */
  readonly staticAnswers?: readonly string[];
  /** How many hosts there are of EDS, and of STATIC where that is not the same. */
  readonly hosts: number;
  readonly staticHosts?: number;
}

const NOBODY = ["503 no healthy upstream"];
const CASES: readonly OddCase[] = [
  { what: "no localities", places: [], answers: NOBODY, hosts: 0 },
  { what: "a locality without endpoints", places: [{ hosts: [] }], answers: NOBODY, hosts: 0 },
  {
    what: "endpoints of which none is healthy",
    places: [{ hosts: [0, 1].map((host) => ({ host, health: "UNHEALTHY" })) }],
    answers: ["0", "1"],
    hosts: 2,
  },
  {
    what: "endpoints of which none is healthy, and no panic",
    places: [{ hosts: [0, 1].map((host) => ({ host, health: "TIMEOUT" })) }],
    cluster: { common_lb_config: { healthy_panic_threshold: { value: 0 } } },
    answers: NOBODY,
    hosts: 2,
  },
  {
    what: "weights whose sum is too large",
    places: [{ hosts: [0, 1, 2].map((host) => ({ host, weight: WEIGHT_MAX })) }],
    answers: ["0", "1", "2"],
    hosts: 3,
  },
  {
    what: "the heaviest beside the lightest",
    places: [{ hosts: [{ host: 0, weight: WEIGHT_MAX }, { host: 1 }] }],
    answers: ["0"],
    hosts: 2,
  },
  {
    what: "localities whose weights' sum is too large",
    places: [0, 1, 2].map((host) => ({ zone: `z${host}`, weight: WEIGHT_MAX, hosts: [{ host }] })),
    cluster: { common_lb_config: { locality_weighted_lb_config: {} } },
    answers: ["0", "1", "2"],
    hosts: 3,
  },
  {
    what: "an endpoint twice, with two weights",
    places: [{ hosts: [{ host: 0, weight: 3 }, { host: 1 }, { host: 0, weight: 5 }] }],
    answers: ["0", "1"],
    hosts: 2,
    staticHosts: 3,
  },
  {
    what: "an endpoint in two localities",
    places: [
      { zone: "a", hosts: [{ host: 0 }, { host: 1 }] },
      { zone: "b", hosts: [{ host: 1 }, { host: 2 }] },
    ],
    answers: ["0", "1", "2"],
    hosts: 3,
    staticHosts: 4,
  },
  {
    what: "an endpoint in two priorities",
    places: [
      { priority: 0, hosts: [{ host: 0, health: "UNHEALTHY" }, { host: 1 }] },
      { priority: 1, hosts: [{ host: 0 }, { host: 2 }] },
    ],
    // The first of both counts, which is out of use.
    answers: ["1", "2"],
    staticAnswers: ["0", "1", "2"],
    hosts: 3,
    staticHosts: 4,
  },
  {
    what: "endpoints of a late priority only",
    places: [{ priority: 3, hosts: [{ host: 0 }] }],
    answers: ["0"],
    hosts: 1,
  },
  {
    what: "a locality twice",
    places: [
      { zone: "a", weight: 1, hosts: [{ host: 0 }] },
      { zone: "a", weight: 2, hosts: [{ host: 1 }] },
    ],
    cluster: { common_lb_config: { locality_weighted_lb_config: {} } },
    answers: ["0", "1"],
    hosts: 2,
  },
];

const TYPES = ["eds", "static"] as const;
type Type = (typeof TYPES)[number];

function nameOf(type: Type, one: OddCase): string {
  return `${type}-${CASES.indexOf(one)}`;
}

const both = new BothPlanes<"in">();
const controlPlane = new TestControlPlane();
let hosts: NumberedHosts;

beforeAll(async () => {
  hosts = await NumberedHosts.start(3);
  await controlPlane.start();
  const assignments = CASES.map(
    (one) =>
      [nameOf("eds", one), assignmentOf(nameOf("eds", one), one.places, hosts.ports)] as const,
  );
  controlPlane.set("endpoint", {
    ...Object.fromEntries(assignments),
    kept: assignmentOf("kept", [{ hosts: [{ host: 0 }] }], hosts.ports),
  });
  await both.start(["in"], (ports) => {
    const { node, admin, dynamic_resources, static_resources } = dynamicBootstrap(
      controlPlane.port,
      ports.admin,
    );
    const { ads_config } = dynamic_resources;
    const clusters = CASES.flatMap((one) => [
      edsCluster(nameOf("eds", one), one.cluster),
      staticCluster(nameOf("static", one), [], {
        load_assignment: assignmentOf(nameOf("static", one), one.places, hosts.ports),
        ...one.cluster,
      }),
    ]);
    const names = TYPES.flatMap((type) => CASES.map((one) => nameOf(type, one)));
    const routes = names.map((cluster) => ({ match: { path: `/${cluster}` }, route: { cluster } }));
    return {
      node,
      admin,
      dynamic_resources: { ads_config },
      static_resources: {
        clusters: [...static_resources.clusters, ...clusters, edsCluster("kept")],
        listeners: [httpListener("in", ports.in, { route_config: routeTable(routes) })],
      },
    };
  });
});

afterAll(async () => {
  await both.stop();
  controlPlane.stop();
  await hosts.stop();
});

/** What comes of a cluster's endpoints. */
async function look(plane: Plane<"in">, cluster: string): Promise<object> {
  const counts = await countAnswers(plane.ports.in, `/${cluster}`, REQUESTS);
  const stats = await plane.stats(`cluster.${cluster}.`);
  const count = (name: string): number => stats[`cluster.${cluster}.${name}`] ?? -1;
  return {
    answers: Object.keys(counts).toSorted(),
    total: count("membership_total"),
    healthy: count("membership_healthy"),
    degraded: count("membership_degraded"),
    panicked: count("lb_healthy_panic") > 0,
    none: count("upstream_cx_none_healthy"),
  };
}

describe.each(TYPES)("%s endpoints", (type) => {
  test.each(CASES)("are taken: $what", async (one) => {
    const cluster = nameOf(type, one);
    const { weft, envoy } = await both.each((plane) => look(plane, cluster));
    expect(weft).toEqual(envoy);
    const { answers, hosts: total } = one;
    const { staticAnswers = answers, staticHosts = total } = one;
    expect(weft).toMatchObject(
      type === "eds" ? { answers, total } : { answers: staticAnswers, total: staticHosts },
    );
  });
});

describe("EDS", () => {
  async function stat(plane: Plane<"in">, name: string): Promise<number> {
    return (await plane.stats(`cluster.kept.${name}`))[`cluster.kept.${name}`] ?? -1;
  }

  test("takes 500 endpoints, and the same without one of them", async () => {
    const addresses = Array.from({ length: 500 }, (_, at) => `127.1.${at >> 8}.${at & 255}`);
    for (const some of [addresses, addresses.toSpliced(250, 1)]) {
      const endpoints = some.map((address) => ({
        endpoint: { address: socketAddress(9, address) },
      }));
      controlPlane.set("endpoint", {
        kept: { cluster_name: "kept", endpoints: [{ lb_endpoints: endpoints }] },
      });
      const seen = await both.each(async (plane) => {
        const isThere = async (): Promise<boolean> =>
          (await stat(plane, "membership_total")) === some.length;
        await until(isThere, `${plane.name} to have ${some.length}`);
        const page = await fetch(`http://127.0.0.1:${plane.ports.admin}/clusters`);
        const lines = (await page.text()).split("\n");
        return lines.filter((line) => /^kept::.*::(weight|priority)::/.test(line));
      });
      expect(seen.weft).toHaveLength(2 * some.length);
      expect(seen.weft).toEqual(seen.envoy);
    }
  });

  test("follows 2,000 endpoints through changes", async () => {
    const address = (at: number): string => `127.${1 + (at >> 8)}.1.${at & 255}`;
    const one = (at: number, weight = 1): object => ({
      endpoint: { address: socketAddress(9, address(at)) },
      load_balancing_weight: weight,
    });
    const all = Array.from({ length: 2000 }, (_, at) => one(at));
    const steps: readonly (readonly object[])[] = [
      all,
      all.with(1000, one(3000)),
      all.toSpliced(500, 1).toSpliced(1500, 0, one(3001)),
      all.map((_, at) => one(at, 1 + (at % 100 === 0 ? 5 : 0))),
      [...all.slice(1000), ...all.slice(0, 1000)],
      all.toReversed().slice(10),
      all,
    ];
    for (const [step, endpoints] of steps.entries()) {
      // An update that another one overtakes would not be counted.
      const before = await both.each((plane) => stat(plane, "update_success"));
      controlPlane.set("endpoint", {
        kept: { cluster_name: "kept", endpoints: [{ lb_endpoints: endpoints }] },
      });
      const seen = await both.each(async (plane) => {
        const hasCome = async (): Promise<boolean> =>
          (await stat(plane, "update_success")) > before[plane.name];
        await until(hasCome, `${plane.name} to take step ${step}`);
        const page = await fetch(`http://127.0.0.1:${plane.ports.admin}/clusters`);
        const lines = (await page.text()).split("\n");
        const weights = lines.filter((line) => /^kept::.*::weight::/.test(line));
        return [...weights.toSorted(), await stat(plane, "membership_change")];
      });
      expect(seen.weft).toHaveLength(endpoints.length + 1);
      expect(seen.weft).toEqual(seen.envoy);
    }
  });

  test("says nothing new with an update that is the same", async () => {
    const before = await both.each(async (plane) => [
      await stat(plane, "update_no_rebuild"),
      await stat(plane, "membership_change"),
    ]);
    controlPlane.repeat("endpoint");
    const after = await both.each(async (plane) => {
      const isBack = async (): Promise<boolean> =>
        (await stat(plane, "update_no_rebuild")) > (before[plane.name][0] ?? 0);
      await until(isBack, `${plane.name} to see that nothing changed`);
      return stat(plane, "membership_change");
    });
    expect(after).toEqual({ weft: before.weft[1], envoy: before.envoy[1] });
  });

  test("counts what it takes and what it refuses", async () => {
    const names = ["attempt", "success", "rejected", "failure", "empty"];
    const counts = (plane: Plane<"in">): Promise<readonly number[]> =>
      Promise.all(names.map((name) => stat(plane, `update_${name}`)));
    const good = assignmentOf("kept", [{ hosts: [{ host: 0 }] }], hosts.ports);
    const weightless = [{ hosts: [{ host: 0, weight: 0 }] }];
    const updates = [good, assignmentOf("kept", weightless, hosts.ports), good];
    for (const update of updates) {
      const before = await both.each(counts);
      controlPlane.set("endpoint", { kept: update });
      const after = await both.each(async (plane) => {
        const hasCome = async (): Promise<boolean> =>
          (await stat(plane, "update_attempt")) > (before[plane.name][0] ?? 0);
        await until(hasCome, `${plane.name} to count an update`);
        return [...(await counts(plane)), await stat(plane, "membership_total")];
      });
      expect(after.weft).toEqual(after.envoy);
      expect(after.weft.at(-1)).toBe(1);
    }
  });
});
