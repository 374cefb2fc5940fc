import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { PilotMesh } from "./pilot-mesh.ts";
import { PLANES, VARIANTS } from "./planes.ts";
import { ServedLoad } from "./served.ts";

/** Of each plane. */
const PER_SECOND = 200;

/** Between one and the next: long enough for the load to meet it. */
const REQUESTS_BETWEEN = 40;

describe.each(VARIANTS)("the control plane goes away under load, %s", (variant) => {
  let mesh: PilotMesh;
  let loads: readonly ServedLoad[] = [];

  beforeAll(async () => {
    mesh = await PilotMesh.start({ variant, planes: PLANES, fillers: 20 });
  });

  afterAll(async () => {
    await Promise.all(loads.map((load) => load.stop()));
    await mesh.stop();
  });

  /** Runs something under load; nothing may fail, and nothing may go back. */
  async function underLoad(work: () => Promise<void>): Promise<void> {
    loads = [...mesh.pods.values()].map((ip) => new ServedLoad(ip, { perSecond: PER_SECOND }));
    await requestsPass();
    await work();
    await requestsPass();
    const reports = await Promise.all(loads.map((load) => load.stop()));
    loads = [];
    const planes = [...mesh.pods.keys()];
    const failed = reports.map(({ failures, backwards }, at) => ({
      plane: planes[at],
      failures,
      backwards,
    }));
    expect(failed).toEqual(planes.map((plane) => ({ plane, failures: [], backwards: [] })));
  }

  async function requestsPass(): Promise<void> {
    const before = loads.map((load) => load.requests);
    await until(
      () => loads.every((load, at) => load.requests >= (before[at] ?? 0) + REQUESTS_BETWEEN),
      "requests",
    );
  }

  async function connected(): Promise<void> {
    await mesh.pilot.grpcPort();
    await until(async () => (await mesh.syncz()).length >= mesh.pods.size, "proxies to come back");
  }

  test.each([
    ["SIGKILL", 2],
    ["SIGTERM", 1],
  ] as const)(
    "by %s, %i times: no request fails and no route goes back",
    async (signal, rounds) => {
      await underLoad(async () => {
        for (let round = 0; round < rounds; round++) {
          await mesh.stopPilot(signal);
          await requestsPass();
          // What is written meanwhile counts as soon as it is back.
          mesh.route(round % 2 === 0 ? "v2" : "v1");
          mesh.startPilot();
          await mesh.served();
          mesh.route(round % 2 === 0 ? "v1" : "v2");
          // The second time it is killed in the midst of a push.
          if (round % 2 === 0) await mesh.served();
        }
        await connected();
        await mesh.served();
      });
    },
  );

  test("comes back to a broken file: what was last good is served, then what mends it", async () => {
    const good = mesh.generation;
    await underLoad(async () => {
      mesh.folder.write("routes.yaml", "apiVersion: [");
      await mesh.pilot.says(/routes\.yaml:1: /);
      await mesh.stopPilot();
      await requestsPass();
      mesh.startPilot();
      await connected();
      await mesh.pilot.says(/routes\.yaml:1: /);
      await requestsPass();
      for (const plane of mesh.pods.keys()) expect((await mesh.ask(plane)).generation).toBe(good);
      mesh.route("v2");
      await mesh.served();
    });
  });

  test("an object that goes while it is away is gone when it is back", async () => {
    await mesh.stopPilot();
    mesh.folder.write("routes.yaml", "");
    mesh.startPilot();
    for (const plane of mesh.pods.keys()) {
      await until(async () => {
        const { status, generation } = await mesh.ask(plane);
        return status === 200 && generation === 0;
      }, `${plane} to have no rule`);
    }
    mesh.route("v1");
    await mesh.served();
  });
});
