import { memoise } from "../base/memo.ts";
import type { Pod } from "../config/pod.ts";
import type { Labels } from "./labels.ts";

/** What runs in one pod, as far as the mesh treats workloads differently. */
export interface Workload {
  /** The pod's name. */
  readonly name: string;
  readonly namespace: string;
  /** Absent until the pod has one. */
  readonly ip: string | undefined;
  readonly labels: Labels;
  readonly serviceAccount: string;
  /** What the pod is one of, for people: `reviews-v1`. */
  readonly workloadName: string;
  readonly canonicalName: string;
  readonly canonicalRevision: string;
  /** Container ports by name, for services whose `targetPort` is a name. */
  readonly portByName: ReadonlyMap<string, number>;
}

/** The workload of a pod. */
export const buildWorkload = memoise((pod: Pod): Workload => {
  const labels = pod.metadata.labels ?? {};
  const workloadName = workloadNameOf(pod);
  return {
    name: pod.metadata.name,
    namespace: pod.metadata.namespace ?? "",
    ip: pod.status?.podIP,
    labels,
    serviceAccount: pod.spec.serviceAccountName ?? "default",
    workloadName,
    canonicalName:
      labels["service.istio.io/canonical-name"] ??
      labels["app.kubernetes.io/name"] ??
      labels["app"] ??
      workloadName,
    canonicalRevision:
      labels["service.istio.io/canonical-revision"] ??
      labels["app.kubernetes.io/version"] ??
      labels["version"] ??
      "latest",
    portByName: new Map(
      pod.spec.containers.flatMap((container) =>
        (container.ports ?? []).flatMap(({ name, containerPort }) =>
          name === undefined ? [] : [[name, containerPort] as const],
        ),
      ),
    ),
  };
});

/** The Deployment behind a ReplicaSet (its name without the template's hash), else the owner, else the pod. */
function workloadNameOf({ metadata }: Pod): string {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (owner === undefined) return metadata.name;
  const hash = metadata.labels?.["pod-template-hash"];
  const isHashed = owner.kind === "ReplicaSet" && hash !== undefined;
  return isHashed && owner.name.endsWith(`-${hash}`)
    ? owner.name.slice(0, -hash.length - 1)
    : owner.name;
}

/** Workloads by `namespace/name` and by address. */
export const workloadIndex = memoise((workloads: readonly Workload[]) => ({
  byName: new Map(
    workloads.map((workload) => [`${workload.namespace}/${workload.name}`, workload]),
  ),
  byIp: new Map(
    workloads.flatMap((workload) =>
      workload.ip === undefined ? [] : [[workload.ip, workload] as const],
    ),
  ),
}));
