import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../src/config/object.ts";
import { buildMesh } from "../../src/model/mesh.ts";
import type { ProxyNode } from "../../src/model/proxy.ts";
import { buildProxyView } from "../../src/model/proxy-view.ts";
import { ConfigStore, viewOf } from "../../src/store/config-store.ts";
import { buildSnapshot } from "../../src/xds/build-snapshot.ts";
import { RESOURCE_KINDS, type XdsResource } from "../../src/xds/snapshot.ts";

type Json = Record<string, unknown>;

const ISTIO = "networking.istio.io/v1";

function object(
  apiVersion: string,
  kind: string,
  name: string,
  rest: Json,
  labels = {},
): KubeObject {
  const metadata = {
    name,
    namespace: "default",
    labels,
    creationTimestamp: "2026-01-01T00:00:00Z",
  };
  return { apiVersion, kind, metadata, ...rest };
}

function service(name: string, spec: Json = {}): KubeObject {
  const ports = [{ name: "http", port: 9080, targetPort: 8080 }];
  return object("v1", "Service", name, { spec: { ports, selector: { app: name }, ...spec } });
}

function pod(name: string, labels: Json, ip: string): KubeObject {
  const containers = [{ name: "app", ports: [{ name: "web", containerPort: 8081 }] }];
  return object("v1", "Pod", name, { spec: { containers }, status: { podIP: ip } }, labels);
}

function slice(name: string, endpoints: readonly Json[]): KubeObject {
  const ports = [{ name: "http", port: 8080 }];
  const labels = { "kubernetes.io/service-name": name };
  const rest = { addressType: "IPv4", ports, endpoints };
  return object("discovery.k8s.io/v1", "EndpointSlice", name, rest, labels);
}

const endpoint = (name: string, address: string): Json => ({
  addresses: [address],
  targetRef: { kind: "Pod", name },
});

function virtualService(name: string, spec: Json): KubeObject {
  return object(ISTIO, "VirtualService", name, { spec });
}

const to = (host: string, more: Json = {}): Json => ({ destination: { host, ...more } });

/** A mesh of two services, one with subsets, routed for sidecars and for a gateway. */
const BASE: Readonly<Record<string, KubeObject>> = {
  a: service("a"),
  b: service("b", { clusterIP: "10.96.0.8" }),
  podA: pod("a-1", { app: "a", version: "v1" }, "127.65.0.1"),
  sliceA: slice("a", [endpoint("a-1", "127.65.0.1")]),
  rule: object(ISTIO, "DestinationRule", "a", {
    spec: { host: "a", subsets: [{ name: "v1", labels: { version: "v1" } }] },
  }),
  routes: virtualService("a", { hosts: ["a"], http: [{ route: [to("a", { subset: "v1" })] }] }),
  gateway: object(ISTIO, "Gateway", "gw", {
    spec: {
      selector: { istio: "ingressgateway" },
      servers: [{ port: { number: 8080, name: "http", protocol: "HTTP" }, hosts: ["*"] }],
    },
  }),
  outside: virtualService("outside", {
    hosts: ["*"],
    gateways: ["gw"],
    http: [{ match: [{ uri: { prefix: "/b" } }], route: [to("b")] }],
  }),
};

function node(type: ProxyNode["type"], change: Partial<ProxyNode> = {}): ProxyNode {
  return {
    id: "id",
    type,
    ip: "127.65.0.1",
    name: "a-1",
    namespace: "default",
    dnsDomain: "default.svc.cluster.local",
    labels: type === "router" ? { istio: "ingressgateway" } : { app: "a" },
    serviceAccount: "default",
    interceptionMode: "NONE",
    appAddress: "127.65.128.1",
    ips: ["127.65.0.1"],
    clusterId: "Kubernetes",
    network: "",
    nodeName: "",
    locality: { region: "", zone: "", subzone: "" },
    httpProxyPort: 15_002,
    answersDns: false,
    isWeft: false,
    hasWeftAgent: false,
    istioMinor: undefined,
    serviceCluster: "",
    annotations: {},
    workloadName: "",
    meshId: "",
    hasCertificates: false,
    takesHttp10: false,
    idleTimeoutMs: undefined,
    isUnprivileged: false,
    proxyConfig: {},
    hostPorts: [],
    calledHosts: [],
    ...change,
  };
}

const PROXIES = [node("sidecar"), node("router")];

/** Every resource of the proxies by `type kind name`, with its version. */
function versionsOf(objects: Iterable<KubeObject>, proxies = PROXIES): ReadonlyMap<string, string> {
  const mesh = buildMesh(viewOf([...objects]));
  const versions = new Map<string, string>();
  for (const proxy of proxies) {
    const { resources } = buildSnapshot(buildProxyView(mesh, proxy)).snapshot;
    for (const kind of RESOURCE_KINDS) {
      for (const { name, version } of resources[kind].values()) {
        versions.set(`${proxy.type} ${kind} ${name}`, version);
      }
    }
  }
  return versions;
}

/** What came, went or changed, sidecar and gateway named once where both agree. */
function difference(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): readonly string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  const changed = [...names].filter((name) => before.get(name) !== after.get(name));
  return [...new Set(changed.map((name) => name.replace(".default.svc.cluster.local", "")))].sort();
}

const OUT_A = ["outbound|9080||a", "outbound|9080|v1|a"];
const both = (kind: string, names: readonly string[]): readonly string[] =>
  ["router", "sidecar"].flatMap((type) => names.map((name) => `${type} ${kind} ${name}`));
const HTTP_PROXY = "sidecar route http_proxy";

/** One change of one input each, and exactly what it may change. */
const CHANGES: readonly (readonly [
  what: string,
  change: Record<string, KubeObject>,
  expected: readonly string[],
])[] = [
  ["a cluster IP", { b: service("b", { clusterIP: "10.96.0.9" }) }, [HTTP_PROXY]],
  [
    "a target port",
    { a: service("a", { ports: [{ name: "http", port: 9080, targetPort: "web" }] }) },
    [
      "sidecar cluster inbound|8080||",
      "sidecar cluster inbound|8081||",
      "sidecar listener 127.65.0.1_8080",
      "sidecar listener 127.65.0.1_8081",
    ],
  ],
  [
    "a port's protocol",
    {
      b: service("b", {
        clusterIP: "10.96.0.8",
        ports: [{ name: "http2", port: 9080, targetPort: 8080 }],
      }),
    },
    both("cluster", ["outbound|9080||b"]),
  ],
  [
    "a pod's labels",
    { podA: pod("a-1", { app: "a", version: "v2" }, "127.65.0.1") },
    both("endpoint", OUT_A),
  ],
  [
    "an endpoint more",
    { sliceA: slice("a", [endpoint("a-1", "127.65.0.1"), endpoint("a-2", "127.65.0.2")]) },
    // The new one is no known pod: it is in no subset.
    both("endpoint", ["outbound|9080||a"]),
  ],
  [
    "an endpoint not ready",
    { sliceA: slice("a", [{ ...endpoint("a-1", "127.65.0.1"), conditions: { ready: false } }]) },
    both("endpoint", OUT_A),
  ],
  [
    "a subset's labels",
    {
      rule: object(ISTIO, "DestinationRule", "a", {
        spec: { host: "a", subsets: [{ name: "v1", labels: { version: "v9" } }] },
      }),
    },
    both("endpoint", ["outbound|9080|v1|a"]),
  ],
  [
    "a load balancer",
    {
      rule: object(ISTIO, "DestinationRule", "a", {
        spec: {
          host: "a",
          trafficPolicy: { loadBalancer: { simple: "RANDOM" } },
          subsets: [{ name: "v1", labels: { version: "v1" } }],
        },
      }),
    },
    both("cluster", OUT_A),
  ],
  [
    "a route of the mesh",
    { routes: virtualService("a", { hosts: ["a"], http: [{ route: [to("b")] }] }) },
    [HTTP_PROXY],
  ],
  [
    "a route of a gateway",
    {
      outside: virtualService("outside", {
        hosts: ["*"],
        gateways: ["gw"],
        http: [{ route: [to("b")] }],
      }),
    },
    ["router route http.8080"],
  ],
  [
    "a gateway's hosts",
    {
      gateway: object(ISTIO, "Gateway", "gw", {
        spec: {
          selector: { istio: "ingressgateway" },
          servers: [{ port: { number: 8080, name: "http", protocol: "HTTP" }, hosts: ["x.io"] }],
        },
      }),
    },
    ["router route http.8080"],
  ],
  [
    "a gateway's port",
    {
      gateway: object(ISTIO, "Gateway", "gw", {
        spec: {
          selector: { istio: "ingressgateway" },
          servers: [{ port: { number: 8090, name: "http", protocol: "HTTP" }, hosts: ["*"] }],
        },
      }),
    },
    [
      "router listener 127.65.0.1_8080",
      "router listener 127.65.0.1_8090",
      "router route http.8080",
      "router route http.8090",
    ],
  ],
];

describe("buildSnapshot()", () => {
  test.each(CHANGES)("%s changes exactly what it made", (_, change, expected) => {
    const before = versionsOf(Object.values(BASE));
    const after = versionsOf(Object.values({ ...BASE, ...change }));
    expect(difference(before, after)).toEqual([...expected].sort());
  });

  test.each([
    [
      "namespace",
      { namespace: "elsewhere", dnsDomain: "elsewhere.svc.cluster.local" },
      ["sidecar cluster inbound|8080||", "sidecar listener 127.65.0.1_8080", HTTP_PROXY],
    ],
    [
      "address",
      { ip: "127.65.0.9" },
      [
        "sidecar listener 127.65.0.1_15002",
        "sidecar listener 127.65.0.1_8080",
        "sidecar listener 127.65.0.9_15002",
        "sidecar listener 127.65.0.9_8080",
      ],
    ],
    ["app's address", { appAddress: "127.65.128.9" }, ["sidecar cluster inbound|8080||"]],
    [
      "labels",
      { labels: {} },
      ["sidecar cluster inbound|8080||", "sidecar listener 127.65.0.1_8080"],
    ],
  ])("a sidecar's %s changes exactly what it shaped", (_, change, expected) => {
    const before = versionsOf(Object.values(BASE), [node("sidecar")]);
    const after = versionsOf(Object.values(BASE), [node("sidecar", change)]);
    expect(difference(before, after)).toEqual([...expected].sort());
  });

  test("a gateway listens on the host's ports too", () => {
    const hostPorts = [{ containerPort: 8080, hostIp: "127.0.0.1", hostPort: 18_080 }];
    const before = versionsOf(Object.values(BASE), [node("router")]);
    const after = versionsOf(Object.values(BASE), [node("router", { hostPorts })]);
    expect(difference(before, after)).toEqual(["router listener 127.65.0.1_8080"]);
  });

  test("resource versions and lines of files change nothing", () => {
    const renumbered = Object.values(BASE).map((one, index) => ({
      ...one,
      metadata: { ...one.metadata, resourceVersion: String(index), generation: index },
    }));
    expect(versionsOf(renumbered)).toEqual(versionsOf(Object.values(BASE)));
  });

  test("proxies of a namespace share what they see alike", () => {
    const mesh = buildMesh(viewOf(Object.values(BASE)));
    const [first, second] = ["127.65.0.1", "127.65.0.2"].map(
      (ip) => buildSnapshot(buildProxyView(mesh, node("sidecar", { ip }))).snapshot.resources,
    );
    expect(second?.endpoint).toBe(first?.endpoint);
    expect(second?.route.get("http_proxy")).toBe(first?.route.get("http_proxy"));
    const cluster = "outbound|9080||a.default.svc.cluster.local";
    expect(second?.cluster.get(cluster)).toBe(first?.cluster.get(cluster));
  });

  test.each([
    ["asked as a proxy", node("sidecar"), ["http_proxy"]],
    [
      "captured",
      node("sidecar", { interceptionMode: "REDIRECT", appAddress: undefined }),
      ["9080", "http_proxy"],
    ],
  ])("what a change did not touch is not encoded again, %s", (_, proxy, expected) => {
    const store = new ConfigStore();
    const events = Object.values(BASE).map((one) => ({ type: "set", object: one }) as const);
    const before = buildMesh(store.apply({ events }).view);
    const encoded = (mesh: typeof before): readonly XdsResource[] => {
      const { resources } = buildSnapshot(buildProxyView(mesh, proxy)).snapshot;
      return RESOURCE_KINDS.flatMap((kind) => [...resources[kind].values()]);
    };
    const first = new Set(encoded(before));
    const routes = virtualService("a", { hosts: ["a"], http: [{ route: [to("b")] }] });
    const { view } = store.apply({ events: [{ type: "set", object: routes }] });
    const again = encoded(buildMesh(view, before)).filter((resource) => !first.has(resource));
    expect(again.map(({ name }) => name).sort()).toEqual(expected);
  });

  test("names each object that made a resource, and what it refers to", () => {
    const mesh = buildMesh(viewOf(Object.values(BASE)));
    const { resources } = buildSnapshot(buildProxyView(mesh, node("sidecar"))).snapshot;
    const subset = resources.cluster.get("outbound|9080|v1|a.default.svc.cluster.local");
    expect(subset?.origins.map(({ kind, name }) => `${kind}/${name}`)).toEqual([
      "Service/a",
      "DestinationRule/a",
    ]);
    const routes = resources.route.get("http_proxy");
    expect(routes?.references).toEqual([
      "outbound|9080|v1|a.default.svc.cluster.local",
      "outbound|9080||b.default.svc.cluster.local",
    ]);
  });

  test("one impossible VirtualService leaves all other hosts as they were", () => {
    const bad = virtualService("b", {
      hosts: ["b"],
      http: [
        { match: [{ uri: { regex: "(?=x)" } }], route: [to("a")] },
        {
          route: [
            { ...to("a"), weight: 0 },
            { ...to("b"), weight: 0 },
          ],
        },
      ],
    });
    expect(versionsOf([...Object.values(BASE), bad])).toEqual(versionsOf(Object.values(BASE)));
  });

  test("what cannot be written is left out alone, and said of its object", () => {
    const view = buildProxyView(buildMesh(viewOf(Object.values(BASE))), node("sidecar"));
    const [[first, ...siblings] = [], ...others] = view.clusters;
    if (first === undefined) throw new Error("no cluster");
    // No object can say this: it stands for a mistake in the control plane.
    const broken = { ...first, connectTimeoutMs: Number.NaN };
    const { snapshot, issues } = buildSnapshot({
      ...view,
      clusters: [[broken, ...siblings], ...others],
    });
    const whole = buildSnapshot(view).snapshot.resources;
    expect([...snapshot.resources.cluster.keys()]).toEqual(
      [...whole.cluster.keys()].filter((name) => name !== first.name),
    );
    expect(snapshot.resources.listener).toEqual(whole.listener);
    expect(issues).toMatchObject([{ object: first.origins[0]?.key }]);
    expect(issues[0]?.issue.message).toContain(`${first.name} cannot be written for proxies`);
  });
});
