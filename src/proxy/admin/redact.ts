import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/** Fields that hold what nobody may see, as Envoy's protos mark them (`udpa.annotations.sensitive`). */
const SENSITIVE: ReadonlySet<string> = new Set([
  "private_key",
  "password",
  "keys",
  "secret",
  "token",
]);

const REDACTED = "[redacted]";
const REDACTED_BYTES = Buffer.from(REDACTED).toString("base64");

/** A copy in which whatever a sensitive field says is replaced, as in Envoy's dump. */
export function redact(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(redact);
  if (!isObject(value)) return value;
  return mapValues(value, (one, key) =>
    SENSITIVE.has(snake(key)) && isSource(one) ? hide(one) : redact(one),
  );
}

/** A data source, or a list of them: other fields may have such a name too. */
function isSource(value: JsonValue): boolean {
  if (Array.isArray(value)) return value.some(isSource);
  if (!isObject(value)) return false;
  return ["inline_string", "inline_bytes"].some((key) =>
    Object.keys(value).map(snake).includes(key),
  );
}

function hide(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(hide);
  if (!isObject(value)) return value;
  return mapValues(value, (one, key) => {
    if (snake(key) === "inline_string") return REDACTED;
    return snake(key) === "inline_bytes" ? REDACTED_BYTES : one;
  });
}

function mapValues(value: JsonObject, map: (one: JsonValue, key: string) => JsonValue): JsonObject {
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, map(one, key)]));
}

/** A bootstrap may name fields in either way. */
function snake(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

export function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
