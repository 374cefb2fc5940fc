import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeObject } from "./decode.ts";
import { apiVersionOf } from "./kind.ts";
import { KINDS } from "./kinds.ts";
import type { Schema } from "./schema.ts";
import { decodeYaml } from "./yaml.ts";

/** Values that mostly fit a schema, and sometimes not at all. */
function valuesOf(schema: Schema, depth = 0): fc.Arbitrary<unknown> {
  const wild = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constant(null));
  return fc.oneof(
    { arbitrary: fitting(schema, depth), weight: 30 },
    { arbitrary: wild, weight: 1 },
  );
}

function fitting(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case "string":
      return fc.oneof(fc.constantFrom("a", "v1", "*", "a.b", "", "5s"), fc.string());
    case "integer":
    case "number":
      return fc.constantFrom(0, 1, 80, -1, 70_000);
    case "boolean":
      return fc.boolean();
    case "array":
      return depth > 8
        ? fc.constant([])
        : fc.array(valuesOf(schema.items ?? {}, depth + 1), { maxLength: 3 });
    case "object": {
      if (depth > 8) return fc.constant({});
      const { properties, additionalProperties, required = [] } = schema;
      if (properties === undefined) {
        const values = typeof additionalProperties === "object" ? additionalProperties : {};
        return fc.dictionary(fc.constantFrom("a", "b/c", "__proto__"), valuesOf(values, depth + 1));
      }
      const fields = Object.entries(properties).filter(
        ([, field]) => field["x-weft-not-built"] !== true,
      );
      return fc.record(
        Object.fromEntries(fields.map(([name, field]) => [name, valuesOf(field, depth + 1)])),
        { requiredKeys: required.filter((name) => fields.some(([known]) => known === name)) },
      );
    }
    case undefined:
  }
  return fc.jsonValue({ maxDepth: 1 });
}

describe("decodeObject()", () => {
  it.each(KINDS)("answers whatever a $kind looks like, and the same for its answer", (kind) => {
    fc.assert(
      fc.property(valuesOf(kind.schema), (value) => {
        const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
        const apiVersion = apiVersionOf(kind);
        const raw: unknown = isObject ? { ...value, apiVersion, kind: kind.kind } : value;
        const first = decodeObject(raw);
        // What was accepted once is accepted again, unchanged: objects are read back and applied.
        const again = first.ok ? decodeObject(JSON.parse(JSON.stringify(first.value))) : first;
        expect(again).toEqual(first);
      }),
      { numRuns: 100, seed: 7 },
    );
  });
});

describe("decodeYaml()", () => {
  it("answers whatever the text is", () => {
    const line = fc.oneof(
      fc.constantFrom(
        "apiVersion: v1",
        "kind: Pod",
        "metadata:",
        "  name: a",
        "---",
        "\t- x",
        "- &a",
      ),
      fc.constantFrom(
        "spec: [",
        "}",
        "  b: *a",
        "? x",
        "<<: *a",
        "a: |",
        "kind: List",
        "items:",
        "- {}",
      ),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        const { problems } = decodeYaml(lines.join("\n"), "f");
        expect(problems.every((one) => one.line >= 1 && one.column >= 1)).toBe(true);
      }),
      { numRuns: 500, seed: 7 },
    );
  });
});
