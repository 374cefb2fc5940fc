import { memoise } from "../../base/memo.ts";
import type { EndpointSlice } from "../../config/endpoint-slice.ts";
import type { Endpoints } from "../../config/endpoints.ts";
import type { ObjectReference } from "../../config/object-reference.ts";
import { type Endpoint, NO_LOCALITY, type ServiceEndpoints } from "../endpoint.ts";
import { compareText } from "../origin.ts";
import type { Service } from "../service.ts";
import type { Workload } from "../workload.ts";

/** One address as Kubernetes lists it for a service, with its ports. */
export interface ListedAddress {
  readonly address: string;
  readonly zone: string;
  /** Usually the pod. */
  readonly target: ObjectReference | undefined;
  readonly ports: readonly { readonly name: string; readonly port: number }[];
}

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
      (subset.addresses ?? []).map(({ ip, targetRef }) => ({
        address: ip,
        zone: "",
        target: targetRef,
        ports: (subset.ports ?? []).map(({ name, port }) => ({ name: name ?? "", port })),
      })),
    );
  },
);

function listSlice(slice: EndpointSlice, service: Service): readonly ListedAddress[] {
  const ports = (slice.ports ?? []).flatMap(({ name, port }) =>
    port === undefined ? [] : [{ name: name ?? "", port }],
  );
  return (slice.endpoints ?? []).flatMap(({ addresses, conditions, targetRef, zone }) => {
    // The addresses of one endpoint are the same place: consumers take the first.
    const address = addresses[0];
    // An absent condition means ready.
    const isReady = conditions?.ready !== false || service.publishNotReady;
    if (address === undefined || !isReady) return [];
    return [{ address, zone: zone ?? "", target: targetRef, ports }];
  });
}

/** Joins addresses with who answers there; `workloads` has one entry per address. */
export const buildServiceEndpoints = memoise(
  (
    addresses: readonly ListedAddress[],
    workloads: readonly (Workload | undefined)[],
  ): ServiceEndpoints => {
    // Slices may list an address twice for a moment, while it moves from one to another.
    const byPort = new Map<string, Map<string, Endpoint>>();
    for (const [index, listed] of addresses.entries()) {
      for (const { name, port } of listed.ports) {
        const list = byPort.get(name) ?? new Map<string, Endpoint>();
        list.set(`${listed.address} ${port}`, buildEndpoint(listed, port, workloads[index]));
        byPort.set(name, list);
      }
    }
    return new Map(
      [...byPort].map(([name, list]) => [name, [...list.values()].sort(compareEndpoints)]),
    );
  },
);

function buildEndpoint(
  { address, zone }: ListedAddress,
  port: number,
  workload: Workload | undefined,
): Endpoint {
  return {
    address,
    port,
    locality: zone === "" ? NO_LOCALITY : { ...NO_LOCALITY, zone },
    network: "",
    weight: 1,
    labels: workload?.labels ?? {},
    health: "healthy",
    isMutualTls: false,
    serviceAccount: workload?.serviceAccount ?? "",
    nodeName: "",
    hostname: "",
    workload,
  };
}

function compareEndpoints(a: Endpoint, b: Endpoint): number {
  return compareText(a.address, b.address) || a.port - b.port;
}
