import { expect, test } from "vitest";
import { formatUsage, parseCount, parseFlags } from "./flags.ts";

const FLAGS = {
  namespace: { short: "n", value: "NS", help: "namespace" },
  filename: { short: "f", value: "FILE", multiple: true, help: "file" },
  watch: { short: "w", help: "go on" },
  wait: { isOn: true, help: "wait" },
} as const;

test.each([
  [["-n", "x"], { namespace: "x" }],
  [["-nx"], { namespace: "x" }],
  [["-n=x"], { namespace: "x" }],
  [["--namespace", "x"], { namespace: "x" }],
  [["--namespace=x"], { namespace: "x" }],
  [["-f", "a", "-f", "-"], { filename: ["a", "-"] }],
  [["-w", "--wait=false"], { watch: true, wait: false }],
  [["--watch=true"], { watch: true }],
  [[], { watch: false, wait: true, filename: [], namespace: undefined }],
])("`parseFlags()` reads %j", (args, flags) => {
  expect(parseFlags("verb", args, FLAGS).flags).toMatchObject(flags);
});

test("`parseFlags()` leaves the rest in its order", () => {
  const { positionals } = parseFlags("verb", ["pods", "-w", "a", "--", "-n"], FLAGS);
  expect(positionals).toEqual(["pods", "a", "-n"]);
});

test.each([
  [["--namespac", "x"], 'unknown flag "--namespac", did you mean "--namespace"?'],
  [["-x"], 'unknown flag "-x" ("weft help verb" lists them)'],
  [["--toString"], 'unknown flag "--toString"'],
  [["--namespace"], "--namespace needs a value: NS"],
  [["--watch=maybe"], '--watch is true or false, not "maybe"'],
])("`parseFlags()` refuses %j", (args, message) => {
  expect(() => parseFlags("verb", args, FLAGS)).toThrow(message);
});

test("`parseCount()` takes whole numbers from 0", () => {
  expect(parseCount("--tail", "20")).toBe(20);
  for (const text of ["-1", "1.5", "x", ""]) {
    expect(() => parseCount("--tail", text)).toThrow(`--tail is a number from 0, not "${text}"`);
  }
});

test("`formatUsage()` lists forms, flags and examples", () => {
  const usage = formatUsage({
    forms: ["verb A", "verb B"],
    text: "Does it.",
    flags: FLAGS,
    examples: ["verb x"],
  });
  expect(usage).toBe(
    [
      "Usage: weft verb A",
      "       weft verb B",
      "",
      "Does it.",
      "",
      "Flags:",
      "  -n, --namespace NS          namespace",
      "  -f, --filename FILE         file",
      "  -w, --watch                 go on",
      "      --wait                  wait",
      "",
      "Examples:",
      "  weft verb x",
      "",
    ].join("\n"),
  );
});

test("the help of a long flag stands apart from it, in line with the others", () => {
  const usage = formatUsage({
    forms: ["x"],
    text: "Does x.",
    flags: {
      "a-very-long-name-of-a-flag": { value: "SECONDS", help: "long" },
      f: { short: "f", help: "short" },
    },
    examples: [],
  });
  const lines = usage.split("\n").filter((line) => line.includes("--"));
  expect(lines.map((line) => line.search(/(long|short)$/))).toEqual([44, 44]);
  expect(lines[0]).toContain("--a-very-long-name-of-a-flag SECONDS  long");
});
