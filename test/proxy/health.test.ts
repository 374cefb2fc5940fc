import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HTTP_CASES, TCP_CASES } from "./health-cases.ts";
import { onBoth } from "./health-planes.ts";
import { type HealthOutcome, runCases, summary } from "./health-runs.ts";

describe.each([
  ["over HTTP", HTTP_CASES],
  ["over TCP", TCP_CASES],
] as const)("checks %s", (_kind, cases) => {
  let weft: readonly HealthOutcome[] = [];
  let envoy: readonly HealthOutcome[] = [];

  beforeAll(async () => {
    ({ weft, envoy } = await onBoth((name) => runCases(name, cases)));
  }, 60_000);

  afterAll(() => {
    weft = [];
    envoy = [];
  });

  test.each(cases.map((one, at) => [one.name, at] as const))("%s", (_name, at) => {
    expect(weft[at]?.events.map(summary)).toEqual(cases[at]?.events);
    expect(weft[at]?.flags).toEqual([cases[at]?.flags]);
    expect(weft[at]).toEqual(envoy[at]);
  });
});
