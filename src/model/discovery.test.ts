import { describe, expect, it } from "vitest";
import type { LabelSelector } from "../config/label-selector.ts";
import type { KubeObject } from "../config/object.ts";
import { viewOf } from "../store/config-store.ts";
import { discoveredView } from "./discovery.ts";

function object(kind: string, name: string, namespace?: string, labels = {}): KubeObject {
  const metadata = { name, labels, ...(namespace === undefined ? {} : { namespace }) };
  return { apiVersion: "v1", kind, metadata };
}

const view = viewOf([
  object("Namespace", "prod", undefined, { env: "prod" }),
  object("Namespace", "test", undefined, { env: "test" }),
  object("Service", "a", "prod"),
  object("Service", "b", "test"),
  object("Service", "c", "unwritten"),
  object("Node", "n"),
]);

function namesOf(selectors: readonly LabelSelector[], kind = "Service"): readonly string[] {
  return discoveredView(view, selectors)
    .list("", kind)
    .map(({ metadata }) => metadata.name);
}

describe("discoveredView()", () => {
  it.each<[readonly LabelSelector[], readonly string[]]>([
    [[], ["a", "b", "c"]],
    [[{}], ["a", "b", "c"]],
    [[{ matchLabels: { env: "prod" } }], ["a"]],
    [
      [{ matchLabels: { env: "prod" } }, { matchLabels: { env: "test" } }],
      ["a", "b"],
    ],
    [[{ matchExpressions: [{ key: "env", operator: "DoesNotExist" }] }], ["c"]],
    [[{ matchLabels: { "kubernetes.io/metadata.name": "test" } }], ["b"]],
    [[{ matchLabels: { env: "none" } }], []],
  ])("with %j has %j", (selectors, names) => {
    expect(namesOf(selectors)).toEqual(names);
  });

  it("keeps what is outside of namespaces, and says nothing of what it does not select", () => {
    const selectors = [{ matchLabels: { env: "prod" } }];
    expect(namesOf(selectors, "Node")).toEqual(["n"]);
    const key = (namespace: string, name: string): Parameters<typeof view.get>[0] => ({
      group: "",
      kind: "Service",
      namespace,
      name,
    });
    const discovered = discoveredView(view, selectors);
    expect(discovered.get(key("prod", "a"))?.metadata.name).toBe("a");
    expect(discovered.get(key("test", "b"))).toBeUndefined();
  });

  it("gives the same list for the same view and selectors, so that nothing is computed again", () => {
    const selectors = [{ matchLabels: { env: "prod" } }];
    const list = (): unknown => discoveredView(view, selectors).list("", "Service");
    expect(list()).toBe(list());
    expect(discoveredView(view, [])).toBe(view);
    expect(discoveredView(view, [{}]).list("", "Service")).toBe(view.list("", "Service"));
  });
});
