import { type Endpoint, type EndpointSlice, SERVICE_NAME_LABEL } from "../config/endpoint-slice.ts";
import type { Endpoints } from "../config/endpoints.ts";
import type { ObjectReference } from "../config/object-reference.ts";
import type { Pod } from "../config/pod.ts";
import type { Service, ServicePort } from "../config/service.ts";
import { controllerReference } from "./controller.ts";
import { isPodFinished, isPodReady } from "./pod-conditions.ts";
import { shortHash } from "./short-hash.ts";

/** As many as Kubernetes puts into one slice. */
const ENDPOINTS_PER_SLICE_MAX = 100;

/** Who manages a slice; those of others are left alone. */
export const SLICE_MANAGER = "endpointslice-controller.k8s.io";

type EndpointsAddress = NonNullable<NonNullable<Endpoints["subsets"]>[number]["addresses"]>[number];

interface ResolvedPort {
  readonly name: string;
  readonly port: number;
  readonly protocol: NonNullable<ServicePort["protocol"]>;
  readonly appProtocol?: string;
}

interface Group {
  readonly ports: readonly ResolvedPort[];
  readonly pods: Pod[];
}

/**
 * The slices of a service: one per set of port numbers, since a named `targetPort` may lead to
 * another number in every pod. A pod that stops is no longer ready, whatever it says itself.
 */
export function buildEndpointSlices(
  service: Service,
  pods: readonly Pod[],
): readonly EndpointSlice[] {
  return groupByPorts(service, pods).flatMap((group) =>
    chunks(group.pods, ENDPOINTS_PER_SLICE_MAX).map((part, index) => ({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {
        ...metadataOf(service, {
          "endpointslice.kubernetes.io/managed-by": SLICE_MANAGER,
          [SERVICE_NAME_LABEL]: service.metadata.name,
        }),
        name: `${service.metadata.name}-${shortHash([service.metadata.uid, group.ports, index])}`,
        ownerReferences: [controllerReference(service)],
      },
      addressType: "IPv4",
      endpoints: part.map((pod) => endpointOf(service, pod)),
      ports: group.ports,
    })),
  );
}

/** The older form of the same, for `kubectl get endpoints`. */
export function buildEndpoints(service: Service, pods: readonly Pod[]): Endpoints {
  return {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: {
      ...metadataOf(service, {}),
      name: service.metadata.name,
      ownerReferences: [controllerReference(service)],
    },
    subsets: groupByPorts(service, pods).map(({ ports, pods: members }) => {
      const ready = members.filter((pod) => isServing(service, pod));
      const notReady = members.filter((pod) => !isServing(service, pod));
      return {
        ...(ready.length === 0 ? {} : { addresses: ready.map(addressOf) }),
        ...(notReady.length === 0 ? {} : { notReadyAddresses: notReady.map(addressOf) }),
        // `Endpoints` leaves an empty name out.
        ports: ports.map(({ name, ...port }) => (name === "" ? port : { name, ...port })),
      };
    }),
  };
}

function groupByPorts(service: Service, pods: readonly Pod[]): readonly Group[] {
  const groups = new Map<string, Group>();
  for (const pod of pods) {
    if (pod.status?.podIP === undefined || pod.status.podIP === "" || isPodFinished(pod)) continue;
    const ports = resolvePorts(service.spec.ports ?? [], pod);
    if (ports.length === 0 && service.spec.clusterIP !== "None") continue;
    const key = JSON.stringify(ports);
    const group = groups.get(key) ?? { ports, pods: [] };
    groups.set(key, group);
    group.pods.push(pod);
  }
  // Sorted, so that the same pods give the same objects in whatever order they came.
  return [...groups.entries()].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, g]) => g);
}

function resolvePorts(ports: readonly ServicePort[], pod: Pod): readonly ResolvedPort[] {
  return ports.flatMap((port) => {
    const number = resolveTargetPort(port, pod);
    if (number === undefined) return [];
    return {
      name: port.name ?? "",
      port: number,
      protocol: port.protocol ?? "TCP",
      ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
    };
  });
}

function resolveTargetPort(port: ServicePort, pod: Pod): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === "number") return target;
  for (const { ports } of pod.spec.containers) {
    const named = ports?.find(
      ({ name, protocol }) => name === target && (protocol ?? "TCP") === (port.protocol ?? "TCP"),
    );
    if (named !== undefined) return named.containerPort;
  }
  return undefined;
}

function isServing(service: Service, pod: Pod): boolean {
  if (service.spec.publishNotReadyAddresses === true) return true;
  return isPodReady(pod) && pod.metadata.deletionTimestamp === undefined;
}

function endpointOf(service: Service, pod: Pod): Endpoint {
  return {
    addresses: [pod.status?.podIP ?? ""],
    conditions: {
      ready: isServing(service, pod),
      serving: isPodReady(pod),
      terminating: pod.metadata.deletionTimestamp !== undefined,
    },
    ...(pod.spec.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
    targetRef: referenceOf(pod),
  };
}

function addressOf(pod: Pod): EndpointsAddress {
  return {
    ip: pod.status?.podIP ?? "",
    ...(pod.spec.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
    targetRef: referenceOf(pod),
  };
}

function referenceOf({ metadata }: Pod): ObjectReference {
  return {
    kind: "Pod",
    name: metadata.name,
    ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
    ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
  };
}

function metadataOf(
  { metadata }: Service,
  labels: Readonly<Record<string, string>>,
): { readonly namespace?: string; readonly labels: Readonly<Record<string, string>> } {
  return {
    ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
    labels: { ...metadata.labels, ...labels },
  };
}

function chunks<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  const parts: T[][] = [];
  for (let index = 0; index < items.length; index += size) {
    parts.push(items.slice(index, index + size));
  }
  return parts;
}
