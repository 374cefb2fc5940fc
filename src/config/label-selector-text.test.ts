import { expect, test } from "vitest";
import { matchLabelSelector } from "./label-selector.ts";
import { parseLabelSelector } from "./label-selector-text.ts";

test.each([
  ["", {}, true],
  ["app=x", { app: "x" }, true],
  ["app==x", { app: "y" }, false],
  ["app=", { app: "" }, true],
  ["app!=x", {}, true],
  ["app=x,version!=v1", { app: "x", version: "v1" }, false],
  ["version in (v1, v2),app", { app: "x", version: "v2" }, true],
  ["version notin (v1,v2)", { version: "v2" }, false],
  ["!old, app.kubernetes.io/name=a", { "app.kubernetes.io/name": "a" }, true],
  ["!old", { old: "1" }, false],
])("`parseLabelSelector()` of %j on %j selects: %j", (text, labels, expected) => {
  const selector = parseLabelSelector(text);
  expect(selector.ok && matchLabelSelector(selector.value, labels)).toBe(expected);
});

test.each(["app=x=y", "in (a)", "a in b", "=x", "app>1"])(
  "`parseLabelSelector()` refuses %j",
  (text) => {
    expect(parseLabelSelector(text).ok).toBe(false);
  },
);
