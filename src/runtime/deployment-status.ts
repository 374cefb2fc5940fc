import type { Condition } from "../config/condition.ts";
import type { Deployment } from "../config/deployment.ts";
import type { ReplicaSet } from "../config/replica-set.ts";
import { setCondition } from "./conditions.ts";

const DEADLINE_SECONDS_DEFAULT = 600;

/** What a Deployment's status is to say, and in how many milliseconds it may change by itself. */
export interface DeploymentStatusResult {
  readonly status: unknown;
  readonly nextMs?: number;
}

/** Sums up a deployment's versions, with the conditions that `kubectl rollout status` reads. */
export function deploymentStatus(
  deployment: Deployment,
  sets: readonly ReplicaSet[],
  hash: string,
  nowMs: number,
): DeploymentStatusResult {
  const newSet = sets.find((set) => set.metadata.labels?.["pod-template-hash"] === hash);
  const wanted = deployment.spec.replicas ?? 1;
  const total = (field: "replicas" | "readyReplicas" | "availableReplicas"): number =>
    sets.reduce((sum, set) => sum + (set.status?.[field] ?? 0), 0);
  const counts = {
    replicas: total("replicas"),
    updatedReplicas: newSet?.status?.replicas ?? 0,
    readyReplicas: total("readyReplicas"),
    availableReplicas: total("availableReplicas"),
    unavailableReplicas: Math.max(0, wanted - total("availableReplicas")),
  };
  const before = deployment.status?.conditions ?? [];
  const { condition: progressing, nextMs } = progress(deployment, newSet, counts, nowMs);
  const isAvailable = counts.availableReplicas >= wanted - unavailableMax(deployment, wanted);
  const conditions = [availability(isAvailable), progressing].reduce<readonly Condition[]>(
    (list, condition) => stamp(setCondition(list, condition, nowMs), before, condition.type, nowMs),
    before,
  );
  return {
    status: {
      observedGeneration: deployment.metadata.generation ?? 1,
      // Kubernetes leaves zeros out.
      ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)),
      conditions,
    },
    ...(nextMs === undefined ? {} : { nextMs }),
  };
}

function availability(isAvailable: boolean): Condition {
  return isAvailable
    ? {
        type: "Available",
        status: "True",
        reason: "MinimumReplicasAvailable",
        message: "Deployment has minimum availability.",
      }
    : {
        type: "Available",
        status: "False",
        reason: "MinimumReplicasUnavailable",
        message: "Deployment does not have minimum availability.",
      };
}

function progress(
  deployment: Deployment,
  newSet: ReplicaSet | undefined,
  counts: {
    readonly replicas: number;
    readonly updatedReplicas: number;
    readonly availableReplicas: number;
  },
  nowMs: number,
): { readonly condition: Condition; readonly nextMs?: number } {
  const wanted = deployment.spec.replicas ?? 1;
  const type = "Progressing";
  const name = newSet?.metadata.name ?? deployment.metadata.name;
  const isDone =
    counts.updatedReplicas === wanted &&
    counts.replicas === wanted &&
    counts.availableReplicas === wanted;
  if (isDone) {
    const message = `ReplicaSet "${name}" has successfully progressed.`;
    return { condition: { type, status: "True", reason: "NewReplicaSetAvailable", message } };
  }
  const before = deployment.status?.conditions?.find((condition) => condition.type === type);
  const message = `ReplicaSet "${name}" is progressing.`;
  const deadlineMs = (deployment.spec.progressDeadlineSeconds ?? DEADLINE_SECONDS_DEFAULT) * 1000;
  const isUnderWay = before?.message === message && before.lastUpdateTime !== undefined;
  const sinceMs = isUnderWay ? nowMs - Date.parse(before.lastUpdateTime) : 0;
  const lateMessage = `ReplicaSet "${name}" has timed out progressing.`;
  const isLate = sinceMs >= deadlineMs || before?.message === lateMessage;
  if (isLate) {
    const reason = "ProgressDeadlineExceeded";
    return { condition: { type, status: "False", reason, message: lateMessage } };
  }
  return {
    condition: { type, status: "True", reason: "ReplicaSetUpdated", message },
    nextMs: deadlineMs - sinceMs,
  };
}

/** `lastUpdateTime` moves whenever the condition says something else. */
function stamp(
  conditions: readonly Condition[],
  before: readonly Condition[],
  type: string,
  nowMs: number,
): readonly Condition[] {
  const old = before.find((condition) => condition.type === type);
  return conditions.map((condition) => {
    if (condition.type !== type) return condition;
    const isSame = old?.reason === condition.reason && old?.message === condition.message;
    const time = isSame ? old?.lastUpdateTime : undefined;
    return {
      ...condition,
      lastUpdateTime: time ?? `${new Date(nowMs).toISOString().slice(0, 19)}Z`,
    };
  });
}

function unavailableMax(deployment: Deployment, wanted: number): number {
  const { strategy } = deployment.spec;
  if (strategy?.type === "Recreate") return 0;
  const value = strategy?.rollingUpdate?.maxUnavailable ?? "25%";
  if (typeof value === "number") return value;
  return Math.floor((Number.parseInt(value, 10) * wanted) / 100);
}
