import type { Schema } from "../src/config/schema.ts";

/** One field of a kind, as the table of fields lists it. */
export interface Field {
  /** `spec.http[].match[].headers{}.exact`: `[]` is each entry of a list, `{}` each value of a map. */
  readonly path: string;
  /** In the words of an author: `list of text`, `duration`, `A, B or C`. */
  readonly type: string;
  readonly schema: Schema;
  /** The schema of it, or of what it is below, that says what is made of it: nothing. */
  readonly marked?: Schema;
  /** The path that has the same fields below it; they are listed there. */
  readonly same?: string;
}

/** With fewer fields below them, objects that recur are listed each time. */
const RECURRING_FIELDS_MIN = 4;

/** Every object field and every leaf below a schema, in the order of the definitions. */
export function listFields(schema: Schema, root: string): readonly Field[] {
  const fields: Field[] = [];
  const seen = new Map<Schema, string>();
  addFields(schema, root, seen, fields, undefined);
  return fields;
}

function addFields(
  schema: Schema,
  path: string,
  seen: Map<Schema, string>,
  fields: Field[],
  above: Schema | undefined,
): void {
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const where = path === "" ? name : `${path}.${name}`;
    const [inner, suffix] = unwrap(field);
    const same = seen.get(inner);
    const marked = isMarked(field) ? field : above;
    fields.push({
      path: where,
      type: typeOf(field),
      schema: field,
      ...(same === undefined ? {} : { same }),
      ...(marked === undefined ? {} : { marked }),
    });
    if (same !== undefined) continue;
    if (countFields(inner) >= RECURRING_FIELDS_MIN) seen.set(inner, `${where}${suffix}`);
    addFields(inner, `${where}${suffix}`, seen, fields, marked);
  }
}

function isMarked(schema: Schema): boolean {
  return schema["x-weft-not-built"] === true || schema["x-weft-no-effect"] !== undefined;
}

/** What lists and maps are made of, and how a path shows that. */
function unwrap(schema: Schema): readonly [Schema, string] {
  if (schema.items !== undefined) {
    const [inner, suffix] = unwrap(schema.items);
    return [inner, `[]${suffix}`];
  }
  if (typeof schema.additionalProperties === "object") {
    const [inner, suffix] = unwrap(schema.additionalProperties);
    return [inner, `{}${suffix}`];
  }
  return [schema, ""];
}

function countFields(schema: Schema): number {
  const fields = Object.values(schema.properties ?? {});
  return fields.reduce((sum, field) => sum + 1 + countFields(unwrap(field)[0]), 0);
}

function typeOf(schema: Schema): string {
  if (schema.items !== undefined) return `list of ${typeOf(schema.items)}`;
  if (typeof schema.additionalProperties === "object") {
    return `map of ${typeOf(schema.additionalProperties)}`;
  }
  if (schema.enum !== undefined) return schema.enum.map(String).join(", ");
  if (schema["x-kubernetes-int-or-string"] === true) return "number or text";
  switch (schema.type) {
    case "string":
      return schema.format?.endsWith("duration") === true ? "duration" : "text";
    case "object":
      return "object";
    case "integer":
    case "number":
      return "number";
    case "boolean":
      return "true, false";
    case "array":
      return "list";
    case undefined:
    default:
      return "any";
  }
}
