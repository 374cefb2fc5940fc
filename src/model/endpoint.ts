import { memoise } from "../base/memo.ts";
import { matchLabels } from "../config/label-selector.ts";
import type { Labels } from "./labels.ts";
import type { Workload } from "./workload.ts";

/** Where something is; "" for what is not told. */
export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subzone: string;
}

/** A locality that nobody told. */
export const NO_LOCALITY: Locality = { region: "", zone: "", subzone: "" };

/** One address that answers for a service port. */
export interface Endpoint {
  /** An IP address, for DNS resolutions also a name, or the path of a Unix domain socket. */
  readonly address: string;
  /** 0 for a Unix domain socket. */
  readonly port: number;
  readonly locality: Locality;
  /** "" for the only one there is. */
  readonly network: string;
  /** Its share against the service's other endpoints. */
  readonly weight: number;
  readonly labels: Labels;
  /** `draining` and `unhealthy` ones are told to proxies, which do not choose them first. */
  readonly health: "healthy" | "unhealthy" | "draining";
  /** Whether its proxy takes Istio's mutual TLS. */
  readonly isMutualTls: boolean;
  /** `namespace/name`; "" when nobody says. */
  readonly serviceAccount: string;
  readonly nodeName: string;
  /** Pod's own name within a headless service; "" for none. */
  readonly hostname: string;
  /** Who answers there; absent for an address that is no pod and no WorkloadEntry. */
  readonly workload: Workload | undefined;
}

/** What is said of an address that is known by nothing else. */
export const BARE_ENDPOINT: Omit<Endpoint, "address" | "port"> = {
  locality: NO_LOCALITY,
  network: "",
  weight: 1,
  labels: {},
  health: "healthy",
  isMutualTls: false,
  serviceAccount: "",
  nodeName: "",
  hostname: "",
  workload: undefined,
};

/** The endpoints of a service by the name of its port, each list sorted by address and port. */
export type ServiceEndpoints = ReadonlyMap<string, readonly Endpoint[]>;

const NONE: readonly Endpoint[] = [];

/** The endpoints of one port; the same empty list for every port that has none. */
export function endpointsOfPort(
  endpoints: ServiceEndpoints | undefined,
  portName: string,
): readonly Endpoint[] {
  return endpoints?.get(portName) ?? NONE;
}

/** Those endpoints that carry all labels of a subset. */
export const selectEndpoints = memoise(
  (endpoints: readonly Endpoint[], labels: Labels): readonly Endpoint[] =>
    endpoints.filter((endpoint) => matchLabels(labels, endpoint.labels)),
);
