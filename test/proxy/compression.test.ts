import { beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../programs.ts";
import { COMPRESSION_CASES } from "./filters/compression-cases.ts";
import { statusesOf } from "./outcome.ts";
import { runSide, type SideOutcome } from "./side-by-side.ts";

const CASES = COMPRESSION_CASES;
const hasEnvoy = findProgram("envoy") !== undefined;

let weft: readonly SideOutcome[] = [];
let envoy: readonly SideOutcome[] | undefined;

beforeAll(async () => {
  weft = (await runSide("weft", CASES)) ?? [];
  envoy = await runSide("envoy", CASES);
});

describe("compressor and decompressor", () => {
  test.each(CASES.map((one, at) => ({ ...one, at })))("$name", ({ at, status }) => {
    const ours = weft[at];
    expect(ours && statusesOf(ours)).toEqual(status);
  });
});

describe.skipIf(!hasEnvoy)("the same in Envoy", () => {
  test.each(CASES.map((one, at) => ({ ...one, at })))("$name", ({ at }) => {
    expect(weft[at]).toEqual(envoy?.[at]);
  });
});
