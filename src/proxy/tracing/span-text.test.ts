import { expect, test } from "vitest";
import { spanText } from "./span-text.ts";

test.each([
  ["plain", "plain"],
  [Buffer.from("café €").toString("latin1"), "café €"],
  ["caf\xe9", "caf\ufffd"],
  ["\xff\xfea", "\ufffd\ufffda"],
])("spanText() makes %j text for collectors", (wire, text) => {
  expect(spanText(wire)).toBe(text);
});
