import { isJsonObject, isSameJson, type JsonObject, own } from "../config/json.ts";
import type { Schema } from "../config/schema.ts";

/** What `apply` knows of one object. */
export interface ThreeWay {
  /** As it was applied last; what is in here and no longer in `wanted` goes. */
  readonly applied: unknown;
  /** As the file has it now. */
  readonly wanted: unknown;
  /** As the API has it; what others set, and the file never did, stays. */
  readonly live: unknown;
}

/**
 * The object that `apply` leaves behind. Lists whose schema names keys are merged entry by entry,
 * so that what the server added to one stays (a Service's node port); other lists are replaced.
 */
export function mergeApplied(schema: Schema | undefined, sides: ThreeWay): unknown {
  const { applied, wanted, live } = sides;
  if (isJsonObject(wanted) && isJsonObject(live)) {
    return mergeFields(schema, isJsonObject(applied) ? applied : {}, wanted, live);
  }
  if (Array.isArray(wanted) && Array.isArray(live)) {
    const keys = schema?.["x-kubernetes-list-map-keys"];
    if (schema?.["x-kubernetes-list-type"] === "map" && keys !== undefined) {
      return mergeEntries(schema, keys, Array.isArray(applied) ? applied : [], wanted, live);
    }
  }
  return wanted;
}

function mergeFields(
  schema: Schema | undefined,
  applied: JsonObject,
  wanted: JsonObject,
  live: JsonObject,
): JsonObject {
  const merged: Record<string, unknown> = { ...live };
  for (const name of Object.keys(applied)) {
    if (!Object.hasOwn(wanted, name)) delete merged[name];
  }
  for (const [name, value] of Object.entries(wanted)) {
    // `null` in a file takes a field away, whoever set it.
    if (value === null) {
      delete merged[name];
      continue;
    }
    const field = own(schema?.properties, name) ?? fieldOf(schema?.additionalProperties);
    merged[name] = mergeApplied(field, {
      applied: own(applied, name),
      wanted: value,
      live: own(live, name),
    });
  }
  return merged;
}

function fieldOf(additional: Schema | boolean | undefined): Schema | undefined {
  return typeof additional === "object" ? additional : undefined;
}

function mergeEntries(
  schema: Schema,
  keys: readonly string[],
  applied: readonly unknown[],
  wanted: readonly unknown[],
  live: readonly unknown[],
): readonly unknown[] {
  const keyOf = (entry: unknown): readonly unknown[] =>
    keys.map((key) => {
      const value = isJsonObject(entry) ? own(entry, key) : undefined;
      return value ?? own(schema.items?.properties, key)?.default ?? null;
    });
  const find = (entries: readonly unknown[], entry: unknown): unknown =>
    entries.find((other) => isSameJson(keyOf(other), keyOf(entry)));
  const merged = wanted.map((entry) =>
    mergeApplied(schema.items, {
      applied: find(applied, entry),
      wanted: entry,
      live: find(live, entry),
    }),
  );
  const others = live.filter(
    (entry) => find(wanted, entry) === undefined && find(applied, entry) === undefined,
  );
  return [...merged, ...others];
}
