import { describe, expect, it } from "vitest";
import type { Schema } from "./schema.ts";
import {
  array,
  atMostOne,
  boolean,
  builtFor,
  duration,
  exactlyOne,
  integer,
  intOrString,
  listMap,
  map,
  noEffect,
  notBuilt,
  object,
  required,
  string,
} from "./schema.ts";
import { validateAgainst } from "./validate.ts";

function check(schema: Schema, value: unknown): readonly string[] {
  return validateAgainst(schema, value, "", { origin: "Istio" }).map(
    ({ path, message, severity }) => `${severity === "warning" ? "~ " : ""}${path}: ${message}`,
  );
}

describe("validateAgainst()", () => {
  const person = object({ name: required(string({ minLength: 1 })), age: integer({ minimum: 0 }) });

  it.each<[Schema, unknown, readonly string[]]>([
    [person, { name: "a", age: 1 }, []],
    [person, { name: "a", age: null }, []],
    [person, {}, ["name: is required"]],
    [person, { name: null }, ["name: is required"]],
    [person, [], [": must be an object: got a list"]],
    [person, { name: "" }, ["name: must not be empty"]],
    [person, { name: 1 }, ["name: must be text: got 1, put it in quotes"]],
    [person, { name: "a", age: 1.5 }, ["age: must be a whole number: got 1.5"]],
    [person, { name: "a", age: -1 }, ["age: must be between 0 and 2147483647: got -1"]],
    [person, { name: "a", nmae: 1 }, ['nmae: unknown field "nmae", did you mean "name"?']],
    [person, { name: "a", constructor: 1 }, ['constructor: unknown field "constructor"']],
    [array(string(), { minItems: 1 }), [], [": must not be empty"]],
    [array(string()), ["a", null], ["[1]: must be text: got null"]],
    [map(integer()), { "a.b": "c" }, ['[a.b]: must be a whole number: got "c"']],
    [duration(), "1.5s", []],
    [duration(), "5", [': must be a duration like "1.5s" or "250ms": got "5"']],
    [
      string({ enum: ["RANDOM", "ROUND_ROBIN"] }),
      "RANDON",
      [': must be one of RANDOM, ROUND_ROBIN: got "RANDON", did you mean "RANDOM"?'],
    ],
    [string({ pattern: "^a+$" }), "b", [': must match ^a+$: got "b"']],
    [intOrString(), "25%", []],
    [intOrString(), true, [": must be a whole number or text: got true"]],
    [listMap(["name"], person), [{ name: "a" }, { name: "a" }], ['[1]: duplicate of ["a"]']],
    [
      object({ a: notBuilt() }),
      { a: 1 },
      ["a: is not supported yet: Istio knows this field, this version of weft does not"],
    ],
    [
      builtFor(boolean(), [false]),
      true,
      [": true is not supported yet: Istio knows this value, this version of weft only false"],
    ],
    [noEffect(object({}), "no reason"), {}, []],
    [noEffect(string(), "no reason", ["x"]), "x", []],
    [noEffect(string(), "no reason", ["x"]), "y", ["~ : has no effect: no reason"]],
    [
      object({ a: string(), b: string() }, exactlyOne("a", "b")),
      {},
      [': must have exactly one of "a", "b"'],
    ],
    [object({ a: string(), b: string() }, atMostOne("a", "b")), {}, []],
    [
      object({ a: string(), b: string() }, atMostOne("a", "b")),
      { a: "", b: "" },
      [': may have only one of "a", "b": got "a" and "b"'],
    ],
    [{ anyOf: [{ type: "string" }, { type: "integer" }] }, 1, []],
    [{ not: { type: "string" } }, "a", [': must not be in the form {"type":"string"}']],
    [
      { type: "object", "x-kubernetes-preserve-unknown-fields": true, properties: {} },
      { a: 1 },
      [],
    ],
  ])("%j takes %j with %j", (schema, value, issues) => {
    expect(check(schema, value)).toEqual(issues);
  });

  it("stops counting at a hundred", () => {
    const issues = validateAgainst(
      array(string()),
      Array.from({ length: 300 }, () => 1),
    );
    expect(issues).toHaveLength(101);
    expect(issues.at(-1)?.message).toBe("and 200 more problems");
  });

  it("warns of unknown fields, or ignores them, when it is told to", () => {
    const at = (unknownFields: "warning" | "ignore"): unknown =>
      validateAgainst(person, { name: "a", x: 1 }, "", { unknownFields });
    expect(at("warning")).toEqual([
      { path: "x", message: 'unknown field "x"', severity: "warning" },
    ]);
    expect(at("ignore")).toEqual([]);
  });
});
