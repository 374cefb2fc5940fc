import { memoise } from "../base/memo.ts";
import type { EndpointSlice } from "../config/endpoint-slice.ts";
import type { Endpoints } from "../config/endpoints.ts";
import { matchLabels } from "../config/label-selector.ts";
import type { ObjectReference } from "../config/object-reference.ts";
import type { Labels } from "./labels.ts";
import { compareText } from "./origin.ts";
import type { Service } from "./service.ts";
import type { Workload } from "./workload.ts";

/** One address that answers for a service port. Only what may get traffic is here. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
  /** "" where zones are not told. */
  readonly zone: string;
  /** Who answers there; absent for an address that is no pod. */
  readonly workload: Workload | undefined;
}

/** The endpoints of a service by the name of its port, each list sorted by address and port. */
export type ServiceEndpoints = ReadonlyMap<string, readonly Endpoint[]>;

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
    for (const [index, { address, zone, ports }] of addresses.entries()) {
      for (const { name, port } of ports) {
        const list = byPort.get(name) ?? new Map<string, Endpoint>();
        list.set(`${address} ${port}`, { address, port, zone, workload: workloads[index] });
        byPort.set(name, list);
      }
    }
    return new Map(
      [...byPort].map(([name, list]) => [name, [...list.values()].sort(compareEndpoints)]),
    );
  },
);

function compareEndpoints(a: Endpoint, b: Endpoint): number {
  return compareText(a.address, b.address) || a.port - b.port;
}

const NONE: readonly Endpoint[] = [];

/** The endpoints of one port; the same empty list for every port that has none. */
export function endpointsOfPort(
  endpoints: ServiceEndpoints | undefined,
  portName: string,
): readonly Endpoint[] {
  return endpoints?.get(portName) ?? NONE;
}

/** Those endpoints whose pod carries all labels of a subset. */
export const selectEndpoints = memoise(
  (endpoints: readonly Endpoint[], labels: Labels): readonly Endpoint[] =>
    endpoints.filter(({ workload }) => matchLabels(labels, workload?.labels)),
);
