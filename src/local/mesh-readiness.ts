import type { Deployment } from "../config/deployment.ts";
import type { ContainerStatus, Pod } from "../config/pod.ts";

/** How far the pods of a mesh are. */
export interface PodReadiness {
  readonly ready: number;
  /** As many as the deployments ask for, and those without one. */
  readonly wanted: number;
  /** `namespace/name` of those that are ready. */
  readonly readyPods: readonly string[];
  /** `namespace/name: why` of the others. */
  readonly waiting: readonly string[];
}

/** Counts the pods that work, and says of the others why not. */
export function summarisePods(
  deployments: readonly Deployment[],
  allPods: readonly Pod[],
): PodReadiness {
  const pods = allPods.filter(
    ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined && status?.phase !== "Succeeded",
  );
  const single = pods.filter(({ metadata }) => (metadata.ownerReferences ?? []).length === 0);
  const wanted = deployments.reduce((sum, { spec }) => sum + (spec.replicas ?? 1), single.length);
  const readyPods = pods.filter(isReady).map(nameOf);
  return {
    ready: readyPods.length,
    wanted,
    readyPods,
    waiting: pods.filter((pod) => !isReady(pod)).map((pod) => `${nameOf(pod)}: ${whyWaiting(pod)}`),
  };
}

function isReady({ status }: Pod): boolean {
  return status?.conditions?.some((one) => one.type === "Ready" && one.status === "True") === true;
}

function nameOf({ metadata }: Pod): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}

function whyWaiting({ status }: Pod): string {
  for (const container of status?.containerStatuses ?? []) {
    const { name, state, ready } = container;
    const waiting = state?.waiting ?? state?.terminated;
    const isTelling = waiting !== undefined && waiting.reason !== "PodInitializing";
    if (isTelling) {
      const text = [name, waiting.reason, waiting.message].filter(Boolean).join(": ");
      return `${text}${state?.waiting === undefined ? "" : howItEnded(container)}`;
    }
    if (!ready && state?.running !== undefined) return `${name}: not ready yet`;
  }
  const scheduled = status?.conditions?.find(({ type }) => type === "PodScheduled");
  return scheduled?.message ?? status?.phase ?? "Pending";
}

function howItEnded({ lastState }: ContainerStatus): string {
  const last = lastState?.terminated;
  if (last === undefined) return "";
  const [why = ""] = (last.message ?? "").split("\n", 1);
  return `; it ended with ${last.exitCode}${why === "" ? "" : `: ${why}`}`;
}
