import { expect, test } from "vitest";
import { diffLines } from "./diff-lines.ts";

test("`diffLines()` shows what differs, with what stands around it", () => {
  expect(diffLines("a\nb\nc", "a\nb\nc")).toEqual([]);
  expect(diffLines("a\nb\nc\nd\ne\nf", "a\nb\nc\nx\ne\nf\ng")).toEqual([
    "  b",
    "  c",
    "- d",
    "+ x",
    "  e",
    "  f",
    "+ g",
  ]);
  expect(diffLines("a", "b")).toEqual(["- a", "+ b"]);
  expect(diffLines("x\n".repeat(4000), "y")).toEqual(["- 4001 lines", "+ 1 lines"]);
});
