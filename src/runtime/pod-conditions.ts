import type { Pod } from "../config/pod.ts";

/** Whether the pod's `Ready` condition holds; one that is to stop counts as it says itself. */
export function isPodReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(isReadyCondition) === true;
}

/** Whether the pod runs or may still: not finished, and not on its way out. */
export function isPodActive(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp === undefined && !isPodFinished(pod);
}

/** Whether all of the pod's containers ended for good. */
export function isPodFinished(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}

/** Since when the pod is ready, in milliseconds since the epoch; infinitely late when it is not. */
export function readySinceMs(pod: Pod): number {
  const time = pod.status?.conditions?.find(isReadyCondition)?.lastTransitionTime;
  return time === undefined ? Number.POSITIVE_INFINITY : Date.parse(time);
}

function isReadyCondition({ type, status }: { type: string; status: string }): boolean {
  return type === "Ready" && status === "True";
}
