import { expect, test } from "vitest";
import { suggest } from "./suggest.ts";

const FIELDS = ["hosts", "gateways", "http", "exportTo"];

test.each([
  ["hots", "hosts"],
  ["host", "hosts"],
  ["gatewasy", "gateways"],
  ["HTTP", "http"],
  ["exprotTo", "exportTo"],
  ["banana", undefined],
  ["", undefined],
])("suggest(%j) names %j", (word, meant) => {
  expect(suggest(word, FIELDS)).toBe(meant);
});
