import { isJsonObject, isSameJson, type JsonObject } from "../config/json.ts";
import type { StatusChange } from "./source.ts";

/**
 * The `status` of an object with a change put in, or `undefined` when it stands there already.
 * Conditions of other types, and other fields, stay as they are; a condition's time moves only when
 * its status does, as Kubernetes' conventions have it.
 */
export function mergeStatus(
  status: JsonObject,
  { conditions, validationMessages, observedGeneration }: StatusChange,
  time: string,
): JsonObject | undefined {
  const { validationMessages: _messages, conditions: before = [], ...rest } = status;
  const earlier = (Array.isArray(before) ? before : []).filter(isJsonObject);
  const types = new Set(conditions.map(({ type }) => type));
  const merged = conditions.map((condition): JsonObject => {
    const old = earlier.find(({ type }) => type === condition.type);
    const since = old?.["status"] === condition.status ? old["lastTransitionTime"] : undefined;
    return {
      ...condition,
      lastTransitionTime: since ?? time,
      ...(observedGeneration !== undefined && { observedGeneration }),
    };
  });
  const next: JsonObject = {
    ...rest,
    conditions: [...earlier.filter(({ type }) => !types.has(String(type))), ...merged],
    ...(validationMessages.length > 0 && {
      validationMessages: validationMessages.map((message) => ({ ...message })),
    }),
    ...(observedGeneration !== undefined && { observedGeneration }),
  };
  return isSameJson(next, status) ? undefined : next;
}
