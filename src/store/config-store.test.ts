import { describe, expect, test } from "vitest";
import type { KubeObject } from "../config/object.ts";
import { ConfigStore, viewOf } from "./config-store.ts";

function service(name: string, namespace = "default", text = "x"): KubeObject {
  const metadata = { name, namespace, labels: { text } };
  return { apiVersion: "v1", kind: "Service", metadata };
}

function pod(name: string): KubeObject {
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "default" } };
}

const set = (object: KubeObject) => ({ type: "set", object }) as const;
const names = (objects: readonly KubeObject[]): readonly string[] =>
  objects.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);

describe("ConfigStore", () => {
  test("lists by namespace and name, whatever the order of writes", () => {
    const view = viewOf([service("b"), service("a", "other"), service("a")]);
    expect(names(view.list("", "Service"))).toEqual(["default/a", "default/b", "other/a"]);
    expect(names(view.list("", "Service", "other"))).toEqual(["other/a"]);
    expect(view.list("", "Service", "nowhere")).toEqual([]);
    expect(view.list("", "Nothing")).toEqual([]);
  });

  test("finds by key", () => {
    const view = viewOf([service("b"), service("a")]);
    const key = { group: "", kind: "Service", namespace: "default" };
    expect(view.get({ ...key, name: "b" })?.metadata.name).toBe("b");
    expect(view.get({ ...key, name: "c" })).toBeUndefined();
    expect(view.get({ ...key, namespace: "other", name: "a" })).toBeUndefined();
  });

  test("keeps the identity of lists that a batch did not touch", () => {
    const store = new ConfigStore();
    const before = store.apply({ events: [set(service("a")), set(pod("p"))] }).view;
    const after = store.apply({ events: [set(service("b", "other"))] }).view;
    expect(after.list("", "Pod")).toBe(before.list("", "Pod"));
    expect(after.list("", "Service", "default")).toBe(before.list("", "Service", "default"));
    expect(after.list("", "Service")).not.toBe(before.list("", "Service"));
    expect(before.list("", "Service")).toHaveLength(1);
  });

  test("takes an equal object for no change", () => {
    const store = new ConfigStore();
    const { view } = store.apply({ events: [set(service("a"))] });
    const again = store.apply({ events: [set(service("a"))] });
    expect(again.view).toBe(view);
    expect(again.changed).toEqual([]);
    expect(store.apply({ events: [set(service("a", "default", "y"))] }).changed).toHaveLength(1);
  });

  test("takes what only a control plane writes into an object for no change", () => {
    const said = (kind: string, resourceVersion: string, text: string): KubeObject => {
      const metadata = { name: "a", namespace: "default", generation: 1, resourceVersion };
      const status = { conditions: [{ type: text }] };
      return { apiVersion: "networking.istio.io/v1", kind, metadata, status } as KubeObject;
    };
    const store = new ConfigStore();
    store.apply({ events: [set(said("Gateway", "1", "x")), set(said("WorkloadEntry", "1", "x"))] });
    expect(store.apply({ events: [set(said("Gateway", "2", "y"))] }).changed).toEqual([]);
    // Its status says whether the workload is healthy.
    const entry = store.apply({ events: [set(said("WorkloadEntry", "2", "y"))] });
    expect(entry.changed).toHaveLength(1);
  });

  test("says which keys changed, each once, and lets the last event win", () => {
    const store = new ConfigStore();
    const key = { group: "", kind: "Service", namespace: "default", name: "a" };
    const { view, changed } = store.apply({
      events: [set(service("b")), set(service("a")), { type: "delete", key }],
    });
    expect(changed.map(({ name }) => name)).toEqual(["b"]);
    expect(view.get(key)).toBeUndefined();
    expect(store.apply({ events: [{ type: "delete", key }] }).changed).toEqual([]);
  });

  test("keeps origins beside the view", () => {
    const store = new ConfigStore();
    const object = service("a");
    const key = { group: "", kind: "Service", namespace: "default", name: "a" };
    const { view } = store.apply({
      events: [{ type: "set", object, origin: { file: "a.yaml", line: 3 } }],
    });
    const moved = store.apply({
      events: [{ type: "set", object, origin: { file: "a.yaml", line: 9 } }],
    });
    expect(moved.view).toBe(view);
    expect(store.origin(key)).toEqual({ file: "a.yaml", line: 9 });
    store.apply({ events: [{ type: "delete", key }] });
    expect(store.origin(key)).toBeUndefined();
  });
});
