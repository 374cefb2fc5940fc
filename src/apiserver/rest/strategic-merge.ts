import type { JsonObject } from "../../config/json.ts";
import { isJsonObject, isSameJson, own } from "../../config/json.ts";
import type { Schema } from "../../config/schema.ts";

const ORDER = "$setElementOrder/";
const DELETE_PRIMITIVES = "$deleteFromPrimitiveList/";

/**
 * Kubernetes' strategic merge patch: like a merge patch, but list maps merge element by element (by
 * the first of their keys, as Kubernetes does) and sets add up. Directives: `$patch: delete|replace`,
 * `$retainKeys`, `$deleteFromPrimitiveList/…`, `$setElementOrder/…`.
 */
export function strategicMergePatch(
  target: unknown,
  patch: unknown,
  schema: Schema | undefined,
): unknown {
  if (!isJsonObject(patch)) return patch;
  const directive = own(patch, "$patch");
  if (directive === "delete") return undefined;
  const isReplace = directive === "replace";
  const result = new Map(Object.entries(isReplace || !isJsonObject(target) ? {} : target));
  const retained = own(patch, "$retainKeys");
  if (Array.isArray(retained)) {
    for (const name of result.keys()) if (!retained.includes(name)) result.delete(name);
  }
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith(DELETE_PRIMITIVES)) deletePrimitives(result, name, value);
    if (name.startsWith("$")) continue;
    const field = fieldSchema(schema, name);
    const merged = value === null ? undefined : mergeValue(result.get(name), value, field);
    if (merged === undefined) result.delete(name);
    else result.set(name, merged);
  }
  for (const [name, order] of Object.entries(patch)) {
    if (!name.startsWith(ORDER) || !Array.isArray(order)) continue;
    const field = name.slice(ORDER.length);
    const list = result.get(field);
    if (Array.isArray(list)) {
      result.set(field, inOrder(list, order, mergeKey(fieldSchema(schema, field))));
    }
  }
  return Object.fromEntries(result);
}

function mergeValue(target: unknown, value: unknown, schema: Schema | undefined): unknown {
  if (!Array.isArray(value)) return strategicMergePatch(target, value, schema);
  const old: readonly unknown[] = Array.isArray(target) ? target : [];
  if (schema?.["x-kubernetes-list-type"] === "set") {
    return [...old, ...value.filter((one) => !old.some((other) => isSameJson(one, other)))];
  }
  const key = mergeKey(schema);
  return key === undefined ? value : mergeList(old, value, key, schema?.items);
}

function mergeList(
  target: readonly unknown[],
  patch: readonly unknown[],
  key: string,
  items: Schema | undefined,
): readonly unknown[] {
  const isReplace = patch.some((one) => isJsonObject(one) && own(one, "$patch") === "replace");
  let list = isReplace ? [] : [...target];
  for (const element of patch) {
    if (!isJsonObject(element)) continue;
    const { $patch: directive, ...rest } = element;
    if (directive === "replace") continue;
    const at = list.findIndex((one) => keyOf(one, key) === keyOf(element, key));
    if (directive === "delete") {
      list = list.filter((one) => keyOf(one, key) !== keyOf(element, key));
    } else if (at === -1) {
      list.push(strategicMergePatch({}, rest, items));
    } else {
      list[at] = strategicMergePatch(list[at], rest, items);
    }
  }
  return list;
}

/** What the order names comes in that order; what it does not name keeps its place behind it. */
function inOrder(
  list: readonly unknown[],
  order: readonly unknown[],
  key: string | undefined,
): readonly unknown[] {
  const positionOf = (one: unknown): number => {
    const at = order.findIndex((wanted) =>
      key === undefined ? isSameJson(wanted, one) : keyOf(wanted, key) === keyOf(one, key),
    );
    return at === -1 ? order.length : at;
  };
  return list.toSorted((left, right) => positionOf(left) - positionOf(right));
}

function deletePrimitives(result: Map<string, unknown>, name: string, gone: unknown): void {
  const field = name.slice(DELETE_PRIMITIVES.length);
  const list = result.get(field);
  if (!Array.isArray(list) || !Array.isArray(gone)) return;
  result.set(
    field,
    list.filter((one) => !gone.some((other) => isSameJson(one, other))),
  );
}

function fieldSchema(schema: Schema | undefined, name: string): Schema | undefined {
  const { properties, additionalProperties } = schema ?? {};
  const values = typeof additionalProperties === "object" ? additionalProperties : undefined;
  return own(properties, name) ?? values;
}

function mergeKey(schema: Schema | undefined): string | undefined {
  if (schema?.["x-kubernetes-list-type"] !== "map") return undefined;
  return schema["x-kubernetes-list-map-keys"]?.[0];
}

function keyOf(element: unknown, key: string): unknown {
  return isJsonObject(element) ? own(element as JsonObject, key) : undefined;
}
