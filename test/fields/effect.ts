import type { Field } from "../../scripts/field-paths.ts";
import { NO_NEED, type Support } from "../../scripts/field-support/entry.ts";
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

/** What is different with a field. */
export interface Effect {
  /** Whether what proxies get is, where Envoy is the data plane. */
  readonly envoy: boolean;
  /** The same where it is weft's own. */
  readonly weft: boolean;
  /** What the author is told then. */
  readonly words: readonly string[];
}

const outcomes = new Map<string, Outcome>();

/** Of what many fields are compared with, the outcome is found once. */
function outcomeOnce(name: string, example: FieldExample): Outcome {
  const known = outcomes.get(name) ?? outcomeOf(example);
  outcomes.set(name, known);
  return known;
}

/** Takes a field away from the first example that has it, or changes it where it cannot be. */
export function effectOf(kind: string, { path, schema }: Field): Effect {
  const examples = readExamples(kind);
  const at = examples.findIndex(({ object }) => locateField(object, path) !== undefined);
  const example = examples[at];
  const place = example === undefined ? undefined : locateField(example.object, path);
  if (example === undefined || place === undefined) throw new Error(`no example has ${path}`);
  const before = outcomeOnce(`${kind} ${at}`, example);
  const others = variantsOf(example.object, place, schema, example.changes[path])
    .map((object) => outcomeOf({ ...example, object }))
    .filter(({ refused }) => refused.length === 0);
  // A field that must be there, and be as it is, has its effect by that.
  if (others.length === 0) return { envoy: true, weft: true, words: [] };
  return combine(others.map((other) => effectBetween(before, other)));
}

/** The same for MeshConfig: without an example, with simple values in an otherwise empty one. */
export function meshEffectOf({ path, schema }: Field): Effect {
  const examples = readExamples("MeshConfig");
  const example = examples.find(({ object }) => locateField(object, path) !== undefined);
  const outcome = (mesh: Raw): Outcome => {
    const shown = { object: meshConfigMap(mesh), also: example?.also ?? [], changes: {} };
    return outcomeOnce(JSON.stringify([mesh, shown.also]), shown);
  };
  const place = example === undefined ? undefined : locateField(example.object, path);
  const [base = {}, ...tried] =
    example === undefined || place === undefined
      ? [{}, ...valuesOf(schema).map((value) => valueAt(path, value))]
      : [replaceAt(example.object, place), example.object];
  return combine(tried.map((mesh) => effectBetween(outcome(mesh), outcome(base))));
}

/** Whether what the page says of each data plane has happened; the words only for reading. */
export function verdictOf({ envoy, weft, words }: Effect, support: Support): Effect {
  const isSaid = (text: string, isChanged: boolean): boolean => {
    if (text.startsWith(NO_NEED)) return !isChanged;
    const said = text.replace(/^warning: /, "");
    return words.some((word) => word.includes(said));
  };
  return {
    envoy: support.envoy === "yes" ? envoy : isSaid(support.envoy, envoy),
    weft: support.weft === "yes" ? weft : isSaid(support.weft, weft),
    words,
  };
}

function effectBetween(one: Outcome, other: Outcome): Effect {
  return {
    envoy: one.envoy !== other.envoy,
    weft: one.weft !== other.weft,
    words: one.words,
  };
}

function combine(effects: readonly Effect[]): Effect {
  return {
    envoy: effects.some(({ envoy }) => envoy),
    weft: effects.some(({ weft }) => weft),
    words: effects.flatMap(({ words }) => words),
  };
}

/** ConfigMap `istio`, from which a mesh has its MeshConfig. */
function meshConfigMap(mesh: Raw): Raw {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "istio", namespace: "istio-system" },
    data: { mesh: JSON.stringify(mesh) },
  };
}
