import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { snapshotJson } from "../../src/xds/resource-json.ts";
import { findProgram } from "../programs.ts";
import { readResources } from "../routing/proxy-resources.ts";
import { refusalOfEnvoy } from "../routing/validate-with-envoy.ts";
import { ENVOYS, PROXIES, randomWorld } from "./random-world.ts";
import { holdProperty, meshOf, refusalsOfWeft, snapshotOf } from "./world-properties.ts";

const envoy = findProgram("envoy");
const runs = Number(process.env["WORLDS"] ?? 150);
const RUNS = {
  seed: Number(process.env["SEED"] ?? 20_261_121),
  endOnFailure: true,
  // Fewer on a machine that is busy; what fails takes longer, to say how.
  interruptAfterTimeLimit: 12_000,
};

const SIZE = 20;

describe("what the control plane makes of any valid objects", () => {
  test("is taken by weft's proxy, and by the matchers that follow calls", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        holdProperty(randomWorld(seed, SIZE), (objects) => {
          const mesh = meshOf(objects);
          for (const proxy of PROXIES) {
            const snapshot = snapshotOf(mesh, proxy);
            expect([proxy.id, ...refusalsOfWeft(snapshot)].join("\n")).toBe(proxy.id);
            readResources(snapshotJson(snapshot));
          }
        });
      }),
      { ...RUNS, numRuns: runs },
    );
  });

  test.skipIf(envoy === undefined)("is taken by Envoy", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        holdProperty(randomWorld(seed, SIZE), (objects) => {
          const mesh = meshOf(objects);
          for (const proxy of ENVOYS) {
            const json = snapshotJson(snapshotOf(mesh, proxy));
            expect(`${proxy.id}${refusalOfEnvoy(envoy ?? "", json) ?? ""}`).toBe(proxy.id);
          }
        });
      }),
      { ...RUNS, numRuns: Math.ceil(runs / 6) },
    );
  });
});
