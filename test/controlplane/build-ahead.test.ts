import { describe, expect, test } from "vitest";
import { SimClock } from "../../src/base/sim-clock.ts";
import { buildAhead } from "../../src/controlplane/build-ahead.ts";
import type { Mesh } from "../../src/model/mesh.ts";
import { buildProxyView, viewsOf } from "../../src/model/proxy-view.ts";
import { buildSnapshot } from "../../src/xds/build-snapshot.ts";
import { meshOf, sidecar } from "../model/world.ts";

const SERVICES = 20;

function service(index: number, namespace: string): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: s${index}, namespace: ${namespace} }
spec: { clusterIP: 10.96.0.${index}, ports: [{ name: http, port: 80 }] }`;
}

function world(): Mesh {
  const all = Array.from({ length: SERVICES }, (_, index) => service(index + 1, "default"));
  return meshOf(...all, service(99, "other"));
}

/** How much is computed for a sidecar that comes. */
function costOf(mesh: Mesh, namespace: string): number {
  const before = viewsOf(mesh).counts.computations;
  buildSnapshot(buildProxyView(mesh, sidecar({ namespace, labels: { app: "a" } })));
  return viewsOf(mesh).counts.computations - before;
}

describe("buildAhead()", () => {
  test("leaves for the first sidecars what is theirs alone", () => {
    const cold = world();
    const warm = world();
    buildAhead(warm, new SimClock());
    for (const namespace of ["default", "other"]) {
      expect(costOf(cold, namespace)).toBeGreaterThan(SERVICES);
      expect(costOf(warm, namespace)).toBeLessThan(SERVICES);
    }
  });

  test("is what a sidecar would have without", () => {
    const [cold, warm] = [world(), world()];
    buildAhead(warm, new SimClock());
    const bytes = (mesh: Mesh): unknown =>
      Object.values(buildSnapshot(buildProxyView(mesh, sidecar({}))).snapshot.resources).map(
        (map) => [...map.values()].map(({ name, version }) => [name, version]),
      );
    expect(bytes(warm)).toEqual(bytes(cold));
  });

  test("makes nothing of a mesh without services", () => {
    const mesh = meshOf();
    buildAhead(mesh, new SimClock());
    expect(viewsOf(mesh).counts.computations).toBe(0);
  });
});
