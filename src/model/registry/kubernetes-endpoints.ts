import { memoise } from "../../base/memo.ts";
import type { EndpointSlice } from "../../config/endpoint-slice.ts";
import type { Endpoints } from "../../config/endpoints.ts";
import type { ObjectReference } from "../../config/object-reference.ts";
import { type Endpoint, NO_LOCALITY, type ServiceEndpoints } from "../endpoint.ts";
import type { Service, ServicePort } from "../service.ts";
import type { Workload } from "../workload.ts";
import { collectEndpoints, workloadEndpoint } from "./endpoint-list.ts";

/** One address as Kubernetes lists it for a service, with its ports. */
export interface ListedAddress {
  readonly address: string;
  readonly zone: string;
  readonly nodeName: string;
  readonly hostname: string;
  /** Whether it ends: it keeps those who hold on to it, and gets nobody new. */
  readonly isDraining: boolean;
  /** Usually the pod. */
  readonly target: ObjectReference | undefined;
  readonly ports: readonly { readonly name: string; readonly port: number }[];
}

/** A service with this label keeps sessions with pods that end (Istio's). */
const PERSISTENT_SESSION = "istio.io/persistent-session";

/**
 * The addresses that may get a service's traffic, from its slices, or from the older `Endpoints`
 * object where there is no slice.
 */
export const listAddresses = memoise(
  (
    service: Service,
    slices: readonly EndpointSlice[],
    endpoints: Endpoints | undefined,
  ): readonly ListedAddress[] => {
    if (slices.length > 0) return slices.flatMap((slice) => listSlice(slice, service));
    return (endpoints?.subsets ?? []).flatMap((subset) =>
      (subset.addresses ?? []).map(({ ip, targetRef, hostname, nodeName }) => ({
        address: ip,
        zone: "",
        nodeName: nodeName ?? "",
        hostname: hostname ?? "",
        isDraining: false,
        target: targetRef,
        ports: (subset.ports ?? []).map(({ name, port }) => ({ name: name ?? "", port })),
      })),
    );
  },
);

function listSlice(slice: EndpointSlice, service: Service): readonly ListedAddress[] {
  // Names that others look up: Istio leaves them out too.
  if (slice.addressType === "FQDN") return [];
  const ports = (slice.ports ?? []).flatMap(({ name, port }) =>
    port === undefined ? [] : [{ name: name ?? "", port }],
  );
  return (slice.endpoints ?? []).flatMap((endpoint) => {
    const { addresses, conditions = {}, targetRef, zone, nodeName, hostname } = endpoint;
    // The addresses of one endpoint are the same place: consumers take the first.
    const address = addresses[0];
    // An absent condition means ready.
    const isReady = conditions.ready !== false || service.publishNotReady;
    const isDraining =
      !isReady &&
      conditions.serving === true &&
      conditions.terminating === true &&
      service.labels[PERSISTENT_SESSION] !== undefined;
    if (address === undefined || (!isReady && !isDraining)) return [];
    return [
      {
        address,
        zone: zone ?? "",
        nodeName: nodeName ?? "",
        hostname: hostname ?? "",
        isDraining,
        target: targetRef,
        ports,
      },
    ];
  });
}

/**
 * The endpoints of a Kubernetes service: the addresses, with who answers there (`workloads` has
 * one entry for each), and the WorkloadEntries that its selector selects as well.
 */
export const buildKubernetesEndpoints = memoise(
  (
    service: Service,
    addresses: readonly ListedAddress[],
    workloads: readonly (Workload | undefined)[],
    entries: readonly Workload[],
  ): ServiceEndpoints =>
    collectEndpoints([
      ...addresses.flatMap((listed, index) =>
        listed.ports.map(({ name, port }) => ({
          portName: name,
          endpoint: listedEndpoint(listed, port, workloads[index]),
        })),
      ),
      ...entries.flatMap((entry) =>
        service.ports.flatMap((port) => {
          const number = entryPort(port, entry);
          return number === undefined || entry.ip === undefined
            ? []
            : [{ portName: port.name, endpoint: workloadEndpoint(entry, entry.ip, number) }];
        }),
      ),
    ]),
);

function listedEndpoint(
  { address, zone, nodeName, hostname, isDraining }: ListedAddress,
  port: number,
  workload: Workload | undefined,
): Endpoint {
  const known = workload?.locality ?? NO_LOCALITY;
  return {
    address,
    port,
    // The node says more than the slice, where there is one.
    locality: known.zone === "" && zone !== "" ? { ...known, zone } : known,
    network: workload?.network ?? "",
    weight: 1,
    labels: workload?.labels ?? {},
    health: isDraining ? "draining" : "healthy",
    isMutualTls: workload?.isMutualTls ?? false,
    serviceAccount:
      workload === undefined ? "" : `${workload.namespace}/${workload.serviceAccount}`,
    nodeName: nodeName === "" ? (workload?.nodeName ?? "") : nodeName,
    hostname,
    workload,
  };
}

/** Where an entry listens for a port of a Kubernetes service; its own word counts first. */
function entryPort({ name, targetPort, number }: ServicePort, entry: Workload): number | undefined {
  const own = entry.portByName.get(name);
  if (own !== undefined) return own;
  if (typeof targetPort === "number") return targetPort;
  return entry.portByName.get(targetPort) ?? number;
}
