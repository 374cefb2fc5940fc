import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { PilotMesh } from "./pilot-mesh.ts";
import { findPlanes } from "./planes.ts";
import { runUnderLoad } from "./under-load.ts";

/** What the bootstrap says: a ping every 30 s, and 10 s for its answer; then a wait between streams. */
const NOTICE_MS_MAX = 75_000;

describe("the network between control plane and proxies", { timeout: NOTICE_MS_MAX * 2 }, () => {
  let mesh: PilotMesh;

  beforeAll(async () => {
    mesh = await PilotMesh.start({ planes: findPlanes(), fillers: 20 });
  });

  afterAll(() => mesh.stop());

  test("is slow, cut and mended: no request fails, and changes arrive", async () => {
    const wrong = await runUnderLoad(mesh, async (awhile) => {
      mesh.link.delay(100);
      mesh.route("v2");
      await mesh.served();
      mesh.link.delay(0);
      // In the midst of a push.
      mesh.route("v1");
      mesh.link.cut();
      await awhile();
      mesh.route("v2");
      mesh.link.heal();
      await mesh.served();
    });
    expect(wrong).toEqual([]);
  });

  test.each(["up", "down"] as const)("carries nothing %s for a while", async (direction) => {
    const wrong = await runUnderLoad(mesh, async (awhile) => {
      mesh.link.hold(direction);
      mesh.route("v1");
      await awhile();
      mesh.route("v2");
      await awhile();
      mesh.link.heal();
      await mesh.served();
    });
    expect(wrong).toEqual([]);
  });

  test("loses every packet of the connections: both ends notice, and go on by new ones", async () => {
    const { connections } = mesh.link;
    mesh.link.lose();
    mesh.route("v1");
    await mesh.everyPlane(
      ({ generation }) => generation === mesh.generation,
      "to notice",
      NOTICE_MS_MAX,
    );
    expect(mesh.link.connections).toBeGreaterThanOrEqual(connections + mesh.pods.size);
    // The control plane has pings of its own, and lets go of who does not answer them.
    await until(
      async () => (await mesh.metric("pilot_xds")) === mesh.pods.size,
      "the lost connections to be closed",
      NOTICE_MS_MAX,
    );
  });
});
