import type { Prng } from "../../src/base/prng.ts";
import { decodeAs } from "../../src/config/decode.ts";
import type { Kind } from "../../src/config/kind.ts";
import { apiVersionOf } from "../../src/config/kind.ts";
import type { KubeObject, ObjectMeta } from "../../src/config/object.ts";
import type { Json, Schema } from "../../src/config/schema.ts";
import { parsePath } from "../../src/config/yaml.ts";

type JsonMap = { [name: string]: Json };

/**
 * What a schema cannot say of the objects that it describes. Paths are those of fields, with `[]`
 * for any element of a list and `{}` for any key of a map: `spec.http[].match[].headers{}`.
 */
export interface Hints {
  /** Words for texts, numbers and map keys; the first pattern that matches a path counts. */
  readonly words: readonly (readonly [path: RegExp, words: readonly Json[]])[];
  /** Fields without which an object says little; they are there most of the time. */
  readonly telling: RegExp;
  /** Fields that are never there. */
  readonly never: RegExp;
  /** Fields of which one is there, and no other. */
  readonly oneOf: readonly (readonly [path: RegExp, names: readonly string[]])[];
}

/** How often what is wrong is taken out of an object before it is given up. */
const REPAIRS_MAX = 25;

/** How likely a field is that need not be there; each object has one of these. */
const FIELD_SHARES = [0.15, 0.3, 0.6];
const TELLING_SHARE = 0.9;
const DEPTH_MAX = 9;

/** An object of a kind that its schema and rules accept; `undefined` where chance found none. */
export function randomObject(
  kind: Kind,
  metadata: ObjectMeta,
  hints: Hints,
  prng: Prng,
): KubeObject | undefined {
  const spec = kind.schema.properties?.["spec"];
  if (spec === undefined) throw new Error(`${kind.kind} has no spec`);
  const raw: JsonMap = {
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    metadata: metadata as unknown as Json,
    spec: new ValueMaker(hints, prng).value(spec, "spec", 0),
  };
  return repaired(kind, raw);
}

/** Takes out what the kind refuses until nothing is refused. */
function repaired(kind: Kind, raw: JsonMap): KubeObject | undefined {
  for (let round = 0; round < REPAIRS_MAX; round++) {
    const decoded = decodeAs(kind, raw);
    if (decoded.ok) return decoded.value;
    for (const { path } of decoded.issues) remove(raw, parsePath(path));
  }
  return undefined;
}

/** Takes out what stands at a path, or where something is missing, what it is missing from. */
function remove(root: JsonMap, names: readonly string[]): void {
  let holder: Json = root;
  const steps: (readonly [holder: JsonMap | Json[], name: string])[] = [];
  for (const name of names) {
    if (typeof holder !== "object" || holder === null) break;
    steps.push([holder as JsonMap | Json[], name]);
    holder = (holder as JsonMap)[name] ?? null;
  }
  for (const [from, name] of steps.toReversed()) {
    // `spec` itself stays: without it there is no object.
    if (from === root) return;
    if (Array.isArray(from)) {
      if (Number(name) >= from.length) continue;
      from.splice(Number(name), 1);
      return;
    }
    if (from[name] !== undefined) {
      delete from[name];
      return;
    }
  }
}

/** Makes values that have the form of a schema. */
class ValueMaker {
  readonly #hints: Hints;
  readonly #prng: Prng;

  readonly #share: number;

  constructor(hints: Hints, prng: Prng) {
    this.#hints = hints;
    this.#prng = prng;
    this.#share = this.#pick(FIELD_SHARES);
  }

  value(schema: Schema, path: string, depth: number): Json {
    const isWhole = schema.type === "object" || schema.type === "array";
    const words = this.#hints.words.find(([pattern]) => !isWhole && pattern.test(path))?.[1];
    if (words !== undefined) return this.#pick(words);
    if (schema.enum !== undefined) return this.#pick(schema.enum);
    switch (schema.type) {
      case "object":
        return this.#map(schema, path, depth);
      case "array":
        return this.#list(schema, path, depth);
      case "boolean":
        return this.#chance(0.5);
      case "integer":
        return Math.floor(this.#number(schema));
      case "number":
        return this.#number(schema);
      case "string":
        return this.#text(schema, path);
      case undefined:
        break;
    }
    return schema["x-kubernetes-int-or-string"] === true ? 8080 : {};
  }

  #map(schema: Schema, path: string, depth: number): JsonMap {
    const made: JsonMap = {};
    const excluded = this.#excluded(schema, path);
    for (const [name, field] of Object.entries(schema.properties ?? {})) {
      const isRequired = schema.required?.includes(name) === true;
      const fieldPath = `${path}.${name}`;
      const isUnwanted = excluded.has(name) || this.#hints.never.test(fieldPath);
      if (isUnwanted || field["x-weft-not-built"] === true) continue;
      const share = this.#hints.telling.test(fieldPath) ? TELLING_SHARE : this.#share;
      const isWanted = excluded.chosen === name || this.#chance(share);
      if (!isRequired && (depth > DEPTH_MAX || !isWanted)) continue;
      made[name] = this.value(field, fieldPath, depth + 1);
    }
    const { additionalProperties: values } = schema;
    if (typeof values === "object") {
      for (let count = 1 + this.#below(2); count > 0; count--) {
        const key = this.value({ type: "string" }, `${path}{key}`, depth);
        if (typeof key !== "string") throw new Error(`keys are texts, not ${JSON.stringify(key)}`);
        made[key] = this.value(values, `${path}{}`, depth + 1);
      }
    }
    return made;
  }

  /** The fields that one chosen among them rules out. */
  #excluded(schema: Schema, path: string): Set<string> & { chosen?: string } {
    const excluded: Set<string> & { chosen?: string } = new Set<string>();
    const hint = this.#hints.oneOf.find(([pattern]) => pattern.test(path))?.[1];
    const groups = [schema, ...(schema.allOf ?? [])].flatMap(({ oneOf }) =>
      oneOf === undefined ? [] : [oneOf.flatMap(({ required = [] }) => required)],
    );
    for (const names of hint === undefined ? groups : [hint, ...groups]) {
      const chosen = this.#pick(names);
      if (names === hint) excluded.chosen = chosen;
      for (const name of names) if (name !== chosen) excluded.add(name);
    }
    return excluded;
  }

  #list(schema: Schema, path: string, depth: number): Json {
    const { items = {}, minItems = 0, maxItems = 3 } = schema;
    const count = Math.min(maxItems, Math.max(minItems, this.#below(3), depth > 4 ? 0 : 1));
    const list = Array.from({ length: count }, () => this.value(items, `${path}[]`, depth + 1));
    // Two of the same are refused more often than they are of use.
    return [...new Map(list.map((item) => [JSON.stringify(item), item])).values()];
  }

  #number({ minimum = 0, maximum = 1000 }: Schema): number {
    const span = Math.min(maximum - minimum, this.#chance(0.8) ? 10 : 1000);
    return minimum + this.#prng.next() * span;
  }

  #text({ format }: Schema, path: string): string {
    if (path.endsWith("{key}")) return this.#pick(["app", "x-a", "b"]);
    if (format?.endsWith("duration") === true) return this.#pick(["1s", "250ms", "1.5s", "1m"]);
    if (format === "byte") return "YWJj";
    return this.#pick(["a", "b", "x-a"]);
  }

  #pick<T>(words: readonly T[]): T {
    const word = words[this.#below(words.length)];
    if (word === undefined) throw new Error("there are no words to pick from");
    return word;
  }

  #below(count: number): number {
    return Math.floor(this.#prng.next() * count);
  }

  #chance(share: number): boolean {
    return this.#prng.next() < share;
  }
}
