import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type KubeObject, keyOf } from "../../src/config/object.ts";
import { buildMesh, type Mesh } from "../../src/model/mesh.ts";
import { meshIssues } from "../../src/model/mesh-issues.ts";
import type { ProxyNode } from "../../src/model/proxy.ts";
import { buildProxyView } from "../../src/model/proxy-view.ts";
import { ConfigStore } from "../../src/store/config-store.ts";
import { buildSnapshot } from "../../src/xds/build-snapshot.ts";
import { RESOURCE_KINDS, type XdsSnapshot } from "../../src/xds/snapshot.ts";

const NAMES = ["a", "b", "c"];
const NAMESPACES = ["default", "elsewhere"];
const VERSIONS = ["v1", "v2"];

const name = fc.constantFrom(...NAMES);
const namespace = fc.constantFrom(...NAMESPACES);
const version = fc.constantFrom(...VERSIONS);
const created = fc.constantFrom("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", undefined);
const host = fc.constantFrom(
  "a",
  "b",
  "b.elsewhere.svc.cluster.local",
  "*.svc.cluster.local",
  "x.io",
);

function meta(objectName: string, objectNamespace: string, stamp?: string, labels = {}) {
  const stamped = stamp === undefined ? {} : { creationTimestamp: stamp };
  return { name: objectName, namespace: objectNamespace, labels, ...stamped };
}

const service = fc
  .record({ name, namespace, created, port: fc.constantFrom(80, 9080) })
  .map((one): KubeObject & { spec: unknown } => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: meta(one.name, one.namespace, one.created),
    spec: {
      ports: [{ name: "http", port: one.port, targetPort: 8080 }],
      selector: { app: one.name },
    },
  }));

const pod = fc
  .record({ name, namespace, version, ip: fc.integer({ min: 1, max: 9 }) })
  .map((one): KubeObject & { spec: unknown; status: unknown } => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: meta(one.name, one.namespace, undefined, { app: one.name, version: one.version }),
    spec: { containers: [{ name: "app", image: "app" }] },
    status: { podIP: `127.65.0.${one.ip}` },
  }));

const slice = fc
  .record({
    name,
    namespace,
    ips: fc.uniqueArray(fc.integer({ min: 1, max: 9 })),
    ready: fc.boolean(),
  })
  .map((one) => ({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: meta(one.name, one.namespace, undefined, { "kubernetes.io/service-name": one.name }),
    addressType: "IPv4",
    ports: [{ name: "http", port: 8080 }],
    endpoints: one.ips.map((ip) => ({
      addresses: [`127.65.0.${ip}`],
      conditions: { ready: one.ready },
      targetRef: { kind: "Pod", name: one.name, namespace: one.namespace },
    })),
  }));

const rule = fc.record({ name, namespace, created, host, version }).map((one) => ({
  apiVersion: "networking.istio.io/v1",
  kind: "DestinationRule",
  metadata: meta(one.name, one.namespace, one.created),
  spec: { host: one.host, subsets: [{ name: one.version, labels: { version: one.version } }] },
}));

const gateway = fc.record({ name, created, port: fc.constantFrom(80, 8080) }).map((one) => ({
  apiVersion: "networking.istio.io/v1",
  kind: "Gateway",
  metadata: meta(one.name, "default", one.created),
  spec: {
    selector: { istio: "ingressgateway" },
    servers: [
      {
        port: { number: one.port, name: "http", protocol: "HTTP" },
        hosts: ["*.io", "a.default.svc.cluster.local"],
      },
    ],
  },
}));

const virtualService = fc
  .record({
    name,
    namespace,
    created,
    hosts: fc.uniqueArray(host, { minLength: 1, maxLength: 2 }),
    gateways: fc.uniqueArray(fc.constantFrom("mesh", "default/a", "default/b"), { maxLength: 2 }),
    to: fc.array(
      fc.record({ host: name, subset: version, weight: fc.integer({ min: 0, max: 9 }) }),
      {
        minLength: 1,
        maxLength: 3,
      },
    ),
    prefix: fc.constantFrom("/", "/x"),
  })
  .map((one) => ({
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: meta(one.name, one.namespace, one.created),
    spec: {
      hosts: one.hosts,
      gateways: one.gateways,
      http: [
        {
          match: [{ uri: { prefix: one.prefix } }],
          route: one.to.map(({ weight, ...destination }) => ({ destination, weight })),
        },
      ],
    },
  }));

const objects: fc.Arbitrary<readonly KubeObject[]> = fc.uniqueArray(
  fc.oneof(service, pod, slice, rule, gateway, virtualService) as fc.Arbitrary<KubeObject>,
  { maxLength: 14, selector: (object) => JSON.stringify(keyOf(object)) },
);

const PROXIES: readonly ProxyNode[] = [
  node("sidecar", "default", { app: "a" }),
  node("sidecar", "elsewhere", { app: "b" }),
  node("router", "istio-system", { istio: "ingressgateway" }),
];

function node(
  type: ProxyNode["type"],
  inNamespace: string,
  labels: ProxyNode["labels"],
): ProxyNode {
  return {
    id: `${type}~127.65.0.1~p.${inNamespace}~${inNamespace}.svc.cluster.local`,
    type,
    ip: "127.65.0.1",
    name: "p",
    namespace: inNamespace,
    dnsDomain: `${inNamespace}.svc.cluster.local`,
    labels,
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
  };
}

function snapshots(mesh: Mesh): readonly XdsSnapshot[] {
  return PROXIES.map((proxy) => buildSnapshot(buildProxyView(mesh, proxy)).snapshot);
}

/** Everything that a mesh makes, bytes and words. */
function fingerprint(mesh: Mesh): unknown {
  const resources = snapshots(mesh).map((snapshot) =>
    RESOURCE_KINDS.map((kind) =>
      [...snapshot.resources[kind].values()].map(({ name: resource, body, references }) => [
        resource,
        createHash("sha256").update(body).digest("hex"),
        references,
      ]),
    ),
  );
  return { resources, issues: meshIssues(mesh) };
}

function set(object: KubeObject) {
  return { type: "set", object } as const;
}

/** A copy, so that nothing is the same by identity. */
function fresh(object: KubeObject): KubeObject {
  return structuredClone(object);
}

const RUNS = { numRuns: 150, seed: 20_261_121 };

describe("configuration to xDS", () => {
  test("the order of objects does not matter", () => {
    const shuffled = objects.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray([...list], { minLength: list.length })),
    );
    fc.assert(
      fc.property(shuffled, ([first, second]) => {
        const a = new ConfigStore().apply({ events: first.map(set) }).view;
        const b = new ConfigStore();
        for (const object of second) b.apply({ events: [set(fresh(object))] });
        expect(fingerprint(buildMesh(b.view))).toEqual(fingerprint(buildMesh(a)));
      }),
      RUNS,
    );
  });

  test("step by step gives what starting afresh gives, and taking back restores", () => {
    fc.assert(
      fc.property(objects, objects, (base, extra) => {
        const store = new ConfigStore();
        let mesh = buildMesh(store.apply({ events: base.map(set) }).view);
        const before = fingerprint(mesh);
        for (const object of extra) {
          mesh = buildMesh(store.apply({ events: [set(object)] }).view, mesh);
          // Every step is built with the memory of the one before.
          snapshots(mesh);
        }
        const merged = new Map([...base, ...extra].map((one) => [JSON.stringify(keyOf(one)), one]));
        const afresh = new ConfigStore().apply({
          events: [...merged.values()].map(fresh).map(set),
        });
        expect(fingerprint(mesh)).toEqual(fingerprint(buildMesh(afresh.view)));

        for (const object of extra) {
          store.apply({ events: [{ type: "delete", key: keyOf(object) }] });
        }
        store.apply({ events: base.map(set) });
        mesh = buildMesh(store.view, mesh);
        expect(fingerprint(mesh)).toEqual(before);
      }),
      RUNS,
    );
  });

  test("a snapshot is consistent: what is named is there, or was named in vain", () => {
    fc.assert(
      fc.property(objects, (list) => {
        const mesh = buildMesh(new ConfigStore().apply({ events: list.map(set) }).view);
        for (const { resources } of snapshots(mesh)) {
          const eds = [...resources.cluster.keys()].filter((one) => one.startsWith("outbound|"));
          expect([...resources.endpoint.keys()]).toEqual(eds);
          const asked = [...resources.listener.values()].flatMap(({ references }) => references);
          expect(asked.sort()).toEqual([...resources.route.keys()].sort());
        }
      }),
      RUNS,
    );
  });
});
