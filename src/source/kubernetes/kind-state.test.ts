import { describe, expect, test } from "vitest";
import { findKind } from "../../config/kinds.ts";
import type { ConfigEvent } from "../source.ts";
import { KindState } from "./kind-state.ts";

const API = "networking.istio.io";

function rule(name: string, host = "a", extra: object = {}): object {
  return {
    metadata: {
      name,
      namespace: "ns",
      uid: `uid-${name}`,
      resourceVersion: "7",
      generation: 2,
      managedFields: [{ manager: "kubectl" }],
      annotations: { "kubectl.kubernetes.io/last-applied-configuration": "{}" },
    },
    spec: { host, ...extra },
    status: { conditions: [{ type: "Ready", status: "True" }] },
  };
}

class Rig {
  readonly events: ConfigEvent[] = [];
  readonly state: KindState;

  constructor(group = API, kind = "DestinationRule") {
    const found = findKind(group, kind);
    if (found === undefined) throw new Error(`no kind ${kind}`);
    this.state = new KindState(found, (event) => this.events.push(event));
  }

  /** What was said since the last call. */
  said(): string[] {
    return this.events
      .splice(0)
      .map((event) =>
        event.type === "set"
          ? event.object.metadata.name
          : `-${event.key.namespace}/${event.key.name}`,
      );
  }

  list(...objects: object[]): string[] {
    this.state.beginList();
    for (const object of objects) this.state.put(object, "v1");
    this.state.endList();
    return this.said();
  }

  refused(): (string | undefined)[] {
    return [...this.state.refused()].flat().map(({ object, issue }) => `${object} ${issue.path}`);
  }
}

describe("KindState", () => {
  test("`put()` keeps what the mesh is made from", () => {
    const rig = new Rig();
    rig.state.put(rule("r"), "v1beta1");
    expect(rig.events).toEqual([
      {
        type: "set",
        object: {
          apiVersion: `${API}/v1beta1`,
          kind: "DestinationRule",
          metadata: { name: "r", namespace: "ns", uid: "uid-r", generation: 2 },
          spec: { host: "a" },
        },
      },
    ]);
    expect(rig.state.status("ns", "r")).toEqual({
      resourceVersion: "7",
      generation: 2,
      status: { conditions: [{ type: "Ready", status: "True" }] },
    });
  });

  test("`put()` says nothing of what only its status or version changed", () => {
    const rig = new Rig();
    rig.list(rule("r"));
    rig.state.put({ ...rule("r"), status: {} }, "v1");
    expect(rig.said()).toEqual([]);
    expect(rig.state.status("ns", "r")?.status).toEqual({});
  });

  test("`endList()` takes away what was not listed, and only that", () => {
    const rig = new Rig();
    expect(rig.list(rule("a"), rule("b"))).toEqual(["a", "b"]);
    expect(rig.list(rule("b"), rule("c"))).toEqual(["c", "-ns/a"]);
    expect(rig.list(rule("b", "other"), rule("c"))).toEqual(["b"]);
    rig.state.clear();
    expect(rig.said().sort()).toEqual(["-ns/b", "-ns/c"]);
  });

  test("a bad object is refused by key, its last good version stays", () => {
    const rig = new Rig();
    rig.list(rule("r"));
    rig.state.put(rule("r", "b", { hots: "x" }), "v1");
    expect(rig.said()).toEqual([]);
    expect(rig.refused()).toEqual(["DestinationRule/ns/r spec.hots"]);
    expect([...rig.state.refused()][0]?.[0]?.key).toEqual({
      group: API,
      kind: "DestinationRule",
      namespace: "ns",
      name: "r",
    });
    rig.list(rule("r", "b", { hots: "x" }));
    expect([...rig.state.objects()]).toHaveLength(1);
    rig.state.put(rule("r", "b"), "v1");
    expect(rig.said()).toEqual(["r"]);
    expect(rig.refused()).toEqual([]);
  });

  test("a bad object that goes is refused no more", () => {
    const rig = new Rig();
    rig.list(rule("r", "b", { hots: "x" }));
    rig.state.remove(rule("r"));
    expect(rig.refused()).toEqual([]);
    expect(rig.said()).toEqual([]);
  });

  test("`restore()` stands in for what is bad now, or for all until the server tells", () => {
    const rig = new Rig();
    rig.list(rule("good"), rule("gone"));
    const kept = [...rig.state.objects()];

    const bad = new Rig();
    bad.state.restore(kept);
    expect(bad.list(rule("good", "b", { hots: "x" }))).toEqual(["good"]);

    const silent = new Rig();
    silent.state.restore(kept);
    silent.state.useRestored();
    expect(silent.said()).toEqual(["good", "gone"]);
    expect(silent.list(rule("good"))).toEqual(["-ns/gone"]);
  });

  test("Pods are what services need of them", () => {
    const rig = new Rig("", "Pod");
    rig.state.put(
      {
        metadata: {
          name: "p",
          namespace: "ns",
          labels: { app: "a" },
          annotations: { note: "long" },
          ownerReferences: [
            { apiVersion: "apps/v1", kind: "ReplicaSet", name: "a-1", uid: "u", controller: true },
          ],
        },
        spec: {
          nodeName: "n",
          serviceAccountName: "sa",
          tolerations: [{}],
          volumes: [{ name: "v", projected: {} }],
          containers: [
            {
              name: "c",
              image: "i",
              livenessProbe: { httpGet: { port: 1 } },
              ports: [
                { name: "http", containerPort: 80, protocol: "TCP" },
                { name: "dns", containerPort: 53, protocol: "UDP" },
              ],
            },
          ],
        },
        status: { podIP: "10.0.0.1", phase: "Running", containerStatuses: [{}] },
      },
      "v1",
    );
    const [event] = rig.events;
    expect(event?.type === "set" && event.object).toMatchObject({
      metadata: { labels: { app: "a" }, ownerReferences: [{ name: "a-1" }] },
      spec: {
        nodeName: "n",
        serviceAccountName: "sa",
        containers: [{ name: "c", image: "i", ports: [{ name: "http", containerPort: 80 }] }],
      },
      status: { podIP: "10.0.0.1" },
    });
    const text = JSON.stringify(event);
    for (const left of ["note", "tolerations", "projected", "livenessProbe", "dns", "phase"]) {
      expect(text).not.toContain(`"${left}"`);
    }
  });

  test("fields of newer servers are no mistake in Kubernetes' own kinds", () => {
    const rig = new Rig("", "Service");
    rig.state.put(
      { metadata: { name: "s", namespace: "ns" }, spec: { ports: [{ port: 80 }], brandNew: 1 } },
      "v1",
    );
    expect(rig.said()).toEqual(["s"]);
    expect(rig.refused()).toEqual([]);
  });

  test("an object without a name is an error of the server", () => {
    expect(() => new Rig().state.put({ metadata: {} }, "v1")).toThrow("without a name");
  });
});
