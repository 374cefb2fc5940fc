import { expect, test } from "vitest";
import { ChurnMesh } from "./churn/churn-mesh.ts";
import { formatStep, type Step } from "./churn/churn-step.ts";
import { runChurn, runSequence } from "./churn/run-churn.ts";
import { findPlanes } from "./planes.ts";

/** `SEED=… SEQUENCES=… npx vitest run test/faults/churn.test.ts`; the command is `npm run churn`. */
const SEED = Number(process.env["SEED"] ?? 20_261_122);
const SEQUENCES = Number(process.env["SEQUENCES"] ?? 40);

/** A slow machine does fewer. */
const SAMPLE_MS_MAX = 25_000;

const options = { planes: findPlanes(), delayMs: 5, connections: 4, perSecond: 100 };

test("objects come and go at random: what is valid before and after is answered", {
  timeout: 120_000,
}, async () => {
  const endMs = performance.now() + SAMPLE_MS_MAX;
  const report = await runChurn({
    ...options,
    seed: SEED,
    sequences: [0, SEQUENCES],
    isOver: () => performance.now() > endMs,
  });
  const failures = report.failures.map(({ index, steps, violations }) => ({
    again: `npm run churn -- --seed ${SEED} --sequence ${index}`,
    steps: steps.map(formatStep),
    violations,
  }));
  expect({ failures, errors: report.errors }).toEqual({ failures: [], errors: [] });
  expect(report.counts.valid).toBeGreaterThan(report.sequences);
});

/** What once failed. */
const HANDOVER: readonly Step[] = [
  {
    changes: [
      { on: "a", rules: [{ targets: [{ host: "a", subset: "v1" }] }] },
      { on: "a", ready: ["v1"] },
    ],
    pause: "settled",
  },
  {
    changes: [
      { on: "a", rules: [{ targets: [{ host: "a", subset: "v2" }] }] },
      { on: "a", ready: ["v2"] },
    ],
    pause: "settled",
  },
];

test("routes and the pods behind them change in one write", { timeout: 60_000 }, async () => {
  const mesh = await ChurnMesh.start({ ...options, delayMs: 15, perSecond: 200 });
  try {
    for (let round = 0; round < 5; round++) expect(await runSequence(mesh, HANDOVER)).toEqual([]);
    expect(mesh.errors).toEqual([]);
  } finally {
    await mesh.stop();
  }
});
