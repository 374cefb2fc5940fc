import type { Issue } from "../base/issue.ts";
import { isError } from "../base/issue.ts";
import { suggest } from "../base/suggest.ts";
import { FORMATS } from "./format.ts";
import type { JsonObject } from "./json.ts";
import { isJsonObject, isSameJson, jsonTypeOf, own, showJson } from "./json.ts";
import type { Schema } from "./schema.ts";

/** More problems than these help nobody; the rest is counted. */
const ISSUES_MAX = 100;

/** How to take what the schema does not know. */
export interface ValidateOptions {
  /** Kubernetes' `fieldValidation`: Strict (the default) is "error". */
  readonly unknownFields?: "error" | "warning" | "ignore";
  /** Whose API the schema describes, for fields that are known but not built. */
  readonly origin?: string;
}

/** Everything that is wrong with a value, each with its path as Kubernetes writes it. */
export function validateAgainst(
  schema: Schema,
  value: unknown,
  path = "",
  options: ValidateOptions = {},
): readonly Issue[] {
  const check = new Check(options);
  check.value(schema, value, path);
  if (check.issues.length <= ISSUES_MAX) return check.issues;
  const more = check.issues.length - ISSUES_MAX;
  return [...check.issues.slice(0, ISSUES_MAX), { path, message: `and ${more} more problems` }];
}

/** The path of a field of the object at `path`. */
export function fieldPath(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

class Check {
  readonly issues: Issue[] = [];
  readonly #options: ValidateOptions;

  constructor(options: ValidateOptions) {
    this.#options = options;
  }

  value(schema: Schema, value: unknown, path: string): void {
    if (schema["x-weft-not-built"] === true) return this.#notBuilt(path);
    if (value === null && schema.nullable === true) return;
    const before = this.issues.length;
    this.#type(schema, value, path);
    // What has the wrong type breaks every other rule too.
    if (this.issues.length > before) return;
    if (typeof value === "string") this.#text(schema, value, path);
    else if (typeof value === "number") this.#range(schema, value, path);
    else if (Array.isArray(value)) this.#list(schema, value, path);
    else if (isJsonObject(value)) this.#fields(schema, value, path);
    this.#choices(schema, value, path);
    this.#combined(schema, value, path);
    const why = schema["x-weft-no-effect"];
    const isSilent = schema["x-weft-built-values"] !== undefined && isBuilt(schema, value);
    if (why !== undefined && !isEmpty(value) && !isSilent) {
      this.#add(path, `has no effect: ${why}`, "warning");
    }
  }

  #add(path: string, message: string, severity?: "warning"): void {
    this.issues.push(severity === undefined ? { path, message } : { path, message, severity });
  }

  #notBuilt(path: string): void {
    const whose = this.#options.origin ?? "its API";
    this.#add(
      path,
      `is not supported yet: ${whose} knows this field, this version of weft does not`,
    );
  }

  #type(schema: Schema, value: unknown, path: string): void {
    if (schema["x-kubernetes-int-or-string"] === true) {
      if (typeof value === "string" || Number.isInteger(value)) return;
      return this.#add(path, `must be a whole number or text: got ${showJson(value)}`);
    }
    if (schema.type === undefined || hasType(schema.type, value)) return;
    // `version: 1` and `enabled: yes` are the usual ones.
    const isScalar = typeof value === "number" || typeof value === "boolean";
    const hint = schema.type === "string" && isScalar ? ", put it in quotes" : "";
    this.#add(path, `must be ${TYPE_NAMES[schema.type]}: got ${jsonTypeOf(value)}${hint}`);
  }

  #text(schema: Schema, value: string, path: string): void {
    const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern } = schema;
    if (value.length < minLength) {
      this.#add(path, minLength === 1 ? "must not be empty" : `must have ${minLength} characters`);
    } else if (value.length > maxLength) {
      this.#add(path, `must have at most ${maxLength} characters: got ${value.length}`);
    }
    if (pattern !== undefined && !matchesPattern(pattern, value)) {
      this.#add(path, `must match ${pattern}: got ${showJson(value)}`);
    }
    const format = schema.format === undefined ? undefined : own(FORMATS, schema.format);
    if (format !== undefined && !format.test(value)) {
      this.#add(path, `must be ${format.mustBe}: got ${showJson(value)}`);
    }
  }

  #range(schema: Schema, value: number, path: string): void {
    const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema;
    const isInt32 = schema.format !== "int32" || (value | 0) === value;
    if (value >= minimum && value <= maximum && isInt32) return;
    const low = schema.minimum ?? (schema.format === "int32" ? -2_147_483_648 : undefined);
    const high = schema.maximum ?? (schema.format === "int32" ? 2_147_483_647 : undefined);
    let bounds = `at least ${low}`;
    if (low === undefined) bounds = `at most ${high}`;
    else if (high !== undefined) bounds = `between ${low} and ${high}`;
    this.#add(path, `must be ${bounds}: got ${value}`);
  }

  #list(schema: Schema, value: readonly unknown[], path: string): void {
    const { minItems = 0, maxItems = Number.POSITIVE_INFINITY, items } = schema;
    if (value.length < minItems) {
      this.#add(path, minItems === 1 ? "must not be empty" : `must have ${minItems} entries`);
    } else if (value.length > maxItems) {
      this.#add(path, `must have at most ${maxItems} entries: got ${value.length}`);
    }
    if (items !== undefined) {
      for (const [at, item] of value.entries()) this.value(items, item, `${path}[${at}]`);
    }
    this.#duplicates(schema, value, path);
  }

  /** Two elements of a list map with the same keys, or the same element twice in a set. */
  #duplicates(schema: Schema, value: readonly unknown[], path: string): void {
    const type = schema["x-kubernetes-list-type"];
    if (type !== "map" && type !== "set") return;
    const keys = schema["x-kubernetes-list-map-keys"] ?? [];
    const seen = new Set<string>();
    for (const [at, item] of value.entries()) {
      const key = type === "set" ? item : keysOf(item, keys, schema.items);
      if (key === undefined) continue;
      const text = JSON.stringify(key);
      if (seen.has(text)) this.#add(`${path}[${at}]`, `duplicate of ${text}`);
      seen.add(text);
    }
  }

  #fields(schema: Schema, value: JsonObject, path: string): void {
    const { minProperties = 0, maxProperties = Number.POSITIVE_INFINITY } = schema;
    const size = Object.keys(value).length;
    if (size < minProperties) {
      this.#add(
        path,
        minProperties === 1 ? "must not be empty" : `must have ${minProperties} fields`,
      );
    } else if (size > maxProperties) {
      this.#add(path, `must have at most ${maxProperties} fields: got ${size}`);
    }
    for (const [name, item] of Object.entries(value)) {
      const field = own(schema.properties, name);
      if (field !== undefined) {
        // `null` is how Go writes a field that is not set.
        if (item !== null && item !== undefined) this.value(field, item, fieldPath(path, name));
      } else if (typeof schema.additionalProperties === "object") {
        this.value(schema.additionalProperties, item, `${path}[${name}]`);
      } else if (schema.additionalProperties !== true && schema.properties !== undefined) {
        if (schema["x-kubernetes-preserve-unknown-fields"] !== true) {
          this.#unknown(schema.properties, name, path);
        }
      }
    }
    for (const name of schema.required ?? []) {
      const item = own(value, name);
      if (item === undefined || item === null) this.#add(fieldPath(path, name), "is required");
    }
  }

  #unknown(properties: Readonly<Record<string, Schema>>, name: string, path: string): void {
    if (this.#options.unknownFields === "ignore") return;
    const meant = suggest(name, Object.keys(properties));
    const hint = meant === undefined ? "" : `, did you mean "${meant}"?`;
    const severity = this.#options.unknownFields === "warning" ? "warning" : undefined;
    this.#add(fieldPath(path, name), `unknown field "${name}"${hint}`, severity);
  }

  #choices(schema: Schema, value: unknown, path: string): void {
    const { enum: allowed } = schema;
    const built = schema["x-weft-built-values"] ?? [];
    if (allowed !== undefined && !allowed.some((one) => isSameJson(one, value))) {
      const texts = allowed.map((one) => (typeof one === "string" ? one : showJson(one)));
      const meant = typeof value === "string" ? suggest(value, texts) : undefined;
      const hint = meant === undefined ? "" : `, did you mean "${meant}"?`;
      this.#add(path, `must be one of ${texts.join(", ")}: got ${showJson(value)}${hint}`);
    } else if (schema["x-weft-no-effect"] === undefined && !isBuilt(schema, value)) {
      const whose = this.#options.origin ?? "its API";
      const texts = built.map(showJson).join(", ");
      this.#add(
        path,
        `${showJson(value)} is not supported yet: ${whose} knows this value, this version of weft only ${texts}`,
      );
    }
  }

  #combined(schema: Schema, value: unknown, path: string): void {
    if (schema.oneOf !== undefined) this.#oneOf(schema.oneOf, value, path);
    for (const part of schema.allOf ?? []) this.value(part, value, path);
    if (schema.anyOf !== undefined && !schema.anyOf.some((one) => this.#accepts(one, value))) {
      this.#add(path, `must be in one of the forms ${showJson(schema.anyOf)}`);
    }
    if (schema.not !== undefined && this.#accepts(schema.not, value)) {
      this.#add(path, `must not be in the form ${showJson(schema.not)}`);
    }
  }

  #oneOf(branches: readonly Schema[], value: unknown, path: string): void {
    const accepted = branches.filter((branch) => this.#accepts(branch, value));
    if (accepted.length === 1) return;
    const names = branches.flatMap((branch) => (branch.not === undefined ? branch.required : []));
    const known = names.filter((name) => name !== undefined);
    if (known.length === 0) {
      return this.#add(path, `must be in exactly one of the forms ${showJson(branches)}`);
    }
    const listed = known.map((name) => `"${name}"`).join(", ");
    if (accepted.length === 0) return this.#add(path, `must have exactly one of ${listed}`);
    const found = accepted.flatMap((branch) => branch.required ?? []).map((name) => `"${name}"`);
    this.#add(path, `may have only one of ${listed}: got ${found.join(" and ")}`);
  }

  #accepts(schema: Schema, value: unknown): boolean {
    const check = new Check(this.#options);
    check.value(schema, value, "");
    return !check.issues.some(isError);
  }
}

const TYPE_NAMES: Readonly<Record<NonNullable<Schema["type"]>, string>> = {
  object: "an object",
  array: "a list",
  string: "text",
  integer: "a whole number",
  number: "a number",
  boolean: "true or false",
};

function hasType(type: NonNullable<Schema["type"]>, value: unknown): boolean {
  switch (type) {
    case "object":
      return isJsonObject(value);
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    case "string":
    case "number":
    case "boolean":
      return typeof value === type;
  }
}

function isBuilt({ "x-weft-built-values": built }: Schema, value: unknown): boolean {
  return built === undefined || built.some((one) => isSameJson(one, value));
}

/** `{}` and `[]` say nothing. */
function isEmpty(value: unknown): boolean {
  return Array.isArray(value) ? value.length === 0 : isJsonObject(value) && isSameJson(value, {});
}

/** The values of a list map's keys; a key that is absent counts as its default. */
function keysOf(
  item: unknown,
  keys: readonly string[],
  items: Schema | undefined,
): readonly unknown[] | undefined {
  if (!isJsonObject(item)) return undefined;
  return keys.map((key) => own(item, key) ?? own(items?.properties, key)?.default ?? null);
}

const patterns = new Map<string, RegExp | undefined>();
const PATTERNS_MAX = 1000;

/** A pattern that JavaScript cannot read checks nothing; its CRD was refused before. */
function matchesPattern(pattern: string, value: string): boolean {
  if (!patterns.has(pattern)) {
    if (patterns.size >= PATTERNS_MAX) patterns.clear();
    patterns.set(pattern, compile(pattern));
  }
  return patterns.get(pattern)?.test(value) ?? true;
}

function compile(pattern: string): RegExp | undefined {
  try {
    return new RegExp(pattern, "u");
  } catch {
    return undefined;
  }
}
