import type { Condition } from "../config/condition.ts";
import type { ContainerStatus, Pod } from "../config/pod.ts";
import { formatTime, setCondition } from "./conditions.ts";

type PodStatus = NonNullable<Pod["status"]>;

/** What is known about a pod that runs. */
export interface PodFacts {
  readonly pod: Pod;
  readonly podIp: string;
  readonly startedAtMs: number;
  readonly nowMs: number;
  /** In any order. */
  readonly containers: readonly ContainerStatus[];
  readonly initContainers: readonly ContainerStatus[];
  /** Exit codes of the apps that will not run again; `undefined` for those that may. */
  readonly finalExitCodes: readonly (number | undefined)[];
  /** As they were, so that times stay. */
  readonly conditions: readonly Condition[];
}

/** Sums up a pod's status from its containers, as kubelet does. */
export function buildPodStatus(facts: PodFacts): PodStatus {
  const { pod, podIp, containers, initContainers } = facts;
  const phase = phaseOf(facts);
  const inOrder = (
    specs: readonly { readonly name: string }[],
    statuses: readonly ContainerStatus[],
  ): readonly ContainerStatus[] =>
    specs.flatMap(({ name }) => statuses.filter((status) => status.name === name));
  return {
    phase,
    conditions: conditionsOf(facts, phase),
    hostIP: "127.0.0.1",
    podIP: podIp,
    podIPs: [{ ip: podIp }],
    startTime: formatTime(facts.startedAtMs),
    ...(initContainers.length === 0
      ? {}
      : { initContainerStatuses: inOrder(pod.spec.initContainers ?? [], initContainers) }),
    containerStatuses: inOrder(pod.spec.containers, containers),
    qosClass: "BestEffort",
  };
}

function phaseOf({
  pod,
  finalExitCodes,
  containers,
  initContainers,
}: PodFacts): string & PodStatus["phase"] {
  const isNeverAgain = pod.spec.restartPolicy === "Never";
  const failedInit = initContainers.some(({ state }) => (state?.terminated?.exitCode ?? 0) !== 0);
  if (isNeverAgain && failedInit) return "Failed";
  const isOver = finalExitCodes.length > 0 && finalExitCodes.every((code) => code !== undefined);
  if (isOver && (pod.spec.restartPolicy ?? "Always") !== "Always") {
    return finalExitCodes.every((code) => code === 0) ? "Succeeded" : "Failed";
  }
  const hasBegun = containers.every(
    ({ restartCount, containerID }) => restartCount > 0 || containerID !== undefined,
  );
  return hasBegun ? "Running" : "Pending";
}

function conditionsOf(facts: PodFacts, phase: string): readonly Condition[] {
  const { containers, initContainers } = facts;
  const waiting = containers.filter(({ ready }) => !ready).map(({ name }) => name);
  const isInitialized = initContainers.every(({ state }) => state?.terminated?.exitCode === 0);
  const isReady = waiting.length === 0 && phase === "Running";
  const readiness: Omit<Condition, "type"> = isReady
    ? { status: "True" }
    : {
        status: "False",
        reason: phase === "Succeeded" ? "PodCompleted" : "ContainersNotReady",
        message: `containers with unready status: [${waiting.join(" ")}]`,
      };
  const conditions: readonly Condition[] = [
    { type: "Initialized", status: isInitialized ? "True" : "False" },
    { type: "Ready", ...readiness },
    { type: "ContainersReady", ...readiness },
    { type: "PodScheduled", status: "True" },
  ];
  return conditions.reduce(
    (list, condition) => setCondition(list, condition, facts.nowMs),
    facts.conditions,
  );
}
