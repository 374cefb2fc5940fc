import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createPrng } from "../base/prng.ts";
import { SimClock } from "../base/sim-clock.ts";
import type { Deployment } from "../config/deployment.ts";
import type { EndpointSlice } from "../config/endpoint-slice.ts";
import type { Endpoints } from "../config/endpoints.ts";
import type { KubeObject } from "../config/object.ts";
import { keyOf } from "../config/object.ts";
import type { Pod } from "../config/pod.ts";
import type { ReplicaSet } from "../config/replica-set.ts";
import type { Service } from "../config/service.ts";
import { MemoryStorage } from "../storage/memory-storage.ts";
import { silentLogger } from "../telemetry/log.ts";
import type { Controller } from "./controller.ts";
import { startDeploymentController } from "./deployment-controller.ts";
import { startEndpointSliceController } from "./endpoint-slice-controller.ts";
import { startNamespaceController } from "./namespace-controller.ts";
import { startReplicaSetController } from "./replica-set-controller.ts";
import { startServiceController } from "./service-controller.ts";

const STEP_MS = 1_000;

let clock: SimClock;
let storage: MemoryStorage;
let controllers: Controller[];

beforeEach(() => {
  clock = new SimClock(Date.parse("2026-01-01T00:00:00Z"));
  storage = new MemoryStorage({ clock });
  const deps = { storage, clock, logger: silentLogger };
  controllers = [
    startDeploymentController(deps),
    startReplicaSetController({ ...deps, prng: createPrng(1) }),
    startEndpointSliceController(deps),
    startServiceController(deps),
    startNamespaceController(deps),
  ];
});

afterEach(async () => {
  await Promise.all(controllers.map((controller) => controller.stop()));
  await storage.close();
});

/** Lets the controllers come to rest. */
async function settle(): Promise<void> {
  for (let round = 0; round < 10; round++) await clock.advance(STEP_MS / 10);
}

function list<T extends KubeObject>(kind: string, group = ""): readonly T[] {
  return storage.list({ group, kind }).items as readonly T[];
}

function deployment(image: string, replicas: number): Deployment {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "shop" },
    spec: {
      replicas,
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: {
          containers: [{ name: "c", image, ports: [{ name: "http", containerPort: 8000 }] }],
        },
      },
    },
  };
}

/** What a kubelet would report of every pod that has no status yet. */
async function runPods(isReady = true): Promise<void> {
  let last = 0;
  for (const pod of list<Pod>("Pod")) {
    last++;
    if (pod.metadata.deletionTimestamp !== undefined) {
      await storage.delete(keyOf(pod), { gracePeriodSeconds: 0 });
    } else if (pod.status === undefined) {
      const running: Pod = {
        ...pod,
        status: {
          phase: "Running",
          podIP: `127.65.0.${last + 1}`,
          conditions: [
            {
              type: "Ready",
              status: isReady ? "True" : "False",
              lastTransitionTime: new Date(clock.nowMs()).toISOString(),
            },
          ],
        },
      };
      await storage.update(running, { subresource: "status" });
    }
  }
  await settle();
}

function web(): Deployment | undefined {
  return list<Deployment>("Deployment", "apps")[0];
}

describe("startDeploymentController()", () => {
  it("makes pods by way of a replica set named by the template's hash", async () => {
    await storage.create(deployment("v1", 2));
    await settle();
    const [set] = list<ReplicaSet>("ReplicaSet", "apps");
    expect(set?.metadata.name).toMatch(/^web-[bcdf-hj-np-tv-xz2-9]{8,10}$/);
    expect(set?.metadata.labels?.["pod-template-hash"]).toBe(set?.metadata.name.slice(4));
    const pods = list<Pod>("Pod");
    expect(pods).toHaveLength(2);
    for (const { metadata } of pods) {
      expect(metadata.name).toMatch(new RegExp(`^${set?.metadata.name}-[a-z0-9]{5}$`));
      expect(metadata.ownerReferences?.[0]).toMatchObject({ kind: "ReplicaSet", controller: true });
    }
    expect(web()?.status).toMatchObject({ replicas: 2, unavailableReplicas: 2 });
    await runPods();
    expect(web()?.status).toMatchObject({
      observedGeneration: 1,
      replicas: 2,
      updatedReplicas: 2,
      readyReplicas: 2,
      availableReplicas: 2,
      conditions: [
        { type: "Available", status: "True", reason: "MinimumReplicasAvailable" },
        { type: "Progressing", status: "True", reason: "NewReplicaSetAvailable" },
      ],
    });
  });

  it("says which version a deployment is at, also when it goes back to one", async () => {
    const revision = (): string | undefined =>
      list("Deployment", "apps")[0]?.metadata.annotations?.["deployment.kubernetes.io/revision"];
    await storage.create(deployment("web:1", 1));
    await settle();
    expect(revision()).toBe("1");
    await storage.update(deployment("web:2", 1));
    await settle();
    expect(revision()).toBe("2");
    await storage.update(deployment("web:1", 1));
    await settle();
    expect(revision()).toBe("3");
    expect(list("Deployment", "apps")[0]?.metadata.generation).toBe(3);
  });

  it("replaces pods step by step, never with fewer than may be missing", async () => {
    await storage.create(deployment("v1", 4));
    await settle();
    await runPods();
    const before = web();
    expect(before).toBeDefined();
    if (before !== undefined) {
      await storage.update({ ...before, spec: deployment("v2", 4).spec } as Deployment);
    }
    await settle();
    const least: number[] = [];
    for (let round = 0; round < 10; round++) {
      least.push(list<Pod>("Pod").filter((pod) => pod.status !== undefined).length);
      await runPods();
    }
    expect(Math.min(...least)).toBeGreaterThanOrEqual(3);
    expect(list<Pod>("Pod").map((pod) => pod.spec.containers[0]?.image)).toEqual(
      Array.from({ length: 4 }, () => "v2"),
    );
    const revisions = list<ReplicaSet>("ReplicaSet", "apps").map((set) => [
      set.spec.template.spec.containers[0]?.image,
      set.spec.replicas,
      set.metadata.annotations?.["deployment.kubernetes.io/revision"],
    ]);
    expect(revisions).toHaveLength(2);
    expect(revisions).toEqual(
      expect.arrayContaining([
        ["v1", 0, "1"],
        ["v2", 4, "2"],
      ]),
    );
  });

  it("says when a rollout does not get on", async () => {
    await storage.create(deployment("v1", 1));
    await settle();
    await runPods(false);
    await clock.advance(600_000);
    await settle();
    expect(web()?.status?.conditions).toContainEqual(
      expect.objectContaining({ type: "Progressing", reason: "ProgressDeadlineExceeded" }),
    );
  });
});

describe("startReplicaSetController()", () => {
  it("scales down what is not ready first, and replaces what was deleted", async () => {
    await storage.create(deployment("v1", 1));
    await settle();
    await runPods();
    const [kept] = list<Pod>("Pod");
    const scaled = web();
    if (scaled !== undefined)
      await storage.update({ ...scaled, spec: deployment("v1", 3).spec } as Deployment);
    await settle();
    expect(list<Pod>("Pod")).toHaveLength(3);
    const back = web();
    if (back !== undefined)
      await storage.update({ ...back, spec: deployment("v1", 1).spec } as Deployment);
    await settle();
    await runPods();
    expect(list<Pod>("Pod").map(({ metadata }) => metadata.uid)).toEqual([kept?.metadata.uid]);
    if (kept !== undefined) await storage.delete(keyOf(kept), { gracePeriodSeconds: 0 });
    await settle();
    const [fresh] = list<Pod>("Pod");
    expect(fresh?.metadata.uid).not.toBe(kept?.metadata.uid);
    expect(list<Pod>("Pod")).toHaveLength(1);
  });
});

describe("startEndpointSliceController()", () => {
  const service: Service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", namespace: "shop" },
    spec: { selector: { app: "web" }, ports: [{ name: "http", port: 80, targetPort: "http" }] },
  };

  it("lists pods that are ready, under the port that a name leads to", async () => {
    await storage.create(service);
    await storage.create(deployment("v1", 1));
    await settle();
    await runPods();
    const [slice] = list<EndpointSlice>("EndpointSlice", "discovery.k8s.io");
    expect(slice).toMatchObject({
      addressType: "IPv4",
      ports: [{ name: "http", port: 8000, protocol: "TCP" }],
      endpoints: [
        {
          addresses: ["127.65.0.2"],
          conditions: { ready: true, serving: true, terminating: false },
          targetRef: { kind: "Pod", namespace: "shop" },
        },
      ],
    });
    expect(slice?.metadata.labels).toMatchObject({ "kubernetes.io/service-name": "web" });
    expect(list<Endpoints>("Endpoints")[0]?.subsets).toMatchObject([
      { addresses: [{ ip: "127.65.0.2" }], ports: [{ name: "http", port: 8000 }] },
    ]);
  });

  it("takes a pod off the list as soon as it is told to stop", async () => {
    await storage.create(service);
    await storage.create(deployment("v1", 1));
    await settle();
    await runPods();
    const [pod] = list<Pod>("Pod");
    if (pod !== undefined) await storage.delete(keyOf(pod));
    await settle();
    const [slice] = list<EndpointSlice>("EndpointSlice", "discovery.k8s.io");
    expect(slice?.endpoints?.map(({ conditions }) => conditions)).toEqual([
      { ready: false, serving: true, terminating: true },
    ]);
    expect(list<Endpoints>("Endpoints")[0]?.subsets?.[0]).not.toHaveProperty("addresses");
  });

  it("goes with its service", async () => {
    await storage.create(service);
    await storage.create(deployment("v1", 1));
    await settle();
    await runPods();
    await storage.delete(keyOf(service));
    await settle();
    expect(list("EndpointSlice", "discovery.k8s.io")).toEqual([]);
    expect(list("Endpoints")).toEqual([]);
  });
});

describe("startServiceController()", () => {
  it("gives each service its own address, and load balancers the host's", async () => {
    for (const name of ["a", "b", "c"]) {
      const spec = { ports: [{ port: 80 }], ...(name === "c" ? { type: "LoadBalancer" } : {}) };
      await storage.create({
        apiVersion: "v1",
        kind: "Service",
        metadata: { name, namespace: "n" },
        spec,
      } as Service);
    }
    await settle();
    const services = list<Service>("Service");
    const addresses = services.map(({ spec }) => spec.clusterIP);
    expect(new Set(addresses).size).toBe(3);
    for (const address of addresses) expect(address).toMatch(/^10\.96\./);
    expect(services.map(({ status }) => status?.loadBalancer)).toEqual([
      {},
      {},
      { ingress: [{ ip: "127.0.0.1" }] },
    ]);
  });

  it("leaves headless services as they are", async () => {
    const service = { metadata: { name: "h", namespace: "n" }, spec: { clusterIP: "None" } };
    await storage.create({ apiVersion: "v1", kind: "Service", ...service } as Service);
    await settle();
    expect(list<Service>("Service")[0]?.spec.clusterIP).toBe("None");
  });
});

describe("startNamespaceController()", () => {
  it("gives every namespace a service account, also again", async () => {
    await storage.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
    await settle();
    const [account] = list("ServiceAccount");
    expect(account?.metadata).toMatchObject({ name: "default", namespace: "shop" });
    if (account !== undefined) await storage.delete(keyOf(account));
    await settle();
    expect(list("ServiceAccount")).toHaveLength(1);
  });
});
