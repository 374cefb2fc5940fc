import { describe, expect, test } from "vitest";
import { automaticScopeOf, callingWorkload } from "../../src/model/automatic-scope.ts";
import { type CalledView, cutToCalls } from "../../src/model/called-view.ts";
import type { Mesh } from "../../src/model/mesh.ts";
import type { ProxyNode } from "../../src/model/proxy.ts";
import { buildProxyView, type ProxyView } from "../../src/model/proxy-view.ts";
import { clustersOf, type RouteConfiguration, type VirtualHost } from "../../src/model/route.ts";
import { istio, meshOf, service, sidecar } from "./world.ts";

const WORLD = [
  service("reviews", { ip: "10.96.0.1", ports: ["http:9080"] }),
  service("ratings", { ip: "10.96.0.2", ports: ["http:9080"] }),
  service("details", { ip: "10.96.0.3", ports: ["http:9080", "http-admin:9000"] }),
  service("db", { ip: "10.96.0.4", ports: ["tcp:5432"] }),
  service("any", { ip: "10.96.0.5", ports: ["whatever:7000"] }),
  istio(
    "ServiceEntry",
    "outside",
    "{ hosts: ['*.example.com'], ports: [{number: 80, name: http, protocol: HTTP}], resolution: NONE }",
  ),
  istio(
    "VirtualService",
    "reviews",
    "{ hosts: [reviews], http: [{ route: [{ destination: { host: reviews } }], mirror: { host: ratings } }] }",
  ),
];

const PORTABLE = { INTERCEPTION_MODE: "NONE", WEFT_APP_ADDRESS: "127.65.128.9" };

/** Hosts in all forms, known and unknown. */
const HOSTS = [
  "9080/reviews",
  "9080/reviews:9080",
  "9080/reviews.default",
  "9080/reviews.default.svc.cluster.local:9080",
  "9080/10.96.0.3",
  "9080/ratings:1",
  "9080/nobody",
  "80/a.example.com",
  "80/example.com",
  "9000/details",
];

function cut(mesh: Mesh, proxy: ProxyNode, ...called: readonly string[]): CalledView {
  return cutToCalls(buildProxyView(mesh, proxy), new Set(called));
}

function services({ clusters }: ProxyView): readonly string[] {
  return clusters
    .flat()
    .map(({ name }) => name)
    .sort();
}

function routesOf({ own, shared }: ProxyView): readonly RouteConfiguration[] {
  return [...shared.routes, ...own.routes];
}

function listenerNames({ own, shared }: ProxyView): readonly string[] {
  return [...shared.listeners, ...own.listeners].map(({ name }) => name);
}

function hostNames({ virtualHosts }: ProxyView): readonly string[] {
  return virtualHosts.map(({ name }) => name);
}

describe("cutToCalls()", () => {
  const mesh = meshOf(...WORLD);
  const whole = buildProxyView(mesh, sidecar());

  test("without a call only what is no HTTP is left, and hosts are asked for", () => {
    const { view, unknown } = cut(mesh, sidecar());
    expect(services(view)).toEqual([
      "outbound|5432||db.default.svc.cluster.local",
      "outbound|7000||any.default.svc.cluster.local",
    ]);
    expect(hostNames(view).toSorted()).toEqual([
      "80/first.weft.invalid",
      "9000/first.weft.invalid",
      "9080/first.weft.invalid",
    ]);
    expect(unknown.size).toBe(0);
    const asked = routesOf(view).filter(({ isOnDemand }) => isOnDemand);
    expect(asked.map(({ name }) => name).sort()).toEqual(["80", "9000", "9080"]);
    expect(asked.every(({ virtualHosts }) => virtualHosts.length === 0)).toBe(true);
    expect(listenerNames(view)).toEqual(listenerNames(whole));
  });

  test("what was called is there with all that its rules lead to", () => {
    const { view } = cut(mesh, sidecar(), "9080/reviews");
    expect(services(view)).toEqual([
      "outbound|5432||db.default.svc.cluster.local",
      "outbound|7000||any.default.svc.cluster.local",
      "outbound|9080||ratings.default.svc.cluster.local",
      "outbound|9080||reviews.default.svc.cluster.local",
    ]);
    expect(
      view.endpoints
        .flat()
        .map(({ clusterName }) => clusterName)
        .sort(),
    ).toEqual(services(view));
  });

  test.each(HOSTS)("%s is answered as the whole routes would answer it", (name) => {
    const { view } = cut(mesh, sidecar(), name);
    const host = view.virtualHosts.find((one) => one.name === name);
    const [routes = "", text = ""] = name.split("/");
    expect(host?.domains).toEqual([text]);
    expect(host?.routes).toEqual(wholeAnswer(whole, routes, text)?.routes);
    const known = new Set([...view.clusters.flat(), ...view.own.clusters].map((one) => one.name));
    expect(host?.routes.flatMap(clustersOf).filter((one) => !known.has(one))).toEqual([]);
  });

  test("hosts of nobody are told apart", () => {
    expect([...cut(mesh, sidecar(), ...HOSTS).unknown].sort()).toEqual([
      "80/example.com",
      "9080/nobody",
    ]);
  });

  test("nonsense is left out: no such routes, no such host, a service's own routes", () => {
    const nonsense = [
      "81/reviews",
      "9080/a b",
      "9080/a/b",
      "/x",
      "x",
      "any.default.svc.cluster.local:7000/x",
    ];
    expect(hostNames(cut(mesh, sidecar(), ...nonsense).view)).toEqual(
      hostNames(cut(mesh, sidecar()).view),
    );
  });

  test("a service that comes later takes over the host that was nobody's", () => {
    const more = meshOf(...WORLD, service("nobody", { ip: "10.96.0.9", ports: ["http:9080"] }));
    const { view, unknown } = cut(more, sidecar(), "9080/nobody");
    expect(unknown.size).toBe(0);
    expect(services(view)).toContain("outbound|9080||nobody.default.svc.cluster.local");
  });

  test("the explicit proxy of portable mode asks too, with ports in its hosts", () => {
    const portable = sidecar({ metadata: PORTABLE });
    const { view } = cut(mesh, portable, "http_proxy/details:9000");
    expect(services(view)).toEqual(["outbound|9000||details.default.svc.cluster.local"]);
    expect(hostNames(view)).toEqual(["http_proxy/first.weft.invalid", "http_proxy/details:9000"]);
  });

  test("replicas have the same lists and hosts, so that they are written once", () => {
    const called = new Set(["9080/reviews"]);
    const [one, other] = [["10.0.0.8"], ["10.0.0.9"]].map(
      (ips) => cutToCalls(buildProxyView(mesh, sidecar({ ips })), called).view,
    );
    expect(one?.clusters).toBe(other?.clusters);
    expect(one?.endpoints).toBe(other?.endpoints);
    expect(one?.virtualHosts).toBe(other?.virtualHosts);
  });
});

function wholeAnswer(view: ProxyView, routes: string, text: string): VirtualHost | undefined {
  const hosts = routesOf(view).find(({ name }) => name === routes)?.virtualHosts ?? [];
  const host = text.replace(/:\d+$/, "");
  const having = (domain: string): VirtualHost | undefined =>
    hosts.find(({ domains }) => domains.includes(domain));
  return having(host) ?? having(host.replace(/^[^.]+/, "*")) ?? having("*");
}

describe("automaticScopeOf()", () => {
  const asking = `apiVersion: v1
kind: Namespace
metadata: { name: default, labels: { weft.dev/automatic-scope: "true" } }`;
  const label = "weft.dev/automatic-scope";

  test("nobody is in it who does not ask", () => {
    expect(automaticScopeOf(meshOf(...WORLD), sidecar()).isAsked).toBe(false);
  });

  test("the pod's label counts before its namespace's", () => {
    const mesh = meshOf(...WORLD, asking);
    expect(automaticScopeOf(mesh, sidecar()).isAsked).toBe(true);
    expect(automaticScopeOf(mesh, sidecar({ labels: { [label]: "false" } })).isAsked).toBe(false);
    const own = sidecar({ namespace: "other", labels: { [label]: "true" } });
    expect(automaticScopeOf(mesh, own)).toEqual({ isAsked: true, obstacle: undefined });
  });

  test("a Sidecar goes before it, and a gateway has a scope of its own", () => {
    const mesh = meshOf(
      ...WORLD,
      asking,
      istio("Sidecar", "own", "{ egress: [{ hosts: ['./*'] }] }"),
    );
    expect(automaticScopeOf(mesh, sidecar()).obstacle).toBe(
      "Sidecar/default/own says what it sees",
    );
    expect(automaticScopeOf(mesh, sidecar({ type: "router" })).obstacle).toMatch(/^a gateway/);
  });
});

describe("callingWorkload()", () => {
  test("replicas are one by their label, whatever their versions; else by themselves", () => {
    const mesh = meshOf(...WORLD);
    expect(callingWorkload(mesh, sidecar({ labels: { app: "shop", version: "v2" } }))).toEqual({
      namespace: "default",
      name: "shop",
      selector: { app: "shop" },
    });
    expect(callingWorkload(mesh, sidecar()).name).toBe("client-1");
  });
});
