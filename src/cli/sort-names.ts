import { isJsonObject } from "../config/json.ts";

/** A JSON value with the names of every object in order, as Go and so kubectl write them. */
export function sortNames(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortNames);
  if (!isJsonObject(value)) return value;
  const entries = Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(entries.map(([name, item]) => [name, sortNames(item)]));
}
