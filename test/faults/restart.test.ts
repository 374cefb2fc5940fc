import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { PilotMesh } from "./pilot-mesh.ts";
import { findPlanes } from "./planes.ts";
import { runUnderLoad } from "./under-load.ts";

/** Proxies wait longer with every attempt to connect again that fails, Envoy up to 30 s. */
const RECONNECT_MS_MAX = 90_000;

describe("the control plane goes away under load", { timeout: RECONNECT_MS_MAX }, () => {
  let mesh: PilotMesh;

  beforeAll(async () => {
    mesh = await PilotMesh.start({ planes: findPlanes(), fillers: 20 });
  });

  afterAll(() => mesh.stop());

  test.each(["SIGKILL", "SIGTERM"] as const)(
    "by %s, in the midst of a push: no request fails and no route goes back",
    async (signal) => {
      const wrong = await runUnderLoad(mesh, async (awhile) => {
        mesh.route("v2");
        await mesh.stopPilot(signal);
        await awhile();
        // What is written meanwhile counts as soon as it is back.
        mesh.route("v1");
        mesh.startPilot();
        await mesh.served();
        mesh.route("v2");
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
      mesh.startPilot();
      await mesh.pilot.says(/routes\.yaml:1: /);
      await until(
        async () => (await mesh.syncz()).length >= mesh.pods.size,
        "proxies to come back",
        RECONNECT_MS_MAX,
      );
      await awhile();
      for (const plane of mesh.pods.keys()) expect((await mesh.ask(plane)).generation).toBe(good);
      mesh.route("v1");
      await mesh.served();
    });
    expect(wrong).toEqual([]);
  });

  test("an object that goes while it is away is gone when it is back", async () => {
    await mesh.stopPilot();
    mesh.folder.write("routes.yaml", "");
    mesh.startPilot();
    await mesh.everyPlane(({ generation }) => generation === 0, "to have no rule");
    for (const plane of mesh.pods.keys()) expect((await mesh.ask(plane)).status).toBe(200);
    mesh.route("v1");
    await mesh.served();
  });
});
