import type { JsonValue } from "@bufbuild/protobuf";

/**
 * The value of a text that is JSON, in a hundredth of the time that YAML's rules take (a bootstrap
 * of 500 services: 2 ms for 770). `undefined` for every other text, and where JSON would hide what
 * YAML's parser reports or does: a name that stands twice in an object, a merge key.
 */
export function parsePlainJson(text: string): JsonValue | undefined {
  if (text.includes('"<<"')) return undefined;
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
  // Each member has one colon outside of strings: fewer members than colons, and one was lost.
  return countMembers(value) === countColons(text) ? value : undefined;
}

function countMembers(value: JsonValue): number {
  if (typeof value !== "object" || value === null) return 0;
  const values = Array.isArray(value) ? value : Object.values(value);
  let count = Array.isArray(value) ? 0 : values.length;
  for (const each of values) count += countMembers(each);
  return count;
}

/** Colons outside of strings; the text is known to be JSON. */
function countColons(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 58) count++;
    else if (code === 34) at = endOfString(text, at);
  }
  return count;
}

/** Where the closing quote stands. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  for (let code = text.charCodeAt(at); code !== 34; code = text.charCodeAt(++at)) {
    if (code === 92) at++;
  }
  return at;
}
