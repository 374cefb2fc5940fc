import { expect, test, vi } from "vitest";
import { connectNow } from "../sim/sim-network.ts";
import { World } from "./world.ts";

vi.mock("../../src/proxy/net/socket.ts", async (original) => {
  const real: object = await original();
  return { ...real, connectSocket: connectNow };
});

/** `SEED=… SEEDS=… npx vitest run test/simulation` repeats one, or asks for more. */
const FIRST = Number(process.env["SEED"] ?? 1);
const SEEDS = Number(process.env["SEEDS"] ?? 1000);

test("whatever happens to upstreams, what must not happen does not", async () => {
  const answers: Record<number, number> = {};
  let arrivals = 0;
  let ejections = 0;
  let sick = 0;
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const report = await new World(seed).run().catch((error: unknown) => {
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
    });
    arrivals += report.arrivals;
    ejections += report.ejections;
    sick += report.sick;
    for (const [status, count] of Object.entries(report.answers)) {
      answers[Number(status)] = (answers[Number(status)] ?? 0) + count;
    }
  }
  process.stdout.write(
    `${SEEDS} worlds: ${arrivals} arrivals, ${ejections} ejections, answers ${JSON.stringify(answers)}\n`,
  );
  if (SEEDS < 10) return;
  // Otherwise it would prove nothing.
  expect(answers[200]).toBeGreaterThan(SEEDS * 10);
  expect(answers[503]).toBeGreaterThan(SEEDS);
  expect(answers[504]).toBeGreaterThan(0);
  expect(ejections).toBeGreaterThan(SEEDS / 10);
  expect(sick).toBeGreaterThan(SEEDS);
}, 600_000);

test("the same seed makes the same world", async () => {
  const first = await new World(FIRST).run();
  const second = await new World(FIRST).run();
  expect(second).toEqual(first);
});
