import { describe, expect, test } from "vitest";
import type { DestinationRule } from "../../config/destination-rule.ts";
import type { HttpRetry, HttpRoute } from "../../config/http-route.ts";
import type { KubeObject } from "../../config/object.ts";
import type { VirtualService as VirtualServiceObject } from "../../config/virtual-service.ts";
import { viewOf } from "../../store/config-store.ts";
import { buildVirtualService } from "../build-virtual-service.ts";
import { buildMesh } from "../mesh.ts";
import { decodeProxyNode } from "../proxy-node.ts";
import type { ForwardAction, Route } from "../route.ts";
import { scopeOf } from "../scope/build-scope.ts";
import { buildDefaultRoutes, buildHttpRoutes } from "./http-routes.ts";
import { buildRetryPolicy } from "./retry-policy.ts";
import type { RouteContext } from "./route-context.ts";

function service(name: string, ...ports: readonly number[]): KubeObject {
  const spec = { ports: ports.map((port) => ({ port, name: `http-${port}` })) };
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "default" },
    spec,
  } as KubeObject;
}

function rule(host: string, spec: Partial<DestinationRule["spec"]>): DestinationRule {
  const metadata = { name: host, namespace: "default" };
  const apiVersion = "networking.istio.io/v1";
  return { apiVersion, kind: "DestinationRule", metadata, spec: { host, ...spec } };
}

const SERVICES = [service("one", 80), service("two", 80, 81)];

function contextOf(
  more: Partial<RouteContext> = {},
  objects: readonly KubeObject[] = SERVICES,
  { name = "p", namespace = "default", labels = {} } = {},
): RouteContext {
  const proxy = decodeProxyNode({
    id: `sidecar~10.0.0.1~${name}.${namespace}~${namespace}.svc.cluster.local`,
    metadata: { NAMESPACE: namespace, LABELS: labels },
  });
  if (!proxy.ok) throw new Error("no proxy");
  const mesh = buildMesh(viewOf(objects));
  const { services } = scopeOf(mesh, proxy.value);
  return { mesh, proxy: proxy.value, gateway: "mesh", listenPort: 80, services, ...more };
}

function virtualService(...http: readonly HttpRoute[]) {
  const object: VirtualServiceObject = {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name: "vs", namespace: "default" },
    spec: { hosts: ["one"], http },
  };
  return buildVirtualService(object);
}

const to = (host: string, more: object = {}) => ({ destination: { host, ...more } });
const FULL = ".default.svc.cluster.local";

function forward(route: Route | undefined): ForwardAction {
  if (route?.action.type !== "forward") throw new Error("the route does not forward");
  return route.action;
}

describe("buildHttpRoutes()", () => {
  const route = [to("one")];
  const names = (context: RouteContext, ...http: readonly HttpRoute[]) =>
    buildHttpRoutes(virtualService(...http), context).map(({ name }) => name);

  test.each<[string, readonly HttpRoute[], readonly string[]]>([
    [
      "rules count in their order, and each entry of `match` is a route",
      [
        {
          name: "a",
          match: [{ uri: { prefix: "/b" } }, { name: "n", method: { exact: "GET" } }],
          route,
        },
        { name: "c", match: [{ uri: { prefix: "/a" } }], route },
      ],
      ["a", "a.n", "c"],
    ],
    [
      "what follows a rule without match is left out",
      [
        { name: "all", route },
        { name: "x", route },
      ],
      ["all"],
    ],
    [
      "what follows a match that takes everything is left out",
      [
        { name: "a", match: [{ uri: { prefix: "/" } }, { uri: { exact: "/x" } }], route },
        { name: "b", route },
      ],
      ["a"],
    ],
    [
      "a prefix with a header takes not everything",
      [
        { name: "a", match: [{ uri: { prefix: "/" }, headers: { h: {} } }], route },
        { name: "b", route },
      ],
      ["a", "b"],
    ],
    [
      "a regular expression for everything does too",
      [
        { name: "a", match: [{ uri: { regex: ".*" } }], route },
        { name: "b", route },
      ],
      ["a"],
    ],
  ])("%s", (_, http, want) => {
    expect(names(contextOf(), ...http)).toEqual(want);
  });

  test("entries for other ports, gateways and clients make no route", () => {
    const http: HttpRoute[] = [
      { name: "port", match: [{ port: 81 }], route },
      { name: "gateway", match: [{ gateways: ["g"] }], route },
      { name: "label", match: [{ sourceLabels: { app: "x" } }], route },
      { name: "namespace", match: [{ sourceNamespace: "other" }], route },
      // The client does not count where gateways are named.
      { name: "both", match: [{ gateways: ["mesh"], sourceNamespace: "other" }], route },
    ];
    const at = (more: Partial<RouteContext>, proxy = {}) =>
      names(contextOf(more, SERVICES, proxy), ...http);
    expect(at({})).toEqual(["both"]);
    expect(at({ listenPort: 81 })).toEqual(["port"]);
    expect(at({ gateway: "default/g" })).toEqual(["gateway"]);
    expect(at({}, { labels: { app: "x", more: "y" } })).toEqual(["label"]);
    expect(at({}, { namespace: "other" })).toEqual(["namespace"]);
  });

  test.each([
    ["names its port", { host: "two", port: { number: 81 } }, `outbound|81||two${FULL}`, undefined],
    ["names none: the service's only one", { host: "one" }, `outbound|80||one${FULL}`, undefined],
    [
      "names none of several: the one asked for",
      { host: "two" },
      `outbound|8080||two${FULL}`,
      "port_not_found",
    ],
    ["is no service", { host: "gone" }, `outbound|8080||gone${FULL}`, "host_not_found"],
    [
      "has no such port",
      { host: "one", port: { number: 1 } },
      `outbound|1||one${FULL}`,
      "port_not_found",
    ],
    [
      "has no such subset",
      { host: "one", subset: "v1" },
      `outbound|80|v1|one${FULL}`,
      "subset_not_found",
    ],
  ])("a destination that %s", (_, destination, name, missing) => {
    const built = virtualService({ route: [{ destination }] });
    const [only] = buildHttpRoutes(built, contextOf({ listenPort: 8080 }));
    expect(forward(only).clusters.map((cluster) => [cluster.name, cluster.missing])).toEqual([
      [name, missing],
    ]);
  });

  test("another name for a service leads to the service", () => {
    const alias = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "alias", namespace: "default" },
      spec: {
        type: "ExternalName",
        externalName: `one${FULL}`,
        ports: [{ port: 80, name: "http" }],
      },
    } as KubeObject;
    const [only] = buildHttpRoutes(
      virtualService({ route: [to("alias")] }),
      contextOf({}, [...SERVICES, alias]),
    );
    expect(forward(only).clusters[0]).toMatchObject({ name: `outbound|80||one${FULL}` });
    expect(only?.operation).toBe(`one${FULL}:80/*`);
  });

  test.each([
    [[to("one")], `one${FULL}:80`],
    [
      [
        { ...to("one"), weight: 1 },
        { ...to("two"), weight: 1 },
      ],
      "vs:80",
    ],
  ])(
    "traces call the route by its destination, or by the object where there are several",
    (destinations, target) => {
      const match = [
        { uri: { exact: "/a" } },
        { uri: { prefix: "/b" } },
        { uri: { regex: "/c.*" } },
        {},
      ];
      const routes = buildHttpRoutes(virtualService({ match, route: destinations }), contextOf());
      expect(routes.map(({ operation }) => operation)).toEqual(
        ["/a", "/b*", "/c.*", "/*"].map((path) => `${target}${path}`),
      );
    },
  );

  test.each([
    [{ derivePort: "FROM_REQUEST_PORT" }, 8080, false, 8080],
    [{ derivePort: "FROM_REQUEST_PORT" }, 80, false, undefined],
    [{ derivePort: "FROM_REQUEST_PORT" }, 443, true, undefined],
    [{ derivePort: "FROM_REQUEST_PORT" }, 443, false, 443],
    [{ derivePort: "FROM_PROTOCOL_DEFAULT" }, 8080, false, undefined],
    [{ port: 443, scheme: "https" }, 80, false, undefined],
    [{ port: 8443, scheme: "https" }, 80, false, 8443],
  ] as const)(
    "redirect %j on port %i (TLS: %s) goes to port %s",
    (redirect, listenPort, isTls, port) => {
      const [only] = buildHttpRoutes(
        virtualService({ redirect }),
        contextOf({ listenPort, isTls }),
      );
      expect(only?.action).toMatchObject({ type: "redirect", port });
    },
  );

  test("the host that a destination sets counts only where the route sets none", () => {
    const headers = { request: { set: { host: "d.example.com", x: "1" } } };
    const authority = (http: HttpRoute) =>
      forward(buildHttpRoutes(virtualService(http), contextOf())[0]).rewrite.authority;
    expect(authority({ route: [{ ...to("one"), headers }] })).toBe("d.example.com");
    expect(
      authority({ route: [{ ...to("one"), headers }], rewrite: { authority: "r.example.com" } }),
    ).toBe("r.example.com");
    const several = virtualService({
      route: [
        { ...to("one"), headers, weight: 1 },
        { ...to("two"), weight: 1 },
      ],
    });
    const [weighted] = buildHttpRoutes(several, contextOf());
    expect(forward(weighted).clusters.map((cluster) => cluster.authority)).toEqual([
      "d.example.com",
      undefined,
    ]);
    expect(weighted?.requestHeaders.write).toEqual([]);
  });

  test("a destination's policy says what requests are hashed by; the subset's comes first", () => {
    const hashed = (httpHeaderName: string) => ({
      loadBalancer: { consistentHash: { httpHeaderName } },
    });
    const subsets = [{ name: "v1", trafficPolicy: hashed("sub") }, { name: "v2" }];
    const objects = [...SERVICES, rule("one", { trafficPolicy: hashed("top"), subsets })];
    const keys = (...destinations: readonly object[]) => {
      const route = destinations.map((more) => ({ ...to("one", more), weight: 1 }));
      const action = forward(buildHttpRoutes(virtualService({ route }), contextOf({}, objects))[0]);
      return [
        action.hashKeys.map((key) => ("name" in key ? key.name : key.type)),
        action.retry?.isElsewhere,
      ];
    };
    // What keeps to one endpoint is tried again there.
    expect(keys({})).toEqual([["top"], false]);
    expect(keys({ subset: "v1" })).toEqual([["sub"], false]);
    expect(keys({ subset: "v2" })).toEqual([["top"], false]);
    expect(keys({}, { subset: "v1" })).toEqual([["top", "sub"], true]);
  });

  test("proxies for which the same holds have the same value, whatever else changes", () => {
    const built = virtualService({ match: [{ sourceLabels: { app: "x" } }], route: [to("one")] });
    const first = buildHttpRoutes(built, contextOf());
    expect(
      buildHttpRoutes(built, contextOf({}, [...SERVICES, service("three", 80)], { name: "q" })),
    ).toBe(first);
    expect(buildHttpRoutes(built, contextOf({}, SERVICES, { labels: { app: "x" } }))).not.toBe(
      first,
    );
    expect(first).toEqual([]);
  });
});

describe("buildDefaultRoutes()", () => {
  test("hashes by what the rule says of the port", () => {
    const portLevelSettings = [
      { port: { number: 81 }, loadBalancer: { consistentHash: { useSourceIp: true } } },
    ];
    const context = contextOf({}, [
      ...SERVICES,
      rule("two", { trafficPolicy: { portLevelSettings } }),
    ]);
    const two = context.services.get(`two${FULL}`);
    const keys = (two?.ports ?? []).map(
      (port) => two && forward(buildDefaultRoutes(two, port, context)[0]).hashKeys,
    );
    expect(keys).toEqual([[], [{ type: "source-ip" }]]);
  });
});

describe("buildRetryPolicy()", () => {
  const DEFAULT = {
    conditions: "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
    statusCodes: [],
    attempts: 2,
    perTryTimeoutMs: 0,
    backoffMs: undefined,
    isElsewhere: true,
    isInOtherLocalities: false,
  };

  test.each<[string, HttpRetry | undefined, object | undefined]>([
    ["nothing is Istio's default", undefined, DEFAULT],
    ["0 attempts are none", { attempts: 0 }, undefined],
    ["without attempts there are none", { retryOn: "5xx" }, undefined],
    ["what is not said is as in the default", { attempts: 5 }, { ...DEFAULT, attempts: 5 }],
    [
      "numbers among the conditions are status codes, which are asked for",
      { attempts: 1, retryOn: "5xx, 503,,429" },
      {
        ...DEFAULT,
        attempts: 1,
        conditions: "5xx,retriable-status-codes",
        statusCodes: [503, 429],
      },
    ],
    [
      "a number that is no status stays a condition",
      { attempts: 1, retryOn: "999" },
      { ...DEFAULT, attempts: 1, conditions: "999" },
    ],
    [
      "times and places",
      {
        attempts: 1,
        perTryTimeout: "1.5s",
        backoff: "25ms",
        retryRemoteLocalities: true,
        retryIgnorePreviousHosts: false,
      },
      {
        ...DEFAULT,
        attempts: 1,
        perTryTimeoutMs: 1500,
        backoffMs: 25,
        isElsewhere: false,
        isInOtherLocalities: true,
      },
    ],
  ])("%s", (_, written, want) => {
    expect(buildRetryPolicy(written, false)).toEqual(want);
  });

  test("a hashed request goes elsewhere only where the rule says so", () => {
    expect(buildRetryPolicy(undefined, true)?.isElsewhere).toBe(false);
    expect(
      buildRetryPolicy({ attempts: 1, retryIgnorePreviousHosts: true }, true)?.isElsewhere,
    ).toBe(true);
  });
});
