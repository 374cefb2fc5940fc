import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments, parseDocument } from "yaml";
import { formatIssue } from "../../src/base/issue.ts";
import { decodeProxyFile } from "../../src/cli/proxy-file.ts";
import { apiVersionOf } from "../../src/config/kind.ts";
import { KINDS } from "../../src/config/kinds.ts";
import type { Schema } from "../../src/config/schema.ts";
import type { ProxyNode } from "../../src/model/proxy.ts";
import { decodeProxyNode } from "../../src/model/proxy-node.ts";

const FOLDER = import.meta.dirname;

/** JSON as an author writes it, before anything is checked. */
export type Raw = null | boolean | number | string | Raw[] | { [name: string]: Raw };

/** Objects in which a kind's fields have an effect. */
export interface FieldExample {
  /** The object whose fields are tried. */
  readonly object: Raw;
  /** What stands beside it. */
  readonly also: readonly Raw[];
  /** Other values, for fields that cannot be taken away. */
  readonly changes: Readonly<Record<string, Raw>>;
}

interface ExampleDocument {
  readonly metadata?: Raw;
  readonly spec?: Raw;
  readonly mesh?: Raw;
  readonly also?: readonly Raw[];
  readonly changes?: Readonly<Record<string, Raw>>;
}

const read = new Map<string, readonly FieldExample[]>();

/** The examples of a kind; none where it has no file. */
export function readExamples(kind: string): readonly FieldExample[] {
  const examples = read.get(kind) ?? readFile(kind);
  read.set(kind, examples);
  return examples;
}

function readFile(kind: string): readonly FieldExample[] {
  const file = join(FOLDER, "examples", `${kind}.yaml`);
  if (!existsSync(file)) return [];
  return parseAllDocuments(readFileSync(file, "utf8")).map((document) => {
    const { metadata, spec, mesh, also = [], changes = {} } = document.toJS() as ExampleDocument;
    if (mesh !== undefined) return { object: mesh, also, changes };
    const own = KINDS.find((one) => one.kind === kind);
    if (own === undefined || spec === undefined) throw new Error(`${file}: no kind, or no spec`);
    const name = { name: "shown", namespace: "default" };
    const object = {
      apiVersion: apiVersionOf(own),
      kind,
      metadata: { ...name, ...(metadata as object | undefined) },
      spec,
    };
    return { object, also, changes };
  });
}

/**
 * Values that a schema allows, simple ones, so that one of them is likely to mean something; none
 * where only an example helps.
 */
export function valuesOf(schema: Schema): readonly Raw[] {
  if (schema.enum !== undefined) return schema.enum as readonly Raw[];
  if (schema.items !== undefined) return valuesOf(schema.items).map((value) => [value]);
  if (typeof schema.additionalProperties === "object") {
    return valuesOf(schema.additionalProperties).map((value) => ({ x: value }));
  }
  switch (schema.type) {
    case "boolean":
      return [true, false];
    case "integer":
    case "number":
      return [7, 80];
    case "string":
      return schema.format?.endsWith("duration") === true ? ["7s"] : ["elsewhere", "/dev/stdout"];
    case "object":
      return Object.keys(schema.properties ?? {}).length === 0 ? [{}] : [];
    case "array":
    case undefined:
    default:
      return [];
  }
}

/** A value that has nothing but what stands at a path: `a.b[].c` is `{a: {b: [{c: value}]}}`. */
export function valueAt(path: string, value: Raw): Raw {
  const steps = path.match(/[^.[\]{}]+|\[\]|\{\}/g) ?? [];
  return steps.reduceRight<Raw>((inner, step) => {
    if (step === "[]") return [inner];
    return { [step === "{}" ? "x" : step]: inner };
  }, value);
}

/** The objects that every example stands among. */
export function readWorld(): readonly Raw[] {
  const text = readFileSync(join(FOLDER, "world.yaml"), "utf8");
  return parseAllDocuments(text).map((document) => document.toJS() as Raw);
}

/** The proxies that are looked at. */
export function readProxies(): readonly ProxyNode[] {
  const text = readFileSync(join(FOLDER, "proxies.yaml"), "utf8");
  return (parseDocument(text).toJS() as readonly unknown[]).map((raw) => {
    const record = decodeProxyFile(raw);
    const node = record.ok ? decodeProxyNode(record.value) : record;
    if (node.ok) return node.value;
    throw new Error(node.issues.map(formatIssue).join("; "));
  });
}

/**
 * Where a value has a field, as keys and indexes; `spec.http[].name` is looked for in each entry
 * of the list until one has it.
 */
export function locateField(value: Raw, path: string): readonly (string | number)[] | undefined {
  const steps = path.match(/[^.[\]{}]+|\[\]|\{\}/g) ?? [];
  return locate(value, steps);
}

function locate(value: Raw, steps: readonly string[]): readonly (string | number)[] | undefined {
  const [step, ...rest] = steps;
  if (step === undefined) return [];
  if (typeof value !== "object" || value === null) return undefined;
  const keys: (string | number)[] =
    step === "[]" ? [...(value as Raw[]).keys()] : step === "{}" ? Object.keys(value) : [step];
  for (const key of keys) {
    const inner = (value as Record<string | number, Raw>)[key];
    const found = inner === undefined ? undefined : locate(inner, rest);
    if (found !== undefined) return [key, ...found];
  }
  return undefined;
}

/** A copy in which a place is taken away, or has another value. */
export function replaceAt(value: Raw, place: readonly (string | number)[], other?: Raw): Raw {
  const copy = structuredClone(value);
  let at = copy as Record<string | number, Raw>;
  for (const key of place.slice(0, -1)) at = at[key] as Record<string | number, Raw>;
  const last = place.at(-1) ?? "";
  if (other === undefined) delete at[last];
  else at[last] = other;
  return copy;
}

/** An object without what stands at a place, or with another value there: `other`, or simple ones. */
export function variantsOf(
  object: Raw,
  place: readonly (string | number)[],
  schema: Schema,
  other?: Raw,
): readonly Raw[] {
  if (other !== undefined) return [replaceAt(object, place, other)];
  return [
    replaceAt(object, place),
    ...valuesOf(schema).map((one) => replaceAt(object, place, one)),
  ];
}
