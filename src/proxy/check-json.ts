import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonValue,
  type Registry,
} from "@bufbuild/protobuf";
import type { Issue } from "../base/issue.ts";
import { suggest } from "../base/suggest.ts";
import { joinPath } from "../match/refuse-fields.ts";

/** Messages whose JSON form is not that of their fields. */
const SPECIAL = /^google\.protobuf\.(?!Any$)/;

/**
 * Says which keys of a JSON value are no fields of its message, which `@type`s are unknown and
 * which values are of the wrong kind, with their paths: the decoder of the protobuf runtime names
 * only the innermost message.
 */
export function checkJson(
  schema: DescMessage,
  json: unknown,
  registry: Registry,
  path: string,
): Issue[] {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return [];
  if (schema.typeName === "google.protobuf.Any") return checkAny(json, registry, path);
  if (SPECIAL.test(schema.typeName)) return [];
  return checkFields(schema, Object.entries(json), registry, path);
}

function checkAny(json: object, registry: Registry, path: string): Issue[] {
  const { "@type": typeUrl, ...rest } = json as { "@type"?: unknown };
  if (typeof typeUrl !== "string") return [{ path, message: 'has no "@type"' }];
  const schema = registry.getMessage(typeUrl.replace(/^.*\//, ""));
  if (schema === undefined) {
    const message = `could not find @type '${typeUrl}': it is unknown or not supported yet`;
    return [{ path, message }];
  }
  return checkFields(schema, Object.entries(rest), registry, path);
}

function checkFields(
  schema: DescMessage,
  entries: readonly (readonly [string, unknown])[],
  registry: Registry,
  path: string,
): Issue[] {
  return entries.flatMap(([key, value]) => {
    const field = schema.fields.find(({ name, jsonName }) => key === name || key === jsonName);
    const fieldPath = joinPath(path, key);
    if (field !== undefined) {
      const isLeaf = field.message === undefined || SPECIAL.test(field.message.typeName);
      return isLeaf
        ? checkLeaf(schema, key, value, fieldPath)
        : checkField(field, value, registry, fieldPath);
    }
    const meant = suggest(
      key,
      schema.fields.map(({ name }) => name),
    );
    const hint = meant === undefined ? "" : `, did you mean "${meant}"?`;
    return [{ path: fieldPath, message: `no such field in ${schema.typeName}${hint}` }];
  });
}

/** Decodes a field by itself. */
function checkLeaf(schema: DescMessage, key: string, value: unknown, path: string): Issue[] {
  try {
    fromJson(schema, { [key]: value as JsonValue });
    return [];
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return [{ path, message: `cannot be ${JSON.stringify(value)}: ${cause}` }];
  }
}

function checkField(field: DescField, value: unknown, registry: Registry, path: string): Issue[] {
  if (field.message === undefined) return [];
  const { message } = field;
  if (field.fieldKind === "list" && Array.isArray(value)) {
    return value.flatMap((item, at) => checkJson(message, item, registry, `${path}[${at}]`));
  }
  if (field.fieldKind === "map" && typeof value === "object" && value !== null) {
    return Object.entries(value).flatMap(([key, item]) =>
      checkJson(message, item, registry, `${path}["${key}"]`),
    );
  }
  if (typeof value !== "object") {
    return [{ path, message: `cannot be ${JSON.stringify(value)}: is no mapping or list` }];
  }
  return checkJson(message, value, registry, path);
}
