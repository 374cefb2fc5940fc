import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { SnapshotJson } from "../../src/xds/resource-json.ts";
import { findCases, findProgram } from "../programs.ts";
import { disagreements } from "./envoy-agrees.ts";
import {
  callOf,
  difference,
  dumpScenario,
  type IstioScenario,
  readScenarios,
} from "./istio-scenarios.ts";
import { readResources } from "./proxy-resources.ts";
import { simulate } from "./simulate.ts";
import { refusalOfEnvoy } from "./validate-with-envoy.ts";

const cases = findCases();
const envoy = findProgram("envoy");

/** Scenarios that do not come out right yet. */
const KNOWN_TO_FAIL: ReadonlySet<string> = new Set([]);

/** Those of which Envoy does not take all yet. */
const KNOWN_TO_FAIL_ON_ENVOY: ReadonlySet<string> = new Set([]);

async function dump(scenario: IstioScenario): Promise<SnapshotJson> {
  const folder = mkdtempSync(join(tmpdir(), "weft-routing-"));
  try {
    return await dumpScenario(scenario, folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Everything that comes out otherwise than it should, by the name of the call. */
function failuresOf({ calls }: IstioScenario, json: SnapshotJson): Record<string, unknown> {
  const resources = readResources(json);
  const failures = calls.flatMap((recorded): [string, unknown][] => {
    const wrong = difference(simulate(resources, callOf(recorded)), recorded.want);
    return wrong === undefined ? [] : [[recorded.name, wrong]];
  });
  return Object.fromEntries(failures);
}

describe.skipIf(cases === undefined)("Istio's simulated calls go where Istio sends them", () => {
  const scenarios = cases === undefined ? [] : readScenarios(cases);
  const isKnown = ({ name }: IstioScenario): boolean => KNOWN_TO_FAIL.has(name);
  const named = (list: readonly IstioScenario[]) => list.map((one) => [one.name, one] as const);

  test.each(named(scenarios.filter((one) => !isKnown(one))))("%s", async (_, scenario) => {
    const json = await dump(scenario);
    expect(failuresOf(scenario, json)).toEqual({});
  });

  // The same calls, made: what is said above is true of Envoy.
  const onEnvoy = scenarios.filter((one) => !isKnown(one) && !KNOWN_TO_FAIL_ON_ENVOY.has(one.name));
  test.skipIf(envoy === undefined).each(named(onEnvoy))("%s, on Envoy", async (_, scenario) => {
    const json = await dump(scenario);
    expect(refusalOfEnvoy(envoy ?? "", json)).toBeUndefined();
    expect(await disagreements(envoy ?? "", json, scenario.calls.map(callOf))).toEqual([]);
  });

  // What comes out right is taken from the list.
  test.fails.each(named(scenarios.filter(isKnown)))("%s (not yet)", async (_, scenario) => {
    expect(failuresOf(scenario, await dump(scenario))).toEqual({});
  });
});
