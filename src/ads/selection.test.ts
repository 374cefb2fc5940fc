import { describe, expect, test } from "vitest";
import { layeredMap } from "../xds/resource-map.ts";
import { NameSets } from "./name-sets.ts";
import { type Offered, selectionsOf, versionOf } from "./selection.ts";
import { snapshotOf } from "./stream-rig.ts";

function offered(clusters: readonly string[], endpoints: readonly string[]): Offered {
  const { cluster, endpoint } = snapshotOf({ cluster: clusters, endpoint: endpoints }).resources;
  return { kind: "endpoint", map: endpoint, parents: cluster };
}

describe("versionOf()", () => {
  const sets = new NameSets();
  const names = sets.of(["a", "b"]);
  const version = versionOf(offered(["a", "b", "c"], ["a", "b", "c"]), names);

  test("is the same for the same resources, in whatever order and whoever made them", () => {
    expect(versionOf(offered(["c", "b", "a"], ["b", "c", "a"]), names)).toBe(version);
    expect(versionOf(offered(["b", "a"], ["b", "a"]), undefined)).toBe(version);
  });

  test("is the same for resources in layers and in one map", () => {
    const parts = [offered(["own"], ["own"]), offered(["a", "b"], ["a", "b"])] as const;
    const layered: Offered = {
      kind: "endpoint",
      map: layeredMap(parts[0].map, parts[1].map),
      parents: layeredMap(parts[0].parents, parts[1].parents),
    };
    expect(versionOf(layered, names)).toBe(version);
    const whole = versionOf(offered(["own", "a", "b"], ["own", "a", "b"]), undefined);
    expect(versionOf(layered, undefined)).toBe(whole);
  });

  test("is that of the earlier layer where two have a name", () => {
    const [over, under] = [offered(["a:2"], ["a:2"]), offered(["a", "b"], ["a", "b"])];
    const layered: Offered = {
      kind: "endpoint",
      map: layeredMap(over.map, under.map),
      parents: layeredMap(over.parents, under.parents),
    };
    expect(versionOf(layered, names)).toBe(versionOf(offered(["a:2", "b"], ["a:2", "b"]), names));
  });

  test.each([
    ["endpoints", offered(["a", "b"], ["a:2", "b"])],
    ["a cluster of endpoints", offered(["a:2", "b"], ["a", "b"])],
    ["which there are", offered(["a", "b"], ["a"])],
  ])("differs when %s changed", (_, other) => {
    expect(versionOf(other, names)).not.toBe(version);
  });
});

describe("selectionsOf()", () => {
  test("finds and encodes once for all who name the same of the same layer", () => {
    const sets = new NameSets();
    const shared = offered(["a", "b"], ["a", "b"]);
    const own = (name: string): Offered => ({
      ...shared,
      parents: layeredMap(offered([name], []).parents, shared.parents),
    });
    const [one] = selectionsOf(own("x"), sets.of(["a", "b"]));
    const [other] = selectionsOf(own("y"), sets.of(["b", "a"]));
    expect(one).toBe(other);
    one?.body("any");
    expect(one?.body("any")).toBe(other?.body("any"));
  });
});
