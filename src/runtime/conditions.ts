import type { Condition } from "../config/condition.ts";

/**
 * The conditions with one set: its time of transition moves only when its status does, so that
 * writing the same condition again changes nothing.
 */
export function setCondition(
  conditions: readonly Condition[],
  condition: Omit<Condition, "lastTransitionTime">,
  nowMs: number,
): readonly Condition[] {
  const index = conditions.findIndex(({ type }) => type === condition.type);
  const before = conditions[index];
  const time = before?.status === condition.status ? before.lastTransitionTime : undefined;
  const next = { ...condition, lastTransitionTime: time ?? formatTime(nowMs) };
  return before === undefined ? [...conditions, next] : conditions.with(index, next);
}

/** A moment as Kubernetes writes it: RFC 3339 in whole seconds. */
export function formatTime(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
}
