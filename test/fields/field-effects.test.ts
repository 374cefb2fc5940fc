import { describe, expect, it } from "vitest";
import type { Field } from "../../scripts/field-paths.ts";
import { EFFECTS, NOTHING, type Support } from "../../scripts/field-support/entry.ts";
import { fieldsOf, findSupport } from "../../scripts/field-support/find-support.ts";
import { FIELD_SUPPORT } from "../../scripts/field-support/table.ts";
import {
  type FieldExample,
  locateField,
  type Raw,
  readExamples,
  replaceAt,
  valueAt,
  valuesOf,
  variantsOf,
} from "./field-examples.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";

/** What is different where a field is another. */
interface Effect {
  readonly envoy: boolean;
  readonly weft: boolean;
  readonly words: readonly string[];
}

function effectBetween(one: Outcome, other: Outcome): Effect {
  return {
    envoy: one.envoy !== other.envoy,
    weft: one.weft !== other.weft,
    words: one.words.filter((word) => !other.words.includes(word)),
  };
}

/** Fields of a kind that say here what they do, with what the page says of them. */
function shownHere(kind: string): readonly (readonly [string, Field, Support])[] {
  return fieldsOf(kind).flatMap((field) => {
    const support = findSupport(kind, field, FIELD_SUPPORT[kind] ?? {});
    const isShown = support?.tests.includes(EFFECTS) === true && support.envoy !== NOTHING;
    return isShown ? [[field.path, field, support] as const] : [];
  });
}

/** Takes a field away, or changes it where it cannot be; the effect of the first that has one. */
function effectOf(kind: string, { path, schema }: Field): Effect {
  const example = readExamples(kind).find(({ object }) => locateField(object, path) !== undefined);
  const place = example === undefined ? undefined : locateField(example.object, path);
  if (example === undefined || place === undefined) throw new Error(`no example has ${path}`);
  const before = outcomeOf(example);
  const others = variantsOf(example.object, place, schema, example.changes[path])
    .map((object) => outcomeOf({ ...example, object }))
    .filter(({ refused }) => refused.length === 0);
  // A field that must be there, and be as it is, has its effect by that.
  if (others.length === 0) return { envoy: true, weft: true, words: [] };
  return combine(others.map((other) => effectBetween(before, other)));
}

function combine(effects: readonly Effect[]): Effect {
  return {
    envoy: effects.some(({ envoy }) => envoy),
    weft: effects.some(({ weft }) => weft),
    words: effects.flatMap(({ words }) => words),
  };
}

/** Whether what the page says of each data plane has happened; the words only for reading. */
function verdictOf({ envoy, weft, words }: Effect, support: Support): Effect {
  const isSaid = (text: string): boolean => {
    const said = text.replace(/^warning: /, "");
    return words.some((word) => word.includes(said));
  };
  return {
    envoy: support.envoy === "yes" ? envoy : isSaid(support.envoy),
    weft: support.weft === "yes" ? weft : isSaid(support.weft),
    words,
  };
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

/** ConfigMap `istio`, from which a mesh has its MeshConfig. */
function meshConfigMap(mesh: Raw): Raw {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "istio", namespace: "istio-system" },
    data: { mesh: JSON.stringify(mesh) },
  };
}

describe("MeshConfig", () => {
  const examples = readExamples("MeshConfig");
  // What an object says, its fields say.
  const leaves = shownHere("MeshConfig").filter(
    ([, { schema, same }]) => same === undefined && valuesOf(schema).length > 0,
  );

  it.each(leaves)("%s does what the page says", (path, { schema }, support) => {
    const example = examples.find(({ object }) => locateField(object, path) !== undefined);
    const also = example?.also ?? [];
    const outcome = (mesh: Raw): Outcome => {
      const shown: FieldExample = { object: meshConfigMap(mesh), also, changes: {} };
      return outcomeOf(shown);
    };
    const place = example === undefined ? undefined : locateField(example.object, path);
    const [base = {}, ...tried] =
      example === undefined || place === undefined
        ? [{}, ...valuesOf(schema).map((value) => valueAt(path, value))]
        : [replaceAt(example.object, place), example.object];
    const before = outcome(base);
    const effect = combine(tried.map((mesh) => effectBetween(outcome(mesh), before)));
    expect(verdictOf(effect, support)).toMatchObject(AS_SAID);
  });
});
