import { beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../programs.ts";
import { BUFFER_CASES } from "./filters/buffer-cases.ts";
import { FILTER_STATE_CASES } from "./filters/filter-state-cases.ts";
import { HEADER_MUTATION_CASES } from "./filters/header-mutation-cases.ts";
import { HEALTH_CHECK_CASES } from "./filters/health-check-cases.ts";
import { HELD_HEAD_CASES } from "./filters/held-head-cases.ts";
import { SESSION_CASES } from "./filters/session-cases.ts";
import { statusesOf } from "./outcome.ts";
import { type OptionCase, runSide, type SideOutcome } from "./side-by-side.ts";

const CASES: readonly OptionCase[] = [
  ...HEADER_MUTATION_CASES,
  ...BUFFER_CASES,
  ...HEALTH_CHECK_CASES,
  ...SESSION_CASES,
  ...FILTER_STATE_CASES,
  ...HELD_HEAD_CASES,
];
const hasEnvoy = findProgram("envoy") !== undefined;

let weft: readonly SideOutcome[] = [];
let envoy: readonly SideOutcome[] | undefined;

beforeAll(async () => {
  weft = (await runSide("weft", CASES)) ?? [];
  envoy = await runSide("envoy", CASES);
});

describe("HTTP filters", () => {
  test.each(CASES.map((one, at) => ({ ...one, at })))("$name", ({ at, status }) => {
    const ours = weft[at];
    expect(ours && statusesOf(ours)).toEqual(status);
    expect(ours?.waited).toBe(true);
  });
});

describe.skipIf(!hasEnvoy)("the same in Envoy", () => {
  test.each(CASES.map((one, at) => ({ ...one, at })))("$name", ({ at }) => {
    expect(weft[at]).toEqual(envoy?.[at]);
  });
});
