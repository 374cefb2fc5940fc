import { isJsonObject, own } from "./json.ts";
import type { Schema } from "./schema.ts";

/** What to take away and what to put in. */
export interface NormalizeOptions {
  /** Drop fields that the schema does not know; only when the author asked for that. */
  readonly isPruning?: boolean;
}

/**
 * A value as the API keeps it: fields that are `null` are left out, those with a default filled in.
 * Returns the same value where there was nothing to do, and never changes the one it was given.
 */
export function normalize(schema: Schema, value: unknown, options: NormalizeOptions = {}): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return value;
    const list = value.map((item) => normalize(items, item, options));
    return list.every((item, at) => item === value[at]) ? value : list;
  }
  if (!isJsonObject(value)) return value;
  if (schema.properties === undefined && typeof schema.additionalProperties !== "object") {
    return value;
  }
  const fields: [string, unknown][] = [];
  let isChanged = false;
  for (const [name, item] of Object.entries(value)) {
    const kept = normalizeField(schema, name, item, options);
    if (kept !== undefined) fields.push([name, kept]);
    if (kept !== item) isChanged = true;
  }
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    if (field.default === undefined || (own(value, name) ?? undefined) !== undefined) continue;
    fields.push([name, field.default]);
    isChanged = true;
  }
  // Not by assignment: "__proto__" is a name like any other in JSON.
  return isChanged ? Object.fromEntries(fields) : value;
}

function normalizeField(
  schema: Schema,
  name: string,
  item: unknown,
  options: NormalizeOptions,
): unknown {
  const field = own(schema.properties, name);
  if (field !== undefined) {
    if (item === null && field.nullable !== true) return undefined;
    return normalize(field, item, options);
  }
  if (typeof schema.additionalProperties === "object") {
    return normalize(schema.additionalProperties, item, options);
  }
  const isKnown =
    schema.additionalProperties === true || schema["x-kubernetes-preserve-unknown-fields"] === true;
  return options.isPruning === true && !isKnown ? undefined : item;
}
