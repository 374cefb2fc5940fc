import { expect, test } from "vitest";
import { type ProxySample, runProxySoak } from "./proxy-soak.ts";

const SOAK_MS = 8_000;

test("a proxy holds no more after many requests and changes", { timeout: 90_000 }, async () => {
  const endMs = performance.now() + SOAK_MS;
  const samples: ProxySample[] = [];
  const problems = await runProxySoak({
    isOver: () => performance.now() > endMs,
    sampleMs: SOAK_MS / 4,
    onSample: (sample) => samples.push(sample),
  });
  expect(problems).toEqual([]);
  expect(samples.at(-1)?.requests).toBeGreaterThan(100);
  expect(samples.at(-1)?.changes).toBeGreaterThan(3);
});
