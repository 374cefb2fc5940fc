import type { Issue, Result } from "../base/issue.ts";
import { isError } from "../base/issue.ts";
import { isJsonObject, own } from "./json.ts";
import { normalize } from "./normalize.ts";
import type { Infer, Schema } from "./schema.ts";
import { validateAgainst } from "./validate.ts";
import { type FileProblem, parseYaml, type TextPosition } from "./yaml.ts";

/** What a text gives: its message, and where the fields of its issues stand. */
export interface ProtoYaml<T> {
  readonly result: Result<T>;
  readonly positionOf: (path: string) => TextPosition;
}

const START: TextPosition = { line: 1, column: 1 };

/**
 * A protobuf message from YAML or JSON text, in protobuf's JSON mapping: names in camelCase or as in
 * the `.proto`, numbers as text too. An empty text is an empty message. Unknown fields are warnings.
 */
export function parseProtoYaml<S extends Schema>(schema: S, text: string): ProtoYaml<Infer<S>> {
  const { objects, problems } = parseYaml(text, "");
  const [first, ...more] = objects;
  const broken = problems.map(({ line, issue }) => atLine(line, issue));
  for (const { line } of more) {
    broken.push(atLine(line, { path: "", message: "must be one document: this is another one" }));
  }
  if (broken.length > 0) return { result: { ok: false, issues: broken }, positionOf: () => START };
  const raw = first === undefined ? {} : fromProtoNames(schema, first.raw);
  const issues = validateAgainst(schema, raw, "", { unknownFields: "warning", origin: "Istio" });
  const positionOf = first?.positionOf ?? (() => START);
  if (issues.some(isError)) return { result: { ok: false, issues }, positionOf };
  const value = normalize(schema, raw, { isPruning: true }) as Infer<S>;
  const warnings = issues.length === 0 ? {} : { warnings: issues };
  return { result: { ok: true, value, ...warnings }, positionOf };
}

/** The issues of a text as problems of its file. */
export function problemsOf(
  { result, positionOf }: ProtoYaml<unknown>,
  file: string,
): readonly FileProblem[] {
  const issues = result.ok ? (result.warnings ?? []) : result.issues;
  return issues.map((issue) => ({ file, ...positionOf(issue.path), issue }));
}

function atLine(line: number, { message, ...rest }: Issue): Issue {
  return { ...rest, message: `line ${line}: ${message}` };
}

/** A value with the names of its schema, where it has those of the `.proto`. */
function fromProtoNames(schema: Schema, value: unknown): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined ? value : value.map((item) => fromProtoNames(items, item));
  }
  if (schema.type === "integer" && typeof value === "string" && /^-?\d{1,15}$/.test(value)) {
    return Number(value);
  }
  if (!isJsonObject(value)) return value;
  const { properties, additionalProperties } = schema;
  const fields = Object.entries(value).map(([name, item]): [string, unknown] => {
    const known = properties === undefined ? name : knownName(properties, value, name);
    const field =
      own(properties, known) ??
      (typeof additionalProperties === "object" ? additionalProperties : undefined);
    return [known, field === undefined ? item : fromProtoNames(field, item)];
  });
  // Not by assignment: "__proto__" is a name like any other in JSON.
  return Object.fromEntries(fields);
}

function knownName(
  properties: Readonly<Record<string, Schema>>,
  value: Readonly<Record<string, unknown>>,
  name: string,
): string {
  if (Object.hasOwn(properties, name) || !name.includes("_")) return name;
  const camel = name.replace(/_+([a-zA-Z0-9])/g, (_, letter: string) => letter.toUpperCase());
  return Object.hasOwn(properties, camel) && !Object.hasOwn(value, camel) ? camel : name;
}
