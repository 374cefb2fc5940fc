import { expect, test } from "vitest";
import { parseDurationMs } from "./duration.ts";

test.each([
  ["0", 0],
  ["10s", 10_000],
  ["1.5s", 1500],
  ["1h2m3s", 3_723_000],
  ["250ms", 250],
  ["-2s", -2000],
  [".5s", 500],
  ["10", undefined],
  ["s", undefined],
  ["", undefined],
  ["1d", undefined],
  ["10 s", undefined],
])("parseDurationMs(%j) is %j", (text, ms) => {
  expect(parseDurationMs(text)).toBe(ms);
});
