import { describe, expect, test } from "vitest";
import type { ProxyNode } from "../../src/model/proxy.ts";
import type { RouteConfiguration } from "../../src/model/route.ts";
import type { ViewPart } from "../../src/model/view-part.ts";
import { istio, meshOf, outboundOf, service, sidecar } from "./world.ts";

function outbound(yaml: readonly string[], proxy: ProxyNode = sidecar()): ViewPart {
  const mesh = meshOf(...yaml);
  return outboundOf(mesh, proxy);
}

function routesOf(yaml: readonly string[], name = "80", proxy?: ProxyNode): RouteConfiguration {
  const routes = outbound(yaml, proxy).routes.find((one) => one.name === name);
  if (routes === undefined) throw new Error(`there are no routes "${name}"`);
  return routes;
}

/** Virtual hosts by name: who made their first route. */
function ownersOf(routes: RouteConfiguration): Readonly<Record<string, string>> {
  return Object.fromEntries(
    routes.virtualHosts.map(({ name, routes: [first] }) => [
      name.replace(".default.svc.cluster.local", ""),
      first?.origin === undefined ? "" : `${first.origin.key.kind} ${first.origin.key.name}`,
    ]),
  );
}

function domainsOf(routes: RouteConfiguration, name: string): readonly string[] | undefined {
  return routes.virtualHosts.find((host) => host.name === name)?.domains;
}

const PORTABLE = sidecar({
  ips: ["127.65.0.9"],
  metadata: { INTERCEPTION_MODE: "NONE", WEFT_APP_ADDRESS: "127.65.128.9" },
});

function route(name: string, hosts: string, rest = ""): string {
  return istio(
    "VirtualService",
    name,
    `{ hosts: [${hosts}], http: [{ route: [{ destination: { host: a } }] }]${rest} }`,
  );
}

const A = service("a", { ip: "10.1.0.1" });
const B = service("b", { ip: "10.1.0.2", ports: ["http:80", "http-more:81"] });

describe("who routes a host", () => {
  test.each<[string, readonly string[], Readonly<Record<string, string>>]>([
    [
      "the oldest virtual service of two that name it",
      [A, route("first", "a"), route("second", "a")],
      { "a:80": "VirtualService first", allow_any: "" },
    ],
    [
      "one that names it before one with a wildcard, however old",
      [A, B, route("wild", "'*.default.svc.cluster.local'"), route("exact", "a")],
      { "a:80": "VirtualService exact", "b:80": "VirtualService wild", allow_any: "" },
    ],
    [
      "the narrowest wildcard",
      [A, route("wide", "'*.cluster.local'"), route("narrow", "'*.default.svc.cluster.local'")],
      { "a:80": "VirtualService narrow", allow_any: "" },
    ],
    [
      "nobody: the service itself",
      [A, route("other", "c.example")],
      { "a:80": "Service a", "c.example:80": "VirtualService other", allow_any: "" },
    ],
  ])("%s", (_, yaml, expected) => {
    expect(ownersOf(routesOf(yaml))).toEqual(expected);
  });

  test("a host outside of the registry is expected on port 80, and where the same object has services", () => {
    const yaml = [B, route("v", "b, x.example")];
    expect(Object.keys(ownersOf(routesOf(yaml, "80")))).toContain("x.example:80");
    expect(Object.keys(ownersOf(routesOf(yaml, "81")))).toContain("x.example:81");
    const alone = [B, route("v", "x.example")];
    expect(Object.keys(ownersOf(routesOf(alone, "81")))).not.toContain("x.example:81");
  });

  test("a rule for another port does not take the host away there", () => {
    const only81 = istio(
      "VirtualService",
      "v",
      "{ hosts: [b], http: [{ match: [{ port: 81 }], route: [{ destination: { host: a } }] }] }",
    );
    const yaml = [A, B, only81];
    expect(ownersOf(routesOf(yaml, "80"))["b:80"]).toBe("Service b");
    expect(ownersOf(routesOf(yaml, "81"))["b:81"]).toBe("VirtualService v");
  });
});

describe("domains", () => {
  test("ports are not compared on a port's own routes", () => {
    const routes = routesOf([A]);
    expect(routes.ignoresPort).toBe(true);
    expect(domainsOf(routes, "a.default.svc.cluster.local:80")).toEqual([
      "a.default.svc.cluster.local",
      "a",
      "a.default.svc",
      "a.default",
      "10.1.0.1",
    ]);
  });

  test("an explicit proxy is told the port, but for port 80", () => {
    const routes = routesOf([B], "http_proxy", PORTABLE);
    expect(routes.ignoresPort).toBe(false);
    expect(domainsOf(routes, "b.default.svc.cluster.local:81")).toEqual([
      "b.default.svc.cluster.local:81",
      "b:81",
      "b.default.svc:81",
      "b.default:81",
      "10.1.0.2:81",
    ]);
    expect(domainsOf(routes, "b.default.svc.cluster.local:80")).toContain("b");
  });

  test("names below a headless service are its pods", () => {
    const domains = domainsOf(routesOf([service("h")]), "h.default.svc.cluster.local:80");
    expect(domains).toContain("*.h.default.svc.cluster.local");
    expect(domains).toContain("*.h");
  });

  test("IPv6 addresses stand in brackets", () => {
    const both = sidecar({ ips: ["10.0.0.9", "fd00::9"] });
    const routes = routesOf([service("a", { ip: "fd01::1" })], "80", both);
    expect(domainsOf(routes, "a.default.svc.cluster.local:80")).toContain("[fd01::1]");
  });

  test("other names for a service are its own, with their short forms", () => {
    const alias = `apiVersion: v1
kind: Service
metadata: { name: other, namespace: default }
spec: { type: ExternalName, externalName: a.default.svc.cluster.local }`;
    const domains = domainsOf(routesOf([A, alias]), "a.default.svc.cluster.local:80");
    expect(domains).toEqual(expect.arrayContaining(["other.default.svc.cluster.local", "other"]));
  });

  test("an address of two objects is the first one's, and the other is told so", () => {
    const entry = (name: string): string =>
      istio(
        "ServiceEntry",
        name,
        `{ hosts: [${name}.example], addresses: [10.2.0.1], ports: [{ name: http, number: 80, protocol: HTTP }], resolution: DNS }`,
      );
    const view = outbound([entry("x"), entry("y")]);
    const routes = view.routes.find(({ name }) => name === "80");
    expect(routes && domainsOf(routes, "x.example:80")).toEqual(["x.example", "10.2.0.1"]);
    expect(routes && domainsOf(routes, "y.example:80")).toEqual(["y.example"]);
    expect(view.issues.map(({ object, issue }) => `${object.name} ${issue.message}`)).toEqual([
      'y requests to "10.2.0.1" go to ServiceEntry/default/x (x.example:80), which has that name or address too',
    ]);
  });
});

describe("hosts that nobody knows", () => {
  const last = (yaml: readonly string[], proxy?: ProxyNode, name = "80") => {
    const host = routesOf(yaml, name, proxy).virtualHosts.at(-1);
    return { name: host?.name, action: host?.routes[0]?.action };
  };
  const mesh = (mode: string): string => `apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data: { mesh: "outboundTrafficPolicy: { mode: ${mode} }" }`;

  test.each([
    ["ALLOW_ANY", "allow_any", { clusters: [{ name: "PassthroughCluster" }] }],
    ["ALLOW_ANY_DYNAMIC_DNS", "allow_any", { clusters: [{ name: "AllowAnyDynamicDNSCluster" }] }],
    ["REGISTRY_ONLY", "block_all", { type: "direct-response", status: 502 }],
  ])("with %s, captured", (mode, name, action) => {
    expect(last([A, mesh(mode)])).toMatchObject({ name, action });
  });

  test.each([
    // There is no other address that a request to a proxy meant.
    ["ALLOW_ANY", "block_all"],
    ["ALLOW_ANY_DYNAMIC_DNS", "allow_any"],
    ["REGISTRY_ONLY", "block_all"],
  ])("with %s, asked as a proxy", (mode, name) => {
    expect(last([A, mesh(mode)], PORTABLE, "http_proxy").name).toBe(name);
  });
});
