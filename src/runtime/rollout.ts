import type { Deployment } from "../config/deployment.ts";
import type { ReplicaSet } from "../config/replica-set.ts";

const SHARE_DEFAULT = "25%";

/** How many pods each version is to have next; only old versions that change are named. */
export interface RolloutStep {
  readonly newReplicas: number;
  readonly oldReplicas: ReadonlyMap<ReplicaSet, number>;
}

/**
 * One step from the old versions to the new one, as Kubernetes' deployment controller takes it:
 * never more than `maxSurge` pods too many, never more than `maxUnavailable` too few that work.
 */
export function rolloutStep(
  { spec }: Deployment,
  newSet: ReplicaSet | undefined,
  oldSets: readonly ReplicaSet[],
): RolloutStep {
  const replicas = spec.replicas ?? 1;
  const before = newSet?.spec.replicas ?? 0;
  const oldTotal = sum(oldSets, (set) => set.spec.replicas ?? 0);
  if (spec.strategy?.type === "Recreate") {
    const oldReplicas = new Map(oldSets.filter(hasReplicas).map((set) => [set, 0] as const));
    const isClear = sum(oldSets, (set) => set.status?.replicas ?? 0) === 0 && oldTotal === 0;
    return { newReplicas: isClear ? replicas : before, oldReplicas };
  }
  // Paused: the number of pods still follows, the versions stay.
  if (spec.paused === true) {
    return { newReplicas: newSet === undefined ? 0 : replicas - oldTotal, oldReplicas: new Map() };
  }
  const { maxSurge, maxUnavailable } = bounds(spec, replicas);
  const room = replicas + maxSurge - oldTotal - before;
  const newReplicas =
    before >= replicas ? replicas : Math.min(replicas, before + Math.max(0, room));
  // The pods that the new version was just given are not there yet, so `before` counts.
  const newUnavailable = Math.max(0, before - (newSet?.status?.availableReplicas ?? 0));
  const surplus = oldTotal + before - (replicas - maxUnavailable) - newUnavailable;
  return { newReplicas, oldReplicas: shrink(oldSets, surplus, replicas - maxUnavailable, newSet) };
}

/** Takes pods that do not work from the old versions first, then as many as may be missed. */
function shrink(
  oldSets: readonly ReplicaSet[],
  surplus: number,
  availableMin: number,
  newSet: ReplicaSet | undefined,
): Map<ReplicaSet, number> {
  const next = new Map<ReplicaSet, number>();
  let budget = Math.max(0, surplus);
  for (const set of oldSets.filter(hasReplicas)) {
    const current = set.spec.replicas ?? 0;
    const broken = Math.min(budget, Math.max(0, current - (set.status?.availableReplicas ?? 0)));
    if (broken > 0) next.set(set, current - broken);
    budget -= broken;
  }
  const available =
    sum(oldSets, (set) => set.status?.availableReplicas ?? 0) +
    (newSet?.status?.availableReplicas ?? 0);
  budget = Math.min(budget, Math.max(0, available - availableMin));
  for (const set of oldSets.filter(hasReplicas)) {
    const current = next.get(set) ?? set.spec.replicas ?? 0;
    const fewer = Math.min(budget, current);
    if (fewer > 0) next.set(set, current - fewer);
    budget -= fewer;
  }
  return next;
}

function bounds(
  { strategy }: Deployment["spec"],
  replicas: number,
): { readonly maxSurge: number; readonly maxUnavailable: number } {
  const { maxSurge = SHARE_DEFAULT, maxUnavailable = SHARE_DEFAULT } =
    strategy?.rollingUpdate ?? {};
  const surge = share(maxSurge, replicas, Math.ceil);
  const unavailable = share(maxUnavailable, replicas, Math.floor);
  // Both 0 could never move.
  return { maxSurge: surge, maxUnavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

/** A number of pods, or a percentage of all. */
function share(value: number | string, replicas: number, round: (value: number) => number): number {
  if (typeof value === "number") return value;
  const percent = /^(\d+)%$/.exec(value);
  return percent === null ? Number(value) || 0 : round((Number(percent[1]) * replicas) / 100);
}

function hasReplicas(set: ReplicaSet): boolean {
  return (set.spec.replicas ?? 0) > 0;
}

function sum(sets: readonly ReplicaSet[], value: (set: ReplicaSet) => number): number {
  return sets.reduce((total, set) => total + value(set), 0);
}
