import type { MetadataValue } from "./match-request.ts";

/** A value as JSON; the keys of objects in the order of their bytes, as Envoy writes them. */
export function jsonText(value: MetadataValue): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(jsonText).join(",")}]`;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${jsonText(one)}`).join(",")}}`;
}
