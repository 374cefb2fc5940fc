import { expect, test } from "vitest";
import { runSoak } from "./soak.ts";
import { boundProblems, growthProblems, type SoakSample } from "./soak-samples.ts";

test("a control plane stays within its bounds while its mesh and its proxies change", async () => {
  const { samples, problems } = await runSoak({
    seed: 1,
    changes: 400,
    isOver: () => false,
    services: 30,
    proxies: 8,
    samples: 4,
  });
  expect(problems).toEqual([]);
  expect(samples.map(({ changes }) => changes)).toEqual([0, 134, 268, 400]);
  const last = samples.at(-1)?.scrape;
  // It had something to do: pushes went out, some were refused, proxies came and went.
  expect(last?.get('pilot_total_xds_rejects{type="cds"}')).toBeGreaterThan(0);
  expect(last?.get("weft_xds_departed")).toBeGreaterThan(10);
}, 60_000);

test("a soak tells what is above its bound, and what grows", () => {
  const sample = (changes: number, heap: number, departed: number): SoakSample => ({
    changes,
    scrape: new Map([
      ["nodejs_heap_size_used_bytes", heap],
      ["weft_xds_departed", departed],
    ]),
  });
  const [flat, grown] = [sample(10, 50_000_000, 0), sample(100, 90_000_000, 1001)];
  expect(boundProblems(flat)).toEqual([]);
  expect(boundProblems(grown)).toEqual([expect.stringContaining("weft_xds_departed is 1001")]);
  expect(growthProblems([flat, flat, flat, flat])).toEqual([]);
  expect(growthProblems([flat, flat, flat, grown])).toEqual([
    expect.stringContaining("nodejs_heap_size_used_bytes rose from 50000000"),
  ]);
});
