import { conditionsSchema } from "./condition.ts";
import { AGE_COLUMN, defineKind } from "./kind.ts";
import { kubeObject } from "./metadata.ts";
import { podSpecSchema, validatePodSpec, validatePodUpdate } from "./pod-spec.ts";
import type { Infer } from "./schema.ts";
import { array, boolean, dateTime, integer, listMap, object, required, string } from "./schema.ts";

const containerState = object({
  waiting: object({ reason: string(), message: string() }),
  running: object({ startedAt: dateTime() }),
  terminated: object({
    exitCode: required(integer()),
    signal: integer(),
    reason: string(),
    message: string(),
    startedAt: dateTime(),
    finishedAt: dateTime(),
    containerID: string(),
  }),
});

const containerStatus = object({
  name: required(string()),
  ready: required(boolean()),
  started: boolean(),
  restartCount: required(integer()),
  image: required(string()),
  imageID: required(string()),
  containerID: string(),
  state: containerState,
  lastState: containerState,
});

const schema = kubeObject(
  {
    spec: required(podSpecSchema),
    status: object({
      phase: string({ enum: ["Pending", "Running", "Succeeded", "Failed", "Unknown"] }),
      reason: string(),
      message: string(),
      conditions: conditionsSchema,
      hostIP: string(),
      hostIPs: array(object({ ip: required(string()) })),
      podIP: string(),
      podIPs: listMap(["ip"], object({ ip: required(string()) })),
      startTime: dateTime(),
      qosClass: string(),
      observedGeneration: integer({ format: "int64" }),
      nominatedNodeName: string(),
      initContainerStatuses: array(containerStatus),
      containerStatuses: array(containerStatus),
    }),
  },
  "Programs that run and are reached together, under one address.",
);

/** core/v1 Pod. */
export type Pod = Infer<typeof schema>;
/** What is known about one container of a pod. */
export type ContainerStatus = Infer<typeof containerStatus>;

/** The kind `v1 Pod`. */
export const podKind = defineKind<Pod>({
  group: "",
  versions: ["v1"],
  kind: "Pod",
  plural: "pods",
  shortNames: ["po"],
  categories: ["all"],
  schema,
  printerColumns: [
    { name: "Ready", type: "string", cell: formatReady },
    { name: "Status", type: "string", cell: formatStatus },
    { name: "Restarts", type: "string", cell: countRestarts },
    AGE_COLUMN,
    { name: "IP", type: "string", priority: 1, cell: (pod) => pod.status?.podIP ?? "<none>" },
    { name: "Node", type: "string", priority: 1, cell: (pod) => pod.spec.nodeName ?? "<none>" },
    {
      name: "Nominated Node",
      type: "string",
      priority: 1,
      cell: (pod) => pod.status?.nominatedNodeName ?? "<none>",
    },
    { name: "Readiness Gates", type: "string", priority: 1, cell: () => "<none>" },
  ],
  initialStatus: { phase: "Pending" },
  validate: (pod) => validatePodSpec(pod.spec, "spec"),
  validateUpdate: (pod, old) => validatePodUpdate(pod.spec, old.spec),
  carryOver: (pod, { spec: old }) => {
    const { nodeName } = old;
    const isKept = nodeName !== undefined && pod.spec.nodeName === undefined;
    return isKept ? { ...pod, spec: { ...pod.spec, nodeName } } : pod;
  },
  defaults: (pod) => {
    const { serviceAccountName, serviceAccount } = pod.spec;
    const account = serviceAccountName ?? serviceAccount ?? "default";
    return { ...pod, spec: { ...pod.spec, serviceAccountName: account } };
  },
});

function formatReady({ spec, status }: Pod): string {
  const ready = status?.containerStatuses?.filter((one) => one.ready).length ?? 0;
  return `${ready}/${spec.containers.length}`;
}

function countRestarts({ status }: Pod): number {
  return (status?.containerStatuses ?? []).reduce((sum, one) => sum + one.restartCount, 0);
}

/** The one word that says most about a pod, chosen as `kubectl get` chooses it. */
function formatStatus({ metadata, status }: Pod): string {
  let text = status?.reason ?? status?.phase ?? "Pending";
  const init = status?.initContainerStatuses ?? [];
  const pending = init.findIndex((one) => one.state?.terminated?.exitCode !== 0);
  if (pending === -1) {
    const reasons = (status?.containerStatuses ?? []).map(reasonOf);
    text = reasons.findLast((reason) => reason !== undefined) ?? text;
    const isRunning = status?.containerStatuses?.some((one) => one.ready) ?? false;
    if (text === "Completed" && isRunning) text = "Running";
  } else {
    const reason = init[pending] === undefined ? undefined : reasonOf(init[pending]);
    const isWaiting = reason === undefined || reason === "PodInitializing";
    text = isWaiting ? `Init:${pending}/${init.length}` : `Init:${reason}`;
  }
  return metadata.deletionTimestamp === undefined ? text : "Terminating";
}

function reasonOf({ state }: ContainerStatus): string | undefined {
  const { waiting, terminated } = state ?? {};
  if (waiting !== undefined) return waiting.reason;
  if (terminated === undefined) return undefined;
  if ((terminated.signal ?? 0) !== 0) return `Signal:${terminated.signal}`;
  return terminated.reason ?? `ExitCode:${terminated.exitCode}`;
}
