import { describe, expect, test } from "vitest";
import { checkFile, checkTable, ROOMS } from "../scripts/rooms.ts";

describe("checkFile()", () => {
  const cases: readonly (readonly [string, string, string, readonly string[]])[] = [
    ["lets a room import what stands above it", "src/model/a.ts", 'import "../config/b.ts"', []],
    ["lets a room import itself", "src/proxy/http/a.ts", 'import "../route/b.ts"', []],
    [
      "refuses the control plane inside the proxy",
      "src/proxy/a.ts",
      'import { x } from "../model/b.ts"',
      ["src/proxy/a.ts:1: proxy may not import model"],
    ],
    [
      "refuses a dynamic import likewise",
      "src/model/a.ts",
      '\nawait import("../xds/b.ts")',
      ["src/model/a.ts:2: model may not import xds"],
    ],
    [
      "refuses the inside of another room",
      "src/store/a.ts",
      'export { x } from "../config/kind/b.ts"',
      ["src/store/a.ts:1: src/config/kind/b.ts is private to config"],
    ],
    [
      "lets generated code be imported where it stands",
      "src/xds/a.ts",
      'import "../api/gen/envoy/x_pb.js"',
      [],
    ],
    [
      "refuses a room that nobody knows",
      "src/utils/a.ts",
      "",
      ['src/utils/a.ts:1: room "utils" is not in the table'],
    ],
    [
      "refuses real time outside the clock",
      "src/ads/a.ts",
      "setTimeout(f, 1)",
      ['src/ads/a.ts:1: "setTimeout(" is banned, use Clock'],
    ],
    ["lets the clock use real time", "src/base/node-clock.ts", "setTimeout(f, 1)", []],
    ["lets a test say what the source may not", "src/ads/a.test.ts", "Date.now()", []],
  ];
  test.each(cases)("%s", (_, path, text, problems) => {
    expect(checkFile(path, text)).toEqual(problems);
  });
});

describe("checkTable()", () => {
  test("accepts the table as it is", () => expect(checkTable(ROOMS)).toEqual([]));

  test("refuses a room that names a later one", () =>
    expect(checkTable({ base: ["proxy"], proxy: [] })).toEqual([
      'room "base" names "proxy", which does not stand before it',
    ]));
});
