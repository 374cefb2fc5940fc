import { describe, expect, test } from "vitest";
import type { LocalityLbSetting } from "../../config/locality-lb-setting.ts";
import { BARE_ENDPOINT, type Endpoint, type Locality } from "../endpoint.ts";
import { type ClientPlace, groupEndpoints, NEAR_ZONE } from "./endpoint-groups.ts";

function locality(text: string): Locality {
  const [region = "", zone = "", subzone = ""] = text.split("/");
  return { region, zone, subzone };
}

function endpoint(at: string, more: Partial<Endpoint> = {}): Endpoint {
  return { ...BARE_ENDPOINT, address: at, port: 80, locality: locality(at), ...more };
}

function place(at: string, more: Partial<ClientPlace> = {}): ClientPlace {
  return {
    locality: locality(at),
    labels: {},
    network: "",
    clusterId: "Kubernetes",
    nodeName: "",
    ...more,
  };
}

const ENDPOINTS = ["r1/z1/a", "r1/z1/b", "r1/z2/a", "r2/z1/a", "r3/z1/a"].map((at) => endpoint(at));

/** `priority weight` of each group, by the address of its first endpoint. */
function groups(
  setting: LocalityLbSetting | undefined,
  client: ClientPlace,
  {
    isFailover = true,
    endpoints = ENDPOINTS,
  }: { isFailover?: boolean; endpoints?: Endpoint[] } = {},
): Readonly<Record<string, string>> {
  const rule = setting === undefined ? undefined : { setting, isFailover };
  return Object.fromEntries(
    groupEndpoints(endpoints, rule, client).map(({ priority, weight, endpoints: own }) => [
      own[0]?.address,
      `${priority} ${weight}`,
    ]),
  );
}

describe("groupEndpoints()", () => {
  test("groups by locality, each as heavy as its endpoints together", () => {
    const endpoints = [endpoint("r1/z1", { weight: 3 }), endpoint("r1/z1", { weight: 4 })];
    expect(groups(undefined, place(""), { endpoints })).toEqual({ "r1/z1": "0 7" });
  });

  test("without a rule all localities are of one priority, in order", () => {
    const endpoints = [endpoint("r2"), endpoint("r1")];
    expect(Object.keys(groups(undefined, place("r1"), { endpoints }))).toEqual(["r1", "r2"]);
  });

  test("failover prefers the subzone, then the zone, then the region", () => {
    expect(groups({}, place("r1/z1/a"))).toEqual({
      "r1/z1/a": "0 1",
      "r1/z1/b": "1 1",
      "r1/z2/a": "2 1",
      "r2/z1/a": "3 1",
      "r3/z1/a": "3 1",
    });
  });

  test("failover to a region prefers it to the other regions", () => {
    expect(groups({ failover: [{ from: "r1", to: "r3" }] }, place("r1/z1/a"))).toMatchObject({
      "r3/z1/a": "3 1",
      "r2/z1/a": "4 1",
    });
  });

  test("failover of another region does not count", () => {
    expect(groups({ failover: [{ from: "r2", to: "r3" }] }, place("r1/z1/a"))).toMatchObject({
      "r3/z1/a": "3 1",
      "r2/z1/a": "3 1",
    });
  });

  test("there is no gap between priorities", () => {
    expect(groups({}, place("r3/z9/x"))).toMatchObject({ "r3/z1/a": "0 1", "r1/z1/a": "1 1" });
  });

  test("who does not fail over, or does not know where it is, prefers nobody", () => {
    const same = groups(undefined, place("r1/z1/a"));
    expect(groups({}, place("r1/z1/a"), { isFailover: false })).toEqual(same);
    expect(groups({}, place(""))).toEqual(same);
  });

  test("distribute gives shares, which localities that one name stands for divide", () => {
    const setting = { distribute: [{ from: "r1/z1/*", to: { "r1/z1/*": 70, "r2/*": 30 } }] };
    expect(groups(setting, place("r1/z1/a"))).toEqual({
      "r1/z1/a": "0 35",
      "r1/z1/b": "0 35",
      "r2/z1/a": "0 30",
    });
  });

  test("distribute comes before failover, and is for the localities that it names", () => {
    const setting = {
      distribute: [{ from: "r9/*", to: { "r1/*": 100 } }],
      failoverPriority: ["a"],
    };
    expect(groups(setting, place("r1/z1/a"))).toEqual(groups(undefined, place("")));
  });

  test("failoverPriority counts labels in common, up to the first that differs", () => {
    const endpoints = [
      endpoint("both", { labels: { a: "1", b: "2" } }),
      endpoint("first", { labels: { a: "1", b: "9" } }),
      endpoint("second", { labels: { a: "9", b: "2" } }),
      endpoint("none"),
    ];
    const client = place("", { labels: { a: "1", b: "2" } });
    expect(groups({ failoverPriority: ["a", "b"] }, client, { endpoints })).toEqual({
      both: "0 1",
      first: "1 1",
      none: "2 1",
      second: "2 1",
    });
  });

  test("failoverPriority with a value takes it instead of the client's", () => {
    const endpoints = [
      endpoint("x", { labels: { a: "1" } }),
      endpoint("y", { labels: { a: "2" } }),
    ];
    const client = place("", { labels: { a: "1" } });
    expect(groups({ failoverPriority: ["a=2"] }, client, { endpoints })).toEqual({
      x: "1 1",
      y: "0 1",
    });
  });

  test("failoverPriority knows where endpoints are by the labels of topology", () => {
    expect(groups(NEAR_ZONE, place("r1/z1/a"))).toEqual({
      "r1/z1/a": "0 1",
      "r1/z1/b": "1 1",
      "r1/z2/a": "2 1",
      "r2/z1/a": "3 1",
      "r3/z1/a": "3 1",
    });
  });

  test("failover after failoverPriority divides each of its priorities", () => {
    const endpoints = [
      endpoint("r1/z1", { labels: { a: "1" } }),
      endpoint("r2/z1", { labels: { a: "1" } }),
      endpoint("r1/z1/x", { labels: { a: "2" } }),
    ];
    const setting = { failoverPriority: ["a"], failover: [{ from: "r1", to: "r2" }] };
    const client = place("r1/z1", { labels: { a: "1" } });
    expect(groups(setting, client, { endpoints })).toEqual({
      "r1/z1": "0 1",
      "r2/z1": "1 1",
      "r1/z1/x": "2 1",
    });
  });

  test("clients that prefer alike share the value", () => {
    const rule = { setting: {}, isFailover: true };
    const first = groupEndpoints(ENDPOINTS, rule, place("r1/z1/a", { labels: { app: "x" } }));
    const second = groupEndpoints(ENDPOINTS, rule, place("r1/z1/a", { labels: { app: "y" } }));
    expect(second).toBe(first);
  });
});
