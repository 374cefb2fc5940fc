import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { says, works } from "../../scripts/field-support/entry.ts";
import { FIELD_SUPPORT } from "../../scripts/field-support/table.ts";
import { buildFieldPage, FIELD_PAGE } from "../../scripts/field-table.ts";

describe("the page of fields", () => {
  const { text, problems } = buildFieldPage();

  it("leaves no field out, and names tests that are there", () => {
    expect(problems).toEqual([]);
  });

  it("is what `npm run fields` writes", () => {
    expect(readFileSync(FIELD_PAGE, "utf8")).toBe(text);
  });

  it.each([
    [{}, "VirtualService: nothing is said about spec.hosts"],
    [{ spec: says("refused") }, "VirtualService: no test shows spec"],
    [
      { spec: works("test/nowhere.test.ts") },
      "VirtualService: spec is shown by test/nowhere.test.ts, which is not there",
    ],
    [
      { spec: works("test/programs.ts: no such case in here, or is there") },
      "VirtualService: spec is shown by test/programs.ts: no such case",
    ],
    [
      { spec: works(), "spec.htp": works() },
      "VirtualService: spec.htp is no field, or others say all of it",
    ],
  ])("with only %j says so", (table, problem) => {
    const page = buildFieldPage({ VirtualService: table });
    expect(page.problems).toContainEqual(expect.stringContaining(problem));
  });

  it("holds the kinds of traffic configuration", () => {
    expect(Object.keys(FIELD_SUPPORT)).toEqual(
      expect.arrayContaining(["VirtualService", "DestinationRule", "Gateway", "MeshConfig"]),
    );
  });
});
