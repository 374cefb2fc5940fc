import { memoise } from "../base/memo.ts";
import type { Node } from "../config/node.ts";
import type { Pod } from "../config/pod.ts";
import type { WorkloadEntry } from "../config/workload-entry.ts";
import { type Locality, NO_LOCALITY } from "./endpoint.ts";
import type { Labels } from "./labels.ts";

/** What runs in one pod or stands behind one WorkloadEntry, as far as the mesh treats them differently. */
export interface Workload {
  readonly source: "Pod" | "WorkloadEntry";
  /** The pod's name, or the entry's. */
  readonly name: string;
  readonly namespace: string;
  /** Absent until the pod has one; a DNS name for some entries. */
  readonly ip: string | undefined;
  readonly labels: Labels;
  readonly serviceAccount: string;
  readonly nodeName: string;
  readonly locality: Locality;
  readonly network: string;
  readonly weight: number;
  /** Whether its proxy takes Istio's mutual TLS. */
  readonly isMutualTls: boolean;
  /** Whether it shares the node's address, which then says nothing about who answers there. */
  readonly isOnHostNetwork: boolean;
  /** What the pod is one of, for people: `reviews-v1`. */
  readonly workloadName: string;
  readonly canonicalName: string;
  readonly canonicalRevision: string;
  /** Container ports by name, for services whose `targetPort` is a name; an entry's `ports`. */
  readonly portByName: ReadonlyMap<string, number>;
}

/** Says by label whether a workload's proxy takes Istio's mutual TLS: `istio` or `disabled`. */
const TLS_MODE_LABEL = "security.istio.io/tlsMode";
const LOCALITY_LABEL = "istio-locality";
const NETWORK_LABEL = "topology.istio.io/network";

/** The workload of a pod; where it is, its node says. */
export const buildWorkload = memoise((pod: Pod, node: Node | undefined): Workload => {
  const labels = pod.metadata.labels ?? {};
  const workloadName = workloadNameOf(pod);
  return {
    source: "Pod",
    name: pod.metadata.name,
    namespace: pod.metadata.namespace ?? "",
    ip: pod.status?.podIP,
    labels,
    serviceAccount: pod.spec.serviceAccountName ?? "default",
    nodeName: pod.spec.nodeName ?? "",
    locality: podLocality(labels, node),
    network: labels[NETWORK_LABEL] ?? "",
    weight: 1,
    isMutualTls: labels[TLS_MODE_LABEL] === "istio",
    isOnHostNetwork: pod.spec.hostNetwork === true,
    workloadName,
    ...canonicalOf(labels, workloadName),
    portByName: new Map(
      pod.spec.containers.flatMap((container) =>
        (container.ports ?? []).flatMap(({ name, containerPort }) =>
          name === undefined ? [] : [[name, containerPort] as const],
        ),
      ),
    ),
  };
});

/** The workload of a WorkloadEntry. */
export const buildEntryWorkload = memoise(({ metadata, spec }: WorkloadEntry): Workload => {
  const labels = { ...metadata.labels, ...spec.labels };
  return {
    source: "WorkloadEntry",
    name: metadata.name,
    namespace: metadata.namespace ?? "",
    ip: spec.address,
    labels,
    serviceAccount: spec.serviceAccount ?? "default",
    nodeName: "",
    locality: parseLocality(spec.locality),
    network: spec.network ?? labels[NETWORK_LABEL] ?? "",
    weight: weightOf(spec.weight),
    isMutualTls: takesMutualTls(labels, spec.serviceAccount),
    isOnHostNetwork: false,
    workloadName: metadata.name,
    ...canonicalOf(labels, metadata.name),
    portByName: new Map(Object.entries(spec.ports ?? {})),
  };
});

/** An endpoint without a weight, or with 0, counts as one. */
export function weightOf(weight: number | undefined): number {
  return weight === undefined || weight === 0 ? 1 : weight;
}

/** Whether an endpoint that somebody wrote down takes mutual TLS: its label says, else its identity. */
export function takesMutualTls(labels: Labels, serviceAccount: string | undefined): boolean {
  const mode = labels[TLS_MODE_LABEL];
  return mode === undefined ? (serviceAccount ?? "") !== "" : mode === "istio";
}

/** `region/zone/subzone`, of which what is missing is not told. */
export function parseLocality(text: string | undefined): Locality {
  if (text === undefined || text === "") return NO_LOCALITY;
  const [region = "", zone = "", subzone = ""] = text.split("/");
  return { region, zone, subzone };
}

function podLocality(labels: Labels, node: Node | undefined): Locality {
  // Labels may not contain a slash: there the parts are put together with dots.
  const own = labels[LOCALITY_LABEL];
  if (own !== undefined) return parseLocality(own.includes("/") ? own : own.replaceAll(".", "/"));
  return node === undefined ? NO_LOCALITY : nodeLocality(node);
}

const nodeLocality = memoise((node: Node): Locality => {
  const labels = node.metadata.labels ?? {};
  const region = labels["topology.kubernetes.io/region"] ?? "";
  const zone = labels["topology.kubernetes.io/zone"] ?? "";
  const subzone = labels["topology.istio.io/subzone"] ?? "";
  return region === "" && zone === "" && subzone === "" ? NO_LOCALITY : { region, zone, subzone };
});

function canonicalOf(
  labels: Labels,
  workloadName: string,
): Pick<Workload, "canonicalName" | "canonicalRevision"> {
  return {
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
  };
}

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

/** Workloads by `namespace/name` of their pods, by address, and by namespace. */
export const workloadIndex = memoise((workloads: readonly Workload[]) => {
  const byName = new Map<string, Workload>();
  const byIp = new Map<string, Workload>();
  const byNamespace = new Map<string, Workload[]>();
  for (const workload of workloads) {
    const { source, name, namespace, ip, isOnHostNetwork } = workload;
    if (source === "Pod") byName.set(`${namespace}/${name}`, workload);
    if (ip !== undefined && !isOnHostNetwork && !byIp.has(ip)) byIp.set(ip, workload);
    const list = byNamespace.get(namespace);
    if (list === undefined) byNamespace.set(namespace, [workload]);
    else list.push(workload);
  }
  return { byName, byIp, byNamespace };
});
