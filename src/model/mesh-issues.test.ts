import { describe, expect, test } from "vitest";
import { formatIssue } from "../base/issue.ts";
import type { KubeObject } from "../config/object.ts";
import { viewOf } from "../store/config-store.ts";
import { referenceIssues } from "./mesh-issues.ts";

function object(kind: string, name: string, spec: unknown, created?: string): KubeObject {
  const apiVersion = kind === "Service" ? "v1" : "networking.istio.io/v1";
  const stamp = created === undefined ? {} : { creationTimestamp: created };
  const given = { apiVersion, kind, metadata: { name, namespace: "default", ...stamp }, spec };
  return given as KubeObject;
}

const reviews = object("Service", "reviews", { ports: [{ port: 9080, name: "http" }] });
const rule = object("DestinationRule", "reviews", {
  host: "reviews",
  subsets: [{ name: "v1", labels: { version: "v1" } }],
});

function virtualService(destination: object, created?: string, name = "new"): KubeObject {
  const spec = { hosts: ["reviews"], http: [{ route: [{ destination }] }] };
  return object("VirtualService", name, spec, created);
}

function issues(of: KubeObject, ...others: readonly KubeObject[]): readonly string[] {
  return referenceIssues(of, viewOf(others)).map(formatIssue);
}

describe("referenceIssues()", () => {
  test("finds nothing wrong where everything is there", () => {
    expect(issues(virtualService({ host: "reviews", subset: "v1" }), reviews, rule)).toEqual([]);
    expect(issues(rule, reviews, rule)).toEqual([]);
  });

  test("names the place, the value and what was probably meant", () => {
    const place = "spec.http[0].route[0].destination";
    expect(issues(virtualService({ host: "reveiws" }), reviews)).toEqual([
      `${place}.host: there is no service "reveiws.default.svc.cluster.local", did you mean "reviews.default.svc.cluster.local"?`,
    ]);
    expect(issues(virtualService({ host: "reviews", subset: "v1" }), reviews)).toEqual([
      `${place}.subset: subset "v1" of reviews.default.svc.cluster.local is not defined: there is no DestinationRule for the host`,
    ]);
    expect(issues(virtualService({ host: "reviews", port: { number: 80 } }), reviews)).toEqual([
      `${place}.port.number: reviews.default.svc.cluster.local has no port 80: it has 9080`,
    ]);
  });

  test("takes an object that is not created yet for the youngest", () => {
    const older = virtualService({ host: "reviews" }, "2026-01-01T00:00:00Z", "zz");
    const created = virtualService({ host: "reviews" }, "2025-01-01T00:00:00Z");
    expect(issues(virtualService({ host: "reviews" }), reviews, older)).toEqual([
      'spec.hosts[0]: host "reviews.default.svc.cluster.local" is routed by VirtualService/default/zz, which is older: for sidecars this object has no effect on it',
    ]);
    expect(issues(created, reviews, older)).toEqual([]);
  });

  test("does not hold an object against its own older version", () => {
    const current = virtualService({ host: "reviews" }, "2026-01-01T00:00:00Z");
    expect(issues(virtualService({ host: "reviews" }), reviews, current)).toEqual([]);
  });

  test("says where another name leads that no service of the mesh has", () => {
    const alias = object("Service", "old", { type: "ExternalName", externalName: "x.example.com" });
    expect(issues(alias)).toEqual([
      'spec.externalName: "x.example.com" is not part of the mesh: requests to this name are treated as to an unknown host; a ServiceEntry would make it known',
    ]);
    const loop = object("Service", "old", {
      type: "ExternalName",
      externalName: "old.default.svc.cluster.local",
    });
    expect(issues(loop)).toEqual([
      "spec.externalName: leads back to itself by Service/default/old",
    ]);
  });

  test("has nothing to say about kinds that name nothing", () => {
    expect(issues({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "p" } })).toEqual([]);
  });
});
