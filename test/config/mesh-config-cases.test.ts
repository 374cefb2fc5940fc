import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { isJsonObject } from "../../src/config/json.ts";
import { parseMeshConfig } from "../../src/config/mesh-config.ts";
import { findCases } from "../programs.ts";

const cases = findCases();
const FILES = ["inject/cases.jsonl", "routing/simulation.jsonl"];

/** Every mesh configuration inside of a case, once. */
function meshConfigsOf(folder: string): readonly string[] {
  const found = new Set<string>();
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) for (const item of value) walk(item);
    if (!isJsonObject(value)) return;
    for (const [name, item] of Object.entries(value)) {
      if (name === "meshConfig" && isJsonObject(item)) found.add(JSON.stringify(item));
      else walk(item);
    }
  };
  for (const file of FILES) {
    const lines = readFileSync(`${folder}/${file}`, "utf8").trim().split("\n");
    for (const line of lines) walk(JSON.parse(line));
  }
  return [...found];
}

describe.skipIf(cases === undefined)("mesh configurations of Istio's cases", () => {
  it("are read without a word", () => {
    const texts = cases === undefined ? [] : meshConfigsOf(cases);
    expect(texts.length).toBeGreaterThan(5);
    for (const text of texts) {
      const result = parseMeshConfig(text);
      expect({ ...result, text }).toEqual({ ok: true, value: JSON.parse(text) as unknown, text });
    }
  });
});
