import { describe, expect, it } from "vitest";
import type { Field } from "../../scripts/field-paths.ts";
import { EFFECTS, NOTHING, type Support } from "../../scripts/field-support/entry.ts";
import { fieldsOf, findSupport } from "../../scripts/field-support/find-support.ts";
import { FIELD_SUPPORT } from "../../scripts/field-support/table.ts";
import { effectOf, meshEffectOf, verdictOf } from "./effect.ts";
import { readExamples, valuesOf } from "./field-examples.ts";
import { outcomeOf } from "./outcome.ts";

/** Fields of a kind that say here what they do, with what the page says of them. */
function shownHere(kind: string): readonly (readonly [string, Field, Support])[] {
  return fieldsOf(kind).flatMap((field) => {
    const support = findSupport(kind, field, FIELD_SUPPORT[kind] ?? {});
    const isShown = support?.tests.includes(EFFECTS) === true && support.envoy !== NOTHING;
    return isShown ? [[field.path, field, support] as const] : [];
  });
}

const AS_SAID = { envoy: true, weft: true };

describe.each(Object.keys(FIELD_SUPPORT).filter((kind) => kind !== "MeshConfig"))("%s", (kind) => {
  it.each(readExamples(kind).map((example, at) => [at, example] as const))(
    "example %i is accepted",
    (_, example) => {
      expect(outcomeOf(example).refused).toEqual([]);
    },
  );

  it.each(shownHere(kind))("%s does what the page says", (_, field, support) => {
    expect(verdictOf(effectOf(kind, field), support)).toMatchObject(AS_SAID);
  });
});

describe("MeshConfig", () => {
  // What an object says, its fields say.
  const leaves = shownHere("MeshConfig").filter(
    ([, { schema, same }]) => same === undefined && valuesOf(schema).length > 0,
  );

  it.each(leaves)("%s does what the page says", (_, field, support) => {
    expect(verdictOf(meshEffectOf(field), support)).toMatchObject(AS_SAID);
  });
});
