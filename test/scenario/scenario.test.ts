import { describe, expect, test, vi } from "vitest";
import { findProgram } from "../programs.ts";
import { connectNow } from "../sim/sim-network.ts";
import { CHECKS } from "./cases/checks.ts";
import { EJECTION } from "./cases/ejection.ts";
import { FAILOVER } from "./cases/failover.ts";
import { LIMITS } from "./cases/limits.ts";
import { RETRIES } from "./cases/retries.ts";
import { TIMEOUTS } from "./cases/timeouts.ts";
import { runOnEnvoy } from "./on-envoy.ts";
import type { Outcome, Scenario } from "./scenario.ts";
import { runSimulated } from "./simulated.ts";

vi.mock("../../src/proxy/net/socket.ts", async (original) => {
  const real: object = await original();
  return { ...real, connectSocket: connectNow };
});

const SCENARIOS: readonly Scenario[] = [
  ...TIMEOUTS,
  ...LIMITS,
  ...RETRIES,
  ...FAILOVER,
  ...EJECTION,
  ...CHECKS,
];

/** So many run at the same time on one Envoy: more would make each other late. */
const BATCH = 8;
/** Real time is short here: where the machine was slow once, Envoy is asked again. */
const TRIES_MAX = 3;

/** What is compared, with what was drawn put in order. */
function comparable({ isDrawn = false }: Scenario, { answers, counters }: Outcome): Outcome {
  return { answers: isDrawn ? answers.toSorted() : answers, counters };
}

const program = findProgram("envoy");

describe("weft in simulated time", () => {
  test.each(SCENARIOS)("$name", async (scenario) => {
    const { answers } = comparable(scenario, await runSimulated(scenario));
    expect(answers).toEqual(scenario.expect);
  });
});

describe.skipIf(program === undefined)("Envoy in real time does the same", () => {
  const outcomes = new Map<Scenario, Promise<readonly Outcome[]>>();
  const batchOf = (scenario: Scenario): readonly Scenario[] => {
    const first = Math.floor(SCENARIOS.indexOf(scenario) / BATCH) * BATCH;
    return SCENARIOS.slice(first, first + BATCH);
  };
  const firstTry = async (scenario: Scenario): Promise<Outcome | undefined> => {
    const batch = batchOf(scenario);
    const [head = scenario] = batch;
    const running = outcomes.get(head) ?? runOnEnvoy(program ?? "", batch);
    outcomes.set(head, running);
    return (await running)[batch.indexOf(scenario)];
  };
  test.each(SCENARIOS)(
    "$name",
    async (scenario) => {
      const weft = comparable(scenario, await runSimulated(scenario));
      for (let attempt = 1; ; attempt++) {
        const outcome =
          attempt === 1
            ? await firstTry(scenario)
            : (await runOnEnvoy(program ?? "", [scenario]))[0];
        const envoy = outcome && comparable(scenario, outcome);
        if (attempt < TRIES_MAX && JSON.stringify(envoy) !== JSON.stringify(weft)) continue;
        expect(weft).toEqual(envoy);
        return;
      }
    },
    60_000,
  );
});
