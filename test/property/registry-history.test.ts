/**
 * ServiceEntries come, change and go, some hundred in a row: what a mesh knows after each step, and
 * what its proxies get, is the same as if the mesh had been built from nothing, byte for byte.
 */
import { expect, test } from "vitest";
import { offeredOf, versionOf } from "../../src/ads/selection.ts";
import { PatchedMap } from "../../src/base/patched-map.ts";
import { createPrng, type Prng } from "../../src/base/prng.ts";
import type { KubeObject } from "../../src/config/object.ts";
import { buildMesh, type Mesh } from "../../src/model/mesh.ts";
import { meshIssues } from "../../src/model/mesh-issues.ts";
import { decodeProxyNode } from "../../src/model/proxy-node.ts";
import { buildProxyView } from "../../src/model/proxy-view.ts";
import { ConfigStore, viewOf } from "../../src/store/config-store.ts";
import { buildSnapshot } from "../../src/xds/build-snapshot.ts";
import { resourceChanges } from "../../src/xds/resource-map.ts";
import { type ResourceKind, type XdsSnapshot } from "../../src/xds/snapshot.ts";

const STEPS = Number(process.env["STEPS"] ?? 150);
const SEEDS = process.env["SEED"] === undefined ? [1, 2, 3] : [Number(process.env["SEED"])];
/** More than are computed at a time. */
const ENTRIES = 90;

const PROXIES = ["10.1.0.1", "10.1.0.7", "10.2.0.9"].map((ip, at) => {
  const decoded = decodeProxyNode({
    id: `sidecar~${ip}~p${at}.default~default.svc.cluster.local`,
    metadata: { ISTIO_VERSION: "1.30.0", INTERCEPTION_MODE: "REDIRECT", NAMESPACE: "default" },
  });
  if (!decoded.ok) throw new Error(JSON.stringify(decoded.issues));
  return decoded.value;
});

function pick<T>(prng: Prng, list: readonly T[]): T {
  return list[Math.floor(prng.next() * list.length)] as T;
}

/** Addresses of few hosts, so that services share them. */
function address(prng: Prng): string {
  return `10.${1 + Math.floor(prng.next() * 2)}.0.${1 + Math.floor(prng.next() * 20)}`;
}

function serviceEntry(prng: Prng, at: number): KubeObject {
  const isSelecting = prng.next() < 0.1;
  const count = Math.floor(prng.next() * 4);
  const endpoints = Array.from({ length: count }, () => ({
    address: address(prng),
    labels: { version: pick(prng, ["v1", "v2"]) },
  }));
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "ServiceEntry",
    metadata: {
      name: `entry-${at}`,
      namespace: pick(prng, ["default", "default", "other"]),
      ...(prng.next() < 0.3 && {
        creationTimestamp: `2026-01-0${1 + Math.floor(prng.next() * 5)}T00:00:00Z`,
      }),
    },
    spec: {
      // Some share a host, and are one service then.
      hosts: [`host-${prng.next() < 0.9 ? at : at % 7}.example`],
      ...(prng.next() < 0.8 && { addresses: [`240.9.${at >> 8}.${at & 255}`] }),
      ports: [{ number: pick(prng, [80, 81]), name: "http", protocol: "HTTP" }],
      resolution: pick(prng, ["STATIC", "STATIC", "STATIC", "DNS"]),
      location: "MESH_INTERNAL",
      ...(isSelecting
        ? { workloadSelector: { labels: { app: pick(prng, ["a", "b"]) } } }
        : { endpoints }),
    },
  } as unknown as KubeObject;
}

/** The same entry but for who answers, which is what changes most. */
function withEndpoints(prng: Prng, object: KubeObject): KubeObject {
  const { spec } = object as unknown as { spec: { workloadSelector?: object } };
  if (spec.workloadSelector !== undefined) return object;
  const endpoints = Array.from({ length: Math.floor(prng.next() * 4) }, () => ({
    address: address(prng),
  }));
  return { ...object, spec: { ...spec, endpoints } } as unknown as KubeObject;
}

function workloadEntry(prng: Prng): KubeObject {
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "WorkloadEntry",
    metadata: { name: `workload-${Math.floor(prng.next() * 5)}`, namespace: "default" },
    spec: { address: address(prng), labels: { app: pick(prng, ["a", "b"]) } },
  } as unknown as KubeObject;
}

class History {
  readonly objects = new Map<string, KubeObject>();
  readonly #store = new ConfigStore();
  #mesh: Mesh | undefined;

  set(object: KubeObject): void {
    const text = `${object.kind}/${object.metadata.namespace}/${object.metadata.name}`;
    this.objects.set(text, object);
    this.#store.apply({ events: [{ type: "set", object }] });
  }

  delete(text: string): void {
    this.objects.delete(text);
    const [kind = "", namespace = "", name = ""] = text.split("/");
    const key = { group: "networking.istio.io", kind, namespace, name };
    this.#store.apply({ events: [{ type: "delete", key }] });
  }

  mesh(): Mesh {
    this.#mesh = buildMesh(this.#store.view, this.#mesh);
    return this.#mesh;
  }
}

function change(history: History, prng: Prng): void {
  const entries = [...history.objects.keys()].filter((text) => text.startsWith("ServiceEntry"));
  const chance = prng.next();
  const some = pick(prng, entries);
  const object = history.objects.get(some);
  if (chance < 0.6 && object !== undefined) history.set(withEndpoints(prng, object));
  else if (chance < 0.75) history.set(serviceEntry(prng, Math.floor(prng.next() * ENTRIES)));
  else if (chance < 0.85 && entries.length > ENTRIES / 2) history.delete(some);
  else history.set(workloadEntry(prng));
}

/** All that is known and handed out, in its order. */
function said(mesh: Mesh): unknown {
  const { services, endpoints, listed, issues } = mesh.registry;
  return {
    services: services.map(({ id, object }) => [id, object.metadata.name]),
    endpoints: [...endpoints].map(([id, ports]) => [id, [...ports]]),
    listed: [...listed]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([ip, targets]) => [
        ip,
        targets.map(({ service, targetPort }) => [service.id, targetPort]),
      ]),
    issues,
    others: meshIssues(mesh),
    proxies: PROXIES.map((proxy) =>
      resourcesOf(buildSnapshot(buildProxyView(mesh, proxy)).snapshot),
    ),
  };
}

function resourcesOf({ resources }: XdsSnapshot): unknown {
  return {
    versions: [versionOf(offeredOf("endpoint", resources), undefined)],
    ...Object.fromEntries(
      Object.entries(resources).map(([kind, map]) => [
        kind,
        [...map].map(([name, { version }]) => `${name} ${version}`),
      ]),
    ),
  };
}

/** What `resourceChanges` may say of two snapshots of one proxy. */
function differences(before: XdsSnapshot, after: XdsSnapshot): unknown {
  return Object.keys(after.resources).map((name) => {
    const kind = name as keyof XdsSnapshot["resources"];
    const [last, next] = [before.resources[kind], after.resources[kind]];
    const changed = [...next.keys()].filter(
      (one) => last.get(one)?.version !== next.get(one)?.version,
    );
    return [kind, changed.sort(), [...last.keys()].filter((one) => !next.has(one)).sort()];
  });
}

test.each(SEEDS)(
  "a mesh with a history is as one without, seed %i",
  (seed) => {
    const prng = createPrng(seed);
    const history = new History();
    for (let at = 0; at < ENTRIES; at++) history.set(serviceEntry(prng, at));
    for (let at = 0; at < 3; at++) history.set(workloadEntry(prng));
    const [proxy] = PROXIES as [(typeof PROXIES)[number]];
    let last = buildSnapshot(buildProxyView(history.mesh(), proxy)).snapshot;
    let patched = 0;
    for (let step = 0; step < STEPS; step++) {
      change(history, prng);
      const mesh = history.mesh();
      const fresh = buildMesh(viewOf([...history.objects.values()]));
      expect(said(mesh), `step ${step}`).toEqual(said(fresh));
      const next = buildSnapshot(buildProxyView(mesh, proxy)).snapshot;
      const told = Object.entries(next.resources).map(([kind, map]) => {
        const { changed, removed } = resourceChanges(last.resources[kind as ResourceKind], map);
        return [kind, [...changed].sort(), [...removed].sort()];
      });
      expect(told, `step ${step}`).toEqual(differences(last, next));
      const { endpoint } = next.resources;
      if (endpoint instanceof PatchedMap && endpoint.patch.size > 0) patched += 1;
      last = next;
    }
    expect(patched).toBeGreaterThan(STEPS / 4);
  },
  120_000,
);
