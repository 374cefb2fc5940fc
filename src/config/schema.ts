/** A JSON value, as an object of the API is made of. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [name: string]: Json };

/**
 * An OpenAPI v3 structural schema as Kubernetes writes it in a CRD: plain data, so that the kinds
 * written here and those that users bring are checked by the same code. The `x-weft-*` extensions
 * say what this version does with a field that its API knows.
 */
export interface Schema {
  readonly type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly enum?: readonly Json[];
  readonly pattern?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly nullable?: boolean;
  readonly default?: Json;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly not?: Schema;
  readonly "x-kubernetes-int-or-string"?: boolean;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
  readonly "x-kubernetes-list-type"?: "atomic" | "set" | "map";
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  /** Known to the API it comes from, not built here: using it is refused by its name. */
  readonly "x-weft-not-built"?: boolean;
  /** Of what the API allows, the values that are built; any other is refused as not built yet. */
  readonly "x-weft-built-values"?: readonly Json[];
  /** Accepted with a warning that says why it changes nothing here, but for the built values. */
  readonly "x-weft-no-effect"?: string;
}

declare const VALUE: unique symbol;

/** A schema that carries the TypeScript type of the values it accepts. */
export type Typed<T> = Schema & { readonly [VALUE]?: T };

/** The type of the values that a schema accepts. */
export type Infer<S> = S extends { readonly [VALUE]?: infer T } ? Exclude<T, undefined> : never;

/** A field that must be there; see `required`. */
export interface RequiredField<S> {
  readonly required: S;
}

type Field = Schema | RequiredField<Schema>;
type Fields = Readonly<Record<string, Field>>;

type RequiredNames<F> = {
  [K in keyof F]: F[K] extends RequiredField<Typed<unknown>> ? K : never;
}[keyof F];
type Flat<T> = { readonly [K in keyof T]: T[K] };

/** The object type that a table of fields describes. */
export type InferFields<F extends Fields> = Flat<
  {
    readonly [K in RequiredNames<F>]: F[K] extends RequiredField<infer S> ? Infer<S> : never;
  } & {
    readonly [K in Exclude<keyof F, RequiredNames<F>>]?: F[K] extends Schema ? Infer<F[K]> : never;
  }
>;

/** Everything a schema may say besides its type. */
export type Facets = Omit<Schema, "type" | "properties" | "required" | "items">;

/** Text; with an `enum`, exactly those words. */
export function string<const E extends string = string>(
  facets: Facets & { readonly enum?: readonly E[] } = {},
): Typed<E> {
  return { type: "string", ...facets };
}

/** A whole number of 32 bits, unless the facets say otherwise. */
export function integer(facets: Facets = {}): Typed<number> {
  return { type: "integer", format: "int32", ...facets };
}

export function boolean(facets: Facets = {}): Typed<boolean> {
  return { type: "boolean", ...facets };
}

/** A TCP or UDP port number, 1 to 65535. */
export function port(facets: Facets = {}): Typed<number> {
  return integer({ minimum: 1, maximum: 65_535, ...facets });
}

/** A whole number from 0 to 2^32 - 1, as protobuf's `uint32`. */
export function uint32(facets: Facets = {}): Typed<number> {
  return { type: "integer", format: "int64", minimum: 0, maximum: 4_294_967_295, ...facets };
}

/** Any number, as protobuf's `double`. */
export function number(facets: Facets = {}): Typed<number> {
  return { type: "number", format: "double", ...facets };
}

/** A port's number or name, a count or a percentage. */
export function intOrString(facets: Facets = {}): Typed<number | string> {
  return { "x-kubernetes-int-or-string": true, ...facets };
}

/** A duration as Go and protobuf's JSON write it: `1.5s`, `250ms`. */
export function duration(facets: Facets = {}): Typed<string> {
  return { type: "string", format: "duration", ...facets };
}

/** A duration of at least a millisecond. */
export function positiveDuration(facets: Facets = {}): Typed<string> {
  return { type: "string", format: "positive-duration", ...facets };
}

/** A moment as RFC 3339 text. */
export function dateTime(facets: Facets = {}): Typed<string> {
  return { type: "string", format: "date-time", ...facets };
}

/** A list that is replaced as a whole by a patch. */
export function array<S extends Schema>(items: S, facets: Facets = {}): Typed<readonly Infer<S>[]> {
  return { type: "array", items, ...facets };
}

/** A list whose elements are known by the named fields: duplicates are refused, patches merge. */
export function listMap<S extends Schema>(
  keys: readonly string[],
  items: S,
  facets: Facets = {},
): Typed<readonly Infer<S>[]> {
  return {
    type: "array",
    items,
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": keys,
    ...facets,
  };
}

/** Names that the author chooses, all with the same kind of value. */
export function map<S extends Schema>(
  values: S,
  facets: Facets = {},
): Typed<Readonly<Record<string, Infer<S>>>> {
  return { type: "object", additionalProperties: values, ...facets };
}

/** Fields by name; those wrapped in `required` must be there, any other name is refused. */
export function object<const F extends Fields>(
  fields: F,
  facets: Facets = {},
): Typed<InferFields<F>> {
  const properties: Record<string, Schema> = {};
  const names: string[] = [];
  for (const [name, field] of Object.entries(fields)) {
    if (isRequired(field)) {
      properties[name] = field.required;
      names.push(name);
    } else {
      properties[name] = field;
    }
  }
  return {
    type: "object",
    properties,
    ...(names.length > 0 ? { required: names } : {}),
    ...facets,
  };
}

/** Marks a field of `object` that must be there. */
export function required<S extends Schema>(schema: S): RequiredField<S> {
  return { required: schema };
}

/** Any value whatever; what it means is nobody's business here. */
export function anything(facets: Facets = {}): Typed<Json> {
  return { "x-kubernetes-preserve-unknown-fields": true, ...facets };
}

/**
 * A field that its API knows and this version does not build: refused by its name as soon as it is
 * used, so that nothing is accepted and then ignored.
 */
export function notBuilt(description?: string): Typed<never> {
  return {
    "x-kubernetes-preserve-unknown-fields": true,
    "x-weft-not-built": true,
    ...(description === undefined ? {} : { description }),
  };
}

/** Narrows a schema to the values that are built; the others are known and refused by name. */
export function builtFor<T extends Json, const V extends T>(
  schema: Typed<T>,
  values: readonly V[],
): Typed<V> {
  const narrowed: Schema = { ...schema, "x-weft-built-values": values };
  return narrowed as Typed<V>;
}

/**
 * Accepts a field with a warning that it changes nothing here, and why; silently where it says what
 * happens anyway.
 */
export function noEffect<S extends Schema>(
  schema: S,
  why: string,
  silent: readonly Json[] = [],
): S {
  const values = silent.length === 0 ? {} : { "x-weft-built-values": silent };
  return { ...schema, ...values, "x-weft-no-effect": why };
}

/** Exactly one of the fields must be there, as a protobuf `oneof` that must be set. */
export function exactlyOne(...names: readonly string[]): Facets {
  return { oneOf: names.map((name) => ({ required: [name] })) };
}

/** At most one of the fields may be there. */
export function atMostOne(...names: readonly string[]): Facets {
  const each = names.map((name) => ({ required: [name] }));
  return { oneOf: [{ not: { anyOf: each } }, ...each] };
}

function isRequired(field: Field): field is RequiredField<Schema> {
  return "required" in field && !Array.isArray(field.required);
}
