import { describe, expect, test } from "vitest";
import { mergeStatus } from "./merge-status.ts";
import type { StatusChange } from "./source.ts";

const change = (status: "True" | "False", more: Partial<StatusChange> = {}): StatusChange => ({
  key: { group: "networking.istio.io", kind: "VirtualService", namespace: "a", name: "b" },
  observedGeneration: 2,
  conditions: [{ type: "Distributed", status, reason: "R", message: "1/1 proxies" }],
  validationMessages: [],
  ...more,
});

const CONDITION = {
  type: "Distributed",
  status: "True",
  reason: "R",
  message: "1/1 proxies",
  lastTransitionTime: "t1",
  observedGeneration: 2,
};

describe("mergeStatus()", () => {
  test("puts conditions in with their time, and says so when they stand there already", () => {
    const first = mergeStatus({}, change("True"), "t1");
    expect(first).toEqual({ conditions: [CONDITION], observedGeneration: 2 });
    expect(mergeStatus(first ?? {}, change("True"), "t2")).toBeUndefined();
  });

  test("leaves conditions of others and other fields alone", () => {
    const other = { type: "Healthy", status: "True" };
    const before = { addresses: ["10.0.0.1"], conditions: [other, CONDITION] };
    expect(mergeStatus(before, change("True", { observedGeneration: 3 }), "t2")).toEqual({
      addresses: ["10.0.0.1"],
      conditions: [other, { ...CONDITION, observedGeneration: 3 }],
      observedGeneration: 3,
    });
  });

  test("moves a condition's time only when its status does", () => {
    const before = { conditions: [CONDITION], observedGeneration: 2 };
    expect(mergeStatus(before, change("False"), "t2")).toMatchObject({
      conditions: [{ status: "False", lastTransitionTime: "t2" }],
    });
  });

  test("replaces all messages, also by none", () => {
    const message = { level: "WARNING", path: "spec", message: "hm" } as const;
    const said = mergeStatus({}, change("True", { validationMessages: [message] }), "t1") ?? {};
    expect(said["validationMessages"]).toEqual([message]);
    expect(mergeStatus(said, change("True"), "t2")).not.toHaveProperty("validationMessages");
  });
});
