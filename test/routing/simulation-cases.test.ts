import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
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
  writeScenario,
} from "./istio-scenarios.ts";
import { readResources } from "./proxy-resources.ts";
import { simulate } from "./simulate.ts";
import { refusalOfEnvoy } from "./validate-with-envoy.ts";

const BINARY = fileURLToPath(new URL("../../bin/weft", import.meta.url));

const cases = findCases();
const envoy = findProgram("envoy");

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
  const named = scenarios.map((one) => [one.name, one] as const);

  test.each(named)("%s", async (_, scenario) => {
    const json = await dump(scenario);
    expect(failuresOf(scenario, json)).toEqual({});
  });

  test("the program prints what those calls were followed through", async () => {
    const [scenario] = scenarios;
    if (scenario === undefined) throw new Error("there is no scenario");
    const folder = mkdtempSync(join(tmpdir(), "weft-routing-"));
    try {
      const stdout = execFileSync(BINARY, ["xds-dump", ...writeScenario(scenario, folder)], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
      });
      expect(JSON.parse(stdout)).toEqual(await dump(scenario));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  // The same calls, made: what is said above is true of Envoy.
  test.skipIf(envoy === undefined).each(named)("%s, on Envoy", async (_, scenario) => {
    const json = await dump(scenario);
    expect(refusalOfEnvoy(envoy ?? "", json)).toBeUndefined();
    expect(await disagreements(envoy ?? "", json, scenario.calls.map(callOf))).toEqual([]);
  });
});
