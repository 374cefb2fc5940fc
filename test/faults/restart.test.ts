import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { PilotMesh } from "./pilot-mesh.ts";
import { PLANES, VARIANTS } from "./planes.ts";
import { runUnderLoad } from "./under-load.ts";

describe.each(VARIANTS)("the control plane goes away under load, %s", (variant) => {
  let mesh: PilotMesh;

  beforeAll(async () => {
    mesh = await PilotMesh.start({ variant, planes: PLANES, fillers: 20 });
  });

  afterAll(() => mesh.stop());

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
      const wrong = await runUnderLoad(mesh, async (awhile) => {
        for (let round = 0; round < rounds; round++) {
          await mesh.stopPilot(signal);
          await awhile();
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
      expect(wrong).toEqual([]);
    },
  );

  test("comes back to a broken file: what was last good is served, then what mends it", async () => {
    const good = mesh.generation;
    const wrong = await runUnderLoad(mesh, async (awhile) => {
      mesh.folder.write("routes.yaml", "apiVersion: [");
      await mesh.pilot.says(/routes\.yaml:1: /);
      await mesh.stopPilot();
      await awhile();
      mesh.startPilot();
      await connected();
      await mesh.pilot.says(/routes\.yaml:1: /);
      await awhile();
      for (const plane of mesh.pods.keys()) expect((await mesh.ask(plane)).generation).toBe(good);
      mesh.route("v2");
      await mesh.served();
    });
    expect(wrong).toEqual([]);
  });

  test("an object that goes while it is away is gone when it is back", async () => {
    await mesh.stopPilot();
    mesh.folder.write("routes.yaml", "");
    mesh.startPilot();
    for (const plane of mesh.pods.keys()) {
      await until(async () => (await mesh.ask(plane)).generation === 0, `${plane} to have no rule`);
      expect((await mesh.ask(plane)).status).toBe(200);
    }
    mesh.route("v1");
    await mesh.served();
  });
});
