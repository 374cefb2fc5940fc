import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nodeClock } from "../../src/base/node-clock.ts";
import { nodePrng } from "../../src/base/node-prng.ts";
import type { Deployment } from "../../src/config/deployment.ts";
import type { KubeObject } from "../../src/config/object.ts";
import { keyOf } from "../../src/config/object.ts";
import type { Pod } from "../../src/config/pod.ts";
import { Mesh } from "../../src/local/mesh.ts";
import type { ServerFile } from "../../src/local/server-file.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { until } from "../controlplane/until.ts";
import { findProgram } from "../programs.ts";
import {
  bodyOf,
  createHome,
  listenersOf,
  processesOf,
  readLogs,
  removeHome,
  statusOf,
} from "./mesh-processes.ts";

const READY_TIMEOUT_MS = 60_000;

function createMesh(home: string, proxy: "weft" | "envoy", envoy?: string): Mesh {
  return new Mesh({
    home,
    proxy,
    demo: true,
    ports: { http: 0, api: 0, xds: 0, monitoring: 0 },
    clock: nodeClock,
    prng: nodePrng,
    logger: silentLogger,
    env: {
      ...process.env,
      HOME: home,
      ...(envoy === undefined ? {} : { ENVOY_PATH: envoy }),
    },
  });
}

const envoyPath = findProgram("envoy");

describe.each([
  { proxy: "weft" as const, envoy: undefined, isThere: true },
  { proxy: "envoy" as const, envoy: envoyPath, isThere: envoyPath !== undefined },
])("Mesh with $proxy as its data plane", ({ proxy, envoy, isThere }) => {
  describe.skipIf(!isThere)("and Bookinfo", () => {
    const home = createHome();
    const mesh = createMesh(home, proxy, envoy);
    let file: ServerFile;

    const page = (): Promise<number> => statusOf(`${file.gatewayUrl}/productpage`);
    const untilPage = async (): Promise<void> => {
      let last = 0;
      await until(async () => (last = await page()) === 200, "the product page").catch(
        async (error: unknown) => {
          const { proxies } = mesh.controlPlaneStatus ?? {};
          const logs = readLogs(home, "istio-proxy.log");
          const { waiting } = await mesh.whenReady(0);
          throw new Error(
            `the page answers ${last}; ${JSON.stringify({ waiting, proxies, logs }, undefined, 1)}`,
            { cause: error },
          );
        },
      );
    };
    const pods = (app: string): readonly Pod[] =>
      ((mesh.storage?.list({ group: "", kind: "Pod" }).items ?? []) as Pod[]).filter(
        ({ metadata }) =>
          metadata.labels?.["app"] === app && metadata.deletionTimestamp === undefined,
      );
    const readyPods = (app: string): readonly Pod[] =>
      pods(app).filter(({ status }) =>
        status?.conditions?.some((one) => one.type === "Ready" && one.status === "True"),
      );
    const update = async (object: KubeObject): Promise<void> => {
      await mesh.storage?.update(object);
    };

    beforeAll(async () => {
      file = await mesh.up();
      const { waiting } = await mesh.whenReady(READY_TIMEOUT_MS);
      if (waiting.length > 0) throw new Error(`not ready: ${waiting.join("; ")}`);
    }, READY_TIMEOUT_MS + 10_000);

    afterAll(async () => {
      await mesh.down();
      removeHome(home);
    });

    it("answers through the gateway and two sidecars", async () => {
      await untilPage();
      expect(await statusOf(`${file.gatewayUrl}/nowhere`)).toBe(404);
      expect(mesh.controlPlaneStatus?.proxies).toHaveLength(7);
    });

    it("scales, and all replicas are endpoints", async () => {
      const key = { group: "apps", kind: "Deployment", namespace: "default", name: "details-v1" };
      const deployment = mesh.storage?.get(key) as Deployment;
      await update({ ...deployment, spec: { ...deployment.spec, replicas: 3 } } as Deployment);
      await until(() => readyPods("details").length === 3, "three pods");
      const endpoints = { group: "", kind: "Endpoints", namespace: "default", name: "details" };
      await until(
        () => JSON.stringify(mesh.storage?.get(endpoints)).match(/"ip":/g)?.length === 3,
        "three endpoints",
      );
      const scaled = mesh.storage?.get(key) as Deployment;
      await update({ ...scaled, spec: { ...scaled.spec, replicas: 1 } } as Deployment);
      await until(() => pods("details").length === 1, "one pod");
      expect(await page()).toBe(200);
    });

    it("replaces a pod that is deleted, without a failed request", async () => {
      const [old] = readyPods("productpage");
      expect(old).toBeDefined();
      if (old === undefined) return;
      let isOver = false;
      const statuses: number[] = [];
      const load = (async () => {
        while (!isOver) statuses.push(await page());
      })();
      const key = { ...keyOf(old), name: "productpage-v1", group: "apps", kind: "Deployment" };
      const deployment = mesh.storage?.get(key) as Deployment;
      await update({ ...deployment, spec: { ...deployment.spec, replicas: 2 } } as Deployment);
      await until(() => readyPods("productpage").length === 2, "a second pod");
      await mesh.storage?.delete(keyOf(old));
      await until(() => mesh.storage?.get(keyOf(old)) === undefined, "its end");
      await until(() => readyPods("productpage").length === 2, "another pod");
      isOver = true;
      await load;
      expect(statuses.length).toBeGreaterThan(10);
      expect(statuses.filter((status) => status !== 200)).toEqual([]);
    });

    it("rolls a deployment over again and again, without a failed request", {
      timeout: 60_000,
    }, async () => {
      const key = { group: "apps", kind: "Deployment", namespace: "default", name: "details-v1" };
      const read = (): Deployment => mesh.storage?.get(key) as Deployment;
      await update({ ...read(), spec: { ...read().spec, replicas: 2 } } as Deployment);
      await until(() => readyPods("details").length === 2, "two pods");
      let isOver = false;
      const bodies: string[] = [];
      const client = async (): Promise<void> => {
        // The page itself is 200 when its details are not there: they are asked of the proxies.
        while (!isOver) bodies.push(await bodyOf(`${file.gatewayUrl}/productpage`));
      };
      const load = Promise.all([client(), client(), client()]);
      for (const round of ["1", "2", "3"]) {
        const before = new Set(pods("details").map(({ metadata }) => metadata.name));
        const { template } = read().spec;
        const annotations = { ...template.metadata?.annotations, round };
        const metadata = { ...template.metadata, annotations };
        const spec = { ...read().spec, template: { ...template, metadata } };
        await update({ ...read(), spec } as Deployment);
        const isRolledOver = (): boolean =>
          readyPods("details").length === 2 &&
          ((mesh.storage?.list({ group: "", kind: "Pod" }).items ?? []) as Pod[]).every(
            ({ metadata: { name } }) => !before.has(name),
          );
        await until(isRolledOver, `round ${round}`, 20_000);
      }
      isOver = true;
      await load;
      expect(bodies.length).toBeGreaterThan(50);
      expect(bodies.filter((body) => !body.includes("<dd>paperback<"))).toEqual([]);
    });

    it("restarts an app that crashes, and counts it", async () => {
      const [pod] = readyPods("ratings");
      const id = pod?.status?.containerStatuses?.find(({ name }) => name === "ratings");
      process.kill(Number(/\d+/.exec(id?.containerID ?? "")?.[0]), "SIGKILL");
      await until(
        () =>
          readyPods("ratings")[0]?.status?.containerStatuses?.some(
            ({ name, restartCount }) => name === "ratings" && restartCount === 1,
          ),
        "its restart",
      );
      expect(await page()).toBe(200);
    });

    it("leaves nothing when it goes down, and comes up again with the same objects", async () => {
      const before = mesh.storage
        ?.list({ group: "apps", kind: "Deployment" })
        .items.map(({ metadata }) => metadata.uid);
      expect(processesOf(home).length).toBeGreaterThanOrEqual(13);
      await mesh.down();
      expect(processesOf(home)).toEqual([]);
      expect(listenersOf(file.podCidr)).toEqual([]);
      file = await mesh.up();
      await mesh.whenReady(READY_TIMEOUT_MS);
      const after = mesh.storage
        ?.list({ group: "apps", kind: "Deployment" })
        .items.map(({ metadata }) => metadata.uid);
      expect(after).toEqual(before);
      await untilPage();
    });
  });
});
