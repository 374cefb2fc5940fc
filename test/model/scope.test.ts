import { describe, expect, test } from "vitest";
import { formatIssue } from "../../src/base/issue.ts";
import { meshIssues } from "../../src/model/mesh-issues.ts";
import { scopeOf } from "../../src/model/scope/build-scope.ts";
import type { Scope } from "../../src/model/scope.ts";
import { istio, meshOf, service, sidecar } from "./world.ts";

const SERVICES = [
  service("a"),
  service("b", { ports: ["http:80", "tcp:90"] }),
  service("c", { namespace: "other" }),
];

function hostsOf({ services }: Pick<Scope, "services">): readonly string[] {
  return [...services].map(
    ([host, { ports }]) =>
      `${host.replace(".svc.cluster.local", "")} ${ports.map(({ number }) => number).join(",")}`,
  );
}

function egressSpec(...hosts: readonly string[]): string {
  return `{ egress: [{ hosts: [${hosts.map((host) => JSON.stringify(host)).join(", ")}] }] }`;
}

describe("scopeOf() without a Sidecar", () => {
  test("sees every service that is exported to the namespace", () => {
    const hidden = istio(
      "ServiceEntry",
      "hidden.other",
      "{ hosts: [hidden.example], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: DNS, exportTo: ['.'] }",
    );
    const mesh = meshOf(...SERVICES, hidden);
    expect(hostsOf(scopeOf(mesh, sidecar()))).not.toContain("hidden.example 80");
  });

  test("sees no virtual service that is exported elsewhere", () => {
    const route = "http: [{ route: [{ destination: { host: a } }] }]";
    const mesh = meshOf(
      ...SERVICES,
      istio("VirtualService", "here", `{ hosts: [a], ${route}, exportTo: ['.'] }`),
      istio("VirtualService", "there.other", `{ hosts: [a], ${route}, exportTo: ['.'] }`),
    );
    const names = scopeOf(mesh, sidecar()).virtualServices.map(({ key }) => key.name);
    expect(names).toEqual(["here"]);
  });

  test("is the same value for proxies that see the same", () => {
    const mesh = meshOf(...SERVICES);
    const scope = scopeOf(mesh, sidecar());
    expect(scopeOf(mesh, sidecar({ labels: { app: "x" }, ips: ["10.0.0.8"] }))).toBe(scope);
    expect(scopeOf(mesh, sidecar({ namespace: "other" }))).not.toBe(scope);
  });
});

describe("scopeOf() with Sidecars", () => {
  const scopeWith = (sidecars: readonly string[], proxy = sidecar()): Scope =>
    scopeOf(meshOf(...SERVICES, ...sidecars), proxy);

  test("one that selects the workload goes before that of the namespace, and that before the root's", () => {
    const root = istio("Sidecar", "root.istio-system", egressSpec("other/*"));
    const namespace = istio("Sidecar", "namespace", egressSpec("./b.default.svc.cluster.local"));
    const selecting = istio(
      "Sidecar",
      "own",
      `{ workloadSelector: { labels: { app: x } }, ${egressSpec("./a.default.svc.cluster.local").slice(1)}`,
    );
    const x = sidecar({ labels: { app: "x" } });
    expect(hostsOf(scopeWith([root, namespace, selecting], x))).toEqual(["a.default 80"]);
    expect(hostsOf(scopeWith([root, namespace, selecting]))).toEqual(["b.default 80,90"]);
    expect(hostsOf(scopeWith([root]))).toEqual(["c.other 80"]);
  });

  test("the oldest of two for one namespace counts, and the other says so", () => {
    const mesh = meshOf(
      ...SERVICES,
      istio("Sidecar", "first", egressSpec("./a.default.svc.cluster.local")),
      istio("Sidecar", "second", egressSpec("other/*")),
    );
    expect(hostsOf(scopeOf(mesh, sidecar()))).toEqual(["a.default 80"]);
    expect(
      meshIssues(mesh).map(({ object, issue }) => `${object.name} ${formatIssue(issue)}`),
    ).toEqual([
      "second spec.workloadSelector: has no effect: Sidecar/default/first is for all workloads of the namespace too, and older; select workloads, or join the two",
    ]);
  });

  test("of two for the same workloads too", () => {
    const spec = (labels: string): string =>
      `{ workloadSelector: { labels: ${labels} }, egress: [{ hosts: ["./*"] }] }`;
    const mesh = meshOf(
      ...SERVICES,
      istio("Sidecar", "first", spec("{ app: a, version: v1 }")),
      istio("Sidecar", "second", spec("{ version: v1, app: a }")),
      istio("Sidecar", "third", spec("{ app: a }")),
    );
    expect(
      meshIssues(mesh).map(({ object, issue }) => `${object.name} ${formatIssue(issue)}`),
    ).toEqual([
      "second spec.workloadSelector: has no effect: Sidecar/default/first selects the same workloads, and is older; join the two",
    ]);
  });

  test.each([
    ["*/*", ["a.default 80", "b.default 80,90", "c.other 80"]],
    ["./*", ["a.default 80", "b.default 80,90"]],
    ["~/*", []],
    ["other/*", ["c.other 80"]],
    ["*/*.other.svc.cluster.local", ["c.other 80"]],
    ["default/b.default.svc.cluster.local", ["b.default 80,90"]],
    ["other/b.default.svc.cluster.local", []],
  ])("imports %s", (host, expected) => {
    expect(hostsOf(scopeWith([istio("Sidecar", "s", egressSpec(host))]))).toEqual(expected);
  });

  test("a listener with a port is for that port of services alone", () => {
    const spec = "{ egress: [{ port: { number: 90, protocol: TCP, name: tcp }, hosts: ['*/*'] }] }";
    expect(hostsOf(scopeWith([istio("Sidecar", "s", spec)]))).toEqual(["b.default 90"]);
  });

  test("destinations of imported virtual services come along, with the ports that they name", () => {
    const routes = istio(
      "VirtualService",
      "a",
      "{ hosts: [a], http: [{ route: [{ destination: { host: b, port: { number: 90 } } }] }] }",
    );
    const only = istio("Sidecar", "s", egressSpec("./a.default.svc.cluster.local"));
    expect(hostsOf(scopeWith([routes, only]))).toEqual(["a.default 80", "b.default 90"]);
    const { egress } = scopeWith([routes, only]);
    expect(egress.map(hostsOf)).toEqual([["a.default 80"]]);
  });

  test("a gateway has none", () => {
    const none = istio("Sidecar", "s", egressSpec("~/*"));
    expect(hostsOf(scopeWith([none], sidecar({ type: "router" })))).toHaveLength(3);
  });

  test("an empty outbound traffic policy is REGISTRY_ONLY, none is the mesh's", () => {
    const policy = istio("Sidecar", "s", "{ outboundTrafficPolicy: {} }");
    expect(scopeWith([policy]).outboundMode).toBe("REGISTRY_ONLY");
    expect(scopeWith([]).outboundMode).toBe("ALLOW_ANY");
  });

  test("an egress proxy that is not seen is an issue", () => {
    const policy = istio(
      "Sidecar",
      "s",
      "{ egress: [{ hosts: ['./*'] }], outboundTrafficPolicy: { mode: ALLOW_ANY, egressProxy: { host: c.other.svc.cluster.local, port: { number: 80 } } } }",
    );
    expect(scopeWith([policy]).issues.map(({ issue }) => issue.path)).toEqual([
      "spec.outboundTrafficPolicy.egressProxy.host",
    ]);
  });
});
