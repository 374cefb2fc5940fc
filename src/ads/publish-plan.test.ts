import { fromJson, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ClusterLoadAssignmentSchema } from "../api/gen/envoy/config/endpoint/v3/endpoint_pb.js";
import type { ResourceMap } from "../xds/resource-map.ts";
import type { XdsResource } from "../xds/snapshot.ts";
import { type Published, planStages } from "./publish-plan.ts";

function resources(...specs: readonly string[]): ResourceMap {
  return new Map(
    specs.map((spec) => {
      const [name = "", version = "1", ...references] = spec.split(":");
      const resource: XdsResource = {
        name,
        version,
        body: new Uint8Array(),
        origins: [],
        references,
      };
      return [name, resource];
    }),
  );
}

function published(parts: Partial<Published>): Published {
  const none: ResourceMap = new Map();
  return {
    cluster: none,
    endpoint: none,
    listener: none,
    route: none,
    virtualHost: none,
    ...parts,
  };
}

/** Endpoints of a cluster as they go out: one, or none. */
function assignment(clusterName: string, address: string | undefined): [string, XdsResource] {
  const json = {
    endpoint: { address: { socketAddress: { address: address ?? "", portValue: 1 } } },
  };
  const message = fromJson(ClusterLoadAssignmentSchema, {
    clusterName,
    endpoints: address === undefined ? [] : [{ lbEndpoints: [json] }],
  });
  const body = toBinary(ClusterLoadAssignmentSchema, message);
  const version = address ?? "none";
  return [clusterName, { name: clusterName, version, body, origins: [], references: [] }];
}

const names = (map: ResourceMap | undefined): string[] => [...(map ?? new Map()).keys()];

describe("planStages()", () => {
  test("plans nothing when nothing changed", () => {
    const state = published({ cluster: resources("a"), route: resources("r:1:a") });
    expect(planStages(state, { ...state, cluster: resources("a") })).toEqual([]);
  });

  test("makes the new cluster, switches, then breaks the old one", () => {
    const stages = planStages(
      published({ cluster: resources("old"), route: resources("r:1:old") }),
      published({ cluster: resources("new"), route: resources("r:2:new") }),
    );
    expect(stages.map(({ step }) => step)).toEqual(["make", "switch", "break"]);
    expect(names(stages[0]?.publish.cluster)).toEqual(["new", "old"]);
    expect(names(stages[2]?.publish.cluster)).toEqual(["new"]);
  });

  test("a cluster loses its last endpoint only after the routes have moved", () => {
    const at = (v1?: string, v2?: string) => new Map([assignment("v1", v1), assignment("v2", v2)]);
    const before = published({ endpoint: at("127.0.0.1"), route: resources("r:1:v1") });
    const after = published({ endpoint: at(undefined, "127.0.0.2"), route: resources("r:2:v2") });
    const stages = planStages(before, after);
    expect(stages.map(({ step }) => step)).toEqual(["make", "switch", "break"]);
    const make = stages[0]?.publish.endpoint;
    expect(make?.get("v1")).toBe(before.endpoint.get("v1"));
    expect(make?.get("v2")).toBe(after.endpoint.get("v2"));
    expect(stages[2]?.publish.endpoint).toBe(after.endpoint);
  });

  test("a cluster loses its last endpoint at once when no route moves", () => {
    const before = published({ endpoint: new Map([assignment("v1", "127.0.0.1")]) });
    const after = published({ endpoint: new Map([assignment("v1", undefined)]) });
    const stages = planStages(before, after);
    expect(stages.map(({ step }) => step)).toEqual(["make"]);
    expect(stages[0]?.publish.endpoint).toBe(after.endpoint);
  });

  test("only switches and breaks when a cluster goes", () => {
    const stages = planStages(
      published({ cluster: resources("a", "b"), route: resources("r:1:b") }),
      published({ cluster: resources("a"), route: resources("r:2:a") }),
    );
    expect(stages.map(({ step }) => step)).toEqual(["switch", "break"]);
  });

  test("only makes when endpoints change", () => {
    const stages = planStages(
      published({ cluster: resources("a"), endpoint: resources("a:1") }),
      published({ cluster: resources("a"), endpoint: resources("a:2") }),
    );
    expect(stages.map(({ step }) => step)).toEqual(["make"]);
  });

  test("takes the new form of a cluster that stays", () => {
    const [make] = planStages(
      published({ cluster: resources("a:1") }),
      published({ cluster: resources("a:2") }),
    );
    expect(make?.publish.cluster?.get("a")?.version).toBe("2");
  });

  test("never offers a route whose cluster is not offered, and ends at the new snapshot", () => {
    const anySnapshot = fc
      .array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 4 })
      .map((list) => [...new Set(list)].sort())
      .map((clusters) =>
        published({
          cluster: resources(...clusters),
          endpoint: resources(...clusters),
          route: resources(`r:${clusters.join("+")}:${clusters.join(":")}`),
        }),
      );
    fc.assert(
      fc.property(anySnapshot, anySnapshot, (before, after) => {
        let state = before;
        for (const { publish } of planStages(before, after)) {
          state = { ...state, ...publish };
          const named = [...state.route.values()].flatMap(({ references }) => references);
          expect(named.filter((name) => name !== "" && !state.cluster.has(name))).toEqual([]);
        }
        expect(Object.values(state).map(names)).toEqual(Object.values(after).map(names));
      }),
    );
  });
});
