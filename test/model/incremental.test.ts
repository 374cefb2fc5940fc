import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../src/config/object.ts";
import { buildMesh, type Mesh } from "../../src/model/mesh.ts";
import { meshIssues } from "../../src/model/mesh-issues.ts";
import type { ProxyNode } from "../../src/model/proxy.ts";
import { buildProxyView, viewsOf } from "../../src/model/proxy-view.ts";
import { ConfigStore } from "../../src/store/config-store.ts";
import { buildSnapshot } from "../../src/xds/build-snapshot.ts";
import { resourceChanges } from "../../src/xds/resource-map.ts";
import { RESOURCE_KINDS, type XdsSnapshot } from "../../src/xds/snapshot.ts";
import { sidecar } from "./world.ts";

function object(apiVersion: string, kind: string, name: string, rest: object): KubeObject {
  const metadata = { name, namespace: "default", creationTimestamp: "2026-01-01T00:00:00Z" };
  return { apiVersion, kind, metadata, ...rest } as unknown as KubeObject;
}

const NETWORKING = "networking.istio.io/v1";

function host(index: number): string {
  return `s${index}.default.svc.cluster.local`;
}

function virtualService(index: number, weight: number): KubeObject {
  const to = (subset: string, share: number): object => ({
    destination: { host: host(index), subset },
    weight: share,
  });
  const route = [to("v1", weight), to("v2", 100 - weight)];
  return object(NETWORKING, "VirtualService", `s${index}`, {
    spec: { hosts: [host(index)], http: [{ route }] },
  });
}

function slice(index: number, lastByte: number): KubeObject {
  const made = object("discovery.k8s.io/v1", "EndpointSlice", `s${index}-x`, {
    addressType: "IPv4",
    ports: [{ name: "http", port: 8080 }],
    endpoints: [{ addresses: [`10.1.${index % 250}.${lastByte}`], conditions: { ready: true } }],
  });
  return {
    ...made,
    metadata: { ...made.metadata, labels: { "kubernetes.io/service-name": `s${index}` } },
  };
}

function rule(index: number, connections: number): KubeObject {
  return object(NETWORKING, "DestinationRule", `s${index}`, {
    spec: {
      host: host(index),
      trafficPolicy: { connectionPool: { tcp: { maxConnections: connections } } },
      subsets: ["v1", "v2"].map((name) => ({ name, labels: { version: name } })),
    },
  });
}

function entry(index: number, lastByte: number): KubeObject {
  return object(NETWORKING, "ServiceEntry", `e${index}`, {
    spec: {
      hosts: [`e${index}.example.com`],
      location: "MESH_INTERNAL",
      resolution: "STATIC",
      ports: [{ number: 80, name: "http", protocol: "HTTP" }],
      endpoints: [{ address: `10.2.${index % 250}.${lastByte}` }],
    },
  });
}

function world(count: number): readonly KubeObject[] {
  return Array.from({ length: count }, (_, index) => [
    object("v1", "Service", `s${index}`, {
      spec: { clusterIP: `10.96.0.${index % 250}`, ports: [{ name: "http", port: 80 }] },
    }),
    slice(index, 1),
    rule(index, 10),
    virtualService(index, 50),
    entry(index, 1),
  ]).flat();
}

/** A mesh that is changed, and what proxies have of it. */
class Changing {
  readonly #store = new ConfigStore();
  readonly #proxies: readonly ProxyNode[];
  #mesh: Mesh;

  constructor(count: number, proxies: readonly ProxyNode[]) {
    this.#proxies = proxies;
    this.#mesh = buildMesh(
      this.#store.apply({ events: world(count).map((one) => ({ type: "set", object: one })) }).view,
    );
    this.snapshots();
  }

  get computations(): number {
    return viewsOf(this.#mesh).counts.computations;
  }

  snapshots(): readonly XdsSnapshot[] {
    meshIssues(this.#mesh);
    return this.#proxies.map((proxy) => buildSnapshot(buildProxyView(this.#mesh, proxy)).snapshot);
  }

  change(changed: KubeObject): void {
    const { view } = this.#store.apply({ events: [{ type: "set", object: changed }] });
    this.#mesh = buildMesh(view, this.#mesh);
  }
}

const PROXIES = [
  sidecar({ ips: ["10.0.0.1"] }),
  sidecar({ ips: ["10.0.0.2"] }),
  sidecar({ ips: ["10.0.0.3"], namespace: "other" }),
  sidecar({ ips: ["10.0.0.4"], metadata: { INTERCEPTION_MODE: "NONE" } }),
];

describe("one change", () => {
  const changes: readonly (readonly [string, KubeObject, KubeObject])[] = [
    ["VirtualService", virtualService(3, 60), virtualService(3, 70)],
    ["EndpointSlice", slice(3, 2), slice(3, 3)],
    ["DestinationRule", rule(3, 20), rule(3, 30)],
    ["ServiceEntry's endpoint", entry(3, 2), entry(3, 3)],
  ];
  test.each(changes)(
    "of a %s computes as much in a mesh of 5 services as in one of 60",
    (_, first, second) => {
      const counts = [5, 60].map((count) => {
        const mesh = new Changing(count, PROXIES);
        // What only the first change of a kind meets is not what is asked for.
        mesh.change(first);
        mesh.snapshots();
        const before = mesh.computations;
        mesh.change(second);
        mesh.snapshots();
        return mesh.computations - before;
      });
      expect(counts[0]).toBeGreaterThan(0);
      expect(counts[1]).toBe(counts[0]);
    },
  );

  test.each(changes)("of a %s leaves all other resources the same values", (_, first, second) => {
    const mesh = new Changing(20, PROXIES);
    mesh.change(first);
    const before = mesh.snapshots();
    mesh.change(second);
    const after = mesh.snapshots();
    for (const [index, snapshot] of after.entries()) {
      for (const kind of RESOURCE_KINDS) {
        const [old, now] = [before[index]?.resources[kind], snapshot.resources[kind]];
        if (old === undefined) throw new Error("a proxy came");
        const { changed, removed } = resourceChanges(old, now);
        expect(removed.size).toBe(0);
        expect(changed.size).toBeLessThanOrEqual(3);
        // What else is made of the same objects may have been made again, to the same bytes.
        const others = [...now].filter(([name]) => !changed.has(name) && !/[se]3\./.test(name));
        const remade = others.filter(([name, resource]) => resource !== old.get(name));
        expect(remade.map(([name]) => `${kind} ${name}`)).toEqual([]);
      }
    }
  });

  test("that nobody sees keeps everybody's snapshot the same value", () => {
    const mesh = new Changing(5, PROXIES);
    const before = mesh.snapshots();
    const hidden = object(NETWORKING, "VirtualService", "hidden", {
      spec: {
        hosts: ["x.example.com"],
        exportTo: ["elsewhere"],
        http: [{ route: [{ destination: { host: host(1) } }] }],
      },
    });
    mesh.change({ ...hidden, metadata: { ...hidden.metadata, namespace: "hidden" } });
    const after = mesh.snapshots();
    for (const [index, snapshot] of after.entries()) expect(snapshot).toBe(before[index]);
  });
});

test("a proxy that comes and goes leaves nothing, though nothing else changes", () => {
  const mesh = buildMesh(
    new ConfigStore().apply({
      events: world(5).map((one) => ({ type: "set", object: one })),
    }).view,
  );
  const visit = (index: number): void => {
    const proxy = sidecar({ ips: [`10.9.${index >> 8}.${index & 255}`] });
    buildProxyView(mesh, proxy);
    viewsOf(mesh).forget(proxy);
  };
  visit(0);
  const { cells } = viewsOf(mesh).counts;
  for (let index = 1; index < 50; index += 1) visit(index);
  expect(viewsOf(mesh).counts.cells).toBe(cells);
});
