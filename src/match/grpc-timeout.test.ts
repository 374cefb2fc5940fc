import { describe, expect, test } from "vitest";
import { boundGrpcTimeout, formatGrpcTimeout, parseGrpcTimeout } from "./grpc-timeout.ts";

describe("parseGrpcTimeout()", () => {
  test.each([
    ["2H", 7_200_000],
    ["3M", 180_000],
    ["5S", 5000],
    ["250m", 250],
    ["1001u", 2],
    ["1000u", 1],
    ["1n", 1],
    ["0m", 0],
    ["99999999m", 99_999_999],
  ])("%s", (text, ms) => {
    expect(parseGrpcTimeout(text)).toBe(ms);
  });

  test.each(["", "5", "S", "5s", "-1S", "1.5S", "100000000m", " 5S"])("%j is none", (text) => {
    expect(parseGrpcTimeout(text)).toBeUndefined();
  });
});

describe("formatGrpcTimeout()", () => {
  test.each([
    [0, "0m"],
    [99_999_999, "99999999m"],
    [100_000_000, "100000S"],
    [99_999_999_999, "99999999S"],
    [100_000_000_000, "1666666M"],
    [1e16, "99999999H"],
  ])("%d", (ms, text) => {
    expect(formatGrpcTimeout(ms)).toBe(text);
  });
});

describe("boundGrpcTimeout()", () => {
  test.each([
    ["what is asked for", "5S", 0, 0, 5000],
    ["no more than the bound", "5S", 3000, 0, 3000],
    ["the bound where nothing is asked for", undefined, 3000, 0, 3000],
    ["nothing at all", undefined, 0, 0, 0],
    ["the bound for what is no time", "soon", 3000, 0, 3000],
    ["a little less than is asked for", "5S", 0, 100, 4900],
    ["what is asked for where less would be nothing", "50m", 0, 100, 50],
  ])("is %s", (_name, header, maxMs, offsetMs, ms) => {
    expect(boundGrpcTimeout(header, { maxMs, offsetMs })).toBe(ms);
  });
});
