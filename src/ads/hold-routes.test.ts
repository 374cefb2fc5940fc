import { fromBinary, fromJson, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { RouteConfigurationSchema } from "../api/gen/envoy/config/route/v3/route_pb.js";
import type { ResourceMap } from "../xds/resource-map.ts";
import type { XdsResource } from "../xds/snapshot.ts";
import { holdRoutes, keepNamed } from "./hold-routes.ts";

/** Virtual host and domain to the clusters of its one route. */
type Hosts = Readonly<Record<string, readonly string[]>>;

function routes(hosts: Hosts): ResourceMap {
  const config = fromJson(RouteConfigurationSchema, {
    name: "r",
    virtualHosts: Object.entries(hosts).map(([name, clusters]) => ({
      name,
      domains: [name],
      routes: [
        {
          route: { weightedClusters: { clusters: clusters.map((cluster) => ({ name: cluster })) } },
        },
      ],
    })),
  });
  const resource: XdsResource = {
    name: "r",
    version: JSON.stringify(hosts),
    body: toBinary(RouteConfigurationSchema, config),
    origins: [],
    references: Object.values(hosts).flat(),
  };
  return new Map([["r", resource]]);
}

function hostsOf(map: ResourceMap): Hosts {
  const { virtualHosts } = fromBinary(
    RouteConfigurationSchema,
    map.get("r")?.body ?? new Uint8Array(),
  );
  return Object.fromEntries(
    virtualHosts.map(({ name, routes: [route] }) => [
      name,
      route?.action.case === "route" &&
      route.action.value.clusterSpecifier.case === "weightedClusters"
        ? route.action.value.clusterSpecifier.value.clusters.map(({ name: cluster }) => cluster)
        : [],
    ]),
  );
}

describe("holdRoutes()", () => {
  test("keeps the virtual hosts that name a missing cluster, and moves the others", () => {
    const before = routes({ a: ["a1"], b: ["b1"] });
    const next = routes({ a: ["a1", "a2"], b: ["b2"] });
    const { routes: held, held: names } = holdRoutes(next, before, new Set(["a2"]));
    expect(hostsOf(held)).toEqual({ a: ["a1"], b: ["b2"] });
    expect(names).toEqual(["r/a"]);
    expect(held.get("r")?.references).toEqual(["a1", "b2"]);
    expect(held.get("r")?.version).not.toBe(next.get("r")?.version);
  });

  test("does the work once for all clients that lack the same", () => {
    const [before, next] = [routes({ a: ["a1"] }), routes({ a: ["a2", "a3"] })];
    const one = holdRoutes(next, before, new Set(["a2", "other"]));
    const other = holdRoutes(new Map(next), new Map(before), new Set(["a2"]));
    expect(other.routes.get("r")).toBe(one.routes.get("r"));
    expect(other.held).toEqual(["r/a"]);
    const third = holdRoutes(next, before, new Set(["a2", "a3"]));
    expect(third.held).toEqual(["r/a"]);
  });

  test("hands out what was never there before as it is", () => {
    const next = routes({ a: ["a1"], c: ["c1"] });
    const result = holdRoutes(next, routes({ a: ["a1"] }), new Set(["c1"]));
    expect(result).toEqual({ routes: next, held: [] });
  });

  test("leaves routes alone when nothing they name is missing", () => {
    const next = routes({ a: ["a2"] });
    expect(holdRoutes(next, routes({ a: ["a1"] }), new Set(["x"])).routes).toBe(next);
  });
});

describe("keepNamed()", () => {
  test("keeps what routes name, and no more", () => {
    const cluster = (name: string): [string, XdsResource] => [
      name,
      { name, version: "1", body: new Uint8Array(), origins: [], references: [] },
    ];
    const kept = keepNamed(
      new Map([cluster("new")]),
      new Map([cluster("named"), cluster("unused")]),
      routes({ a: ["named"] }),
    );
    expect([...kept.keys()]).toEqual(["new", "named"]);
  });
});
