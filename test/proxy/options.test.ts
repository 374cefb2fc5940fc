import { beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../programs.ts";
import { HEADER_OPTIONS } from "./options/header-options.ts";
import { INJECTION_OPTIONS } from "./options/injection-options.ts";
import { TARGET_OPTIONS } from "./options/target-options.ts";
import { TIME_OPTIONS } from "./options/time-options.ts";
import { TRAILER_OPTIONS } from "./options/trailer-options.ts";
import { UPGRADE_OPTIONS } from "./options/upgrade-options.ts";
import { UPSTREAM_OPTIONS } from "./options/upstream-options.ts";
import { statusesOf } from "./outcome.ts";
import { type OptionCase, runSide, type SideOutcome } from "./side-by-side.ts";

const CASES: readonly OptionCase[] = [
  ...HEADER_OPTIONS,
  ...INJECTION_OPTIONS,
  ...TARGET_OPTIONS,
  ...TIME_OPTIONS,
  ...TRAILER_OPTIONS,
  ...UPGRADE_OPTIONS,
  ...UPSTREAM_OPTIONS,
];
const hasEnvoy = findProgram("envoy") !== undefined;

let weft: readonly SideOutcome[] = [];
let envoy: readonly SideOutcome[] | undefined;

beforeAll(async () => {
  weft = (await runSide("weft", CASES)) ?? [];
  envoy = await runSide("envoy", CASES);
});

describe("a connection manager's options", () => {
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
