import type { KubeObject, ObjectKey } from "../config/object.ts";
import type { Labels } from "./labels.ts";
import type { Protocol } from "./protocol.ts";
import type { Visibility } from "./visibility.ts";

/** One port of a service. */
export interface ServicePort {
  /** "" when the service has one port and does not name it. */
  readonly name: string;
  readonly number: number;
  /** A number, or the name of a container's port. */
  readonly targetPort: number | string;
  readonly protocol: Protocol;
}

/**
 * How a service's hosts are found: `eds` by endpoints that the control plane knows; `dns` and
 * `dns-round-robin` by the proxy's own look-up of all addresses or of one; `passthrough` by the
 * address that the client meant; `dynamic-dns` by looking up the name that the request says.
 */
export type Resolution = "eds" | "dns" | "dns-round-robin" | "passthrough" | "dynamic-dns";

/** A service of the mesh, without who answers it: see `Mesh.endpoints`. */
export interface Service {
  /** `namespace/hostname`: unique in the mesh, where hostnames need not be. */
  readonly id: string;
  readonly key: ObjectKey;
  /** A Service or a ServiceEntry; the latter may lack its newest endpoints, which are no part of this. */
  readonly object: KubeObject;
  /** Path of the object's `hosts` entry that it comes from; "" for a Service. */
  readonly path: string;
  readonly registry: "Kubernetes" | "External";
  /** May be a wildcard for a ServiceEntry: `*.example.com`. */
  readonly hostname: string;
  readonly name: string;
  readonly namespace: string;
  readonly resolution: Resolution;
  readonly isHeadless: boolean;
  /** Outside the mesh: no sidecar answers there. */
  readonly isExternal: boolean;
  /** Virtual addresses or CIDR ranges, as written; none for a headless service. */
  readonly addresses: readonly string[];
  /** Given by the mesh where the object has none (`240.240.0.0/16`, `2001:2::/48`). */
  readonly autoAddresses: readonly string[];
  /** Only what proxies can serve: UDP ports are left out. */
  readonly ports: readonly ServicePort[];
  /** Absent: somebody else writes the endpoints. */
  readonly selector: Labels | undefined;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly visibility: Visibility;
  /** Names for the same service (`ExternalName` services that lead to it). */
  readonly aliases: readonly ServiceAlias[];
  /** Names of which the servers' certificates must have one. */
  readonly subjectAltNames: readonly string[];
  /** Endpoints count before they are ready. */
  readonly publishNotReady: boolean;
  /** Only endpoints of the client's own node count (`internalTrafficPolicy: Local`). */
  readonly isNodeLocal: boolean;
  /** Near endpoints first, without a DestinationRule saying so. */
  readonly trafficDistribution: "any" | "prefer-same-zone" | "prefer-same-node";
}

/** Another name for a service. */
export interface ServiceAlias {
  readonly hostname: string;
  readonly namespace: string;
  readonly key: ObjectKey;
}

/** The port of a service by its number. */
export function portOf(service: Service, number: number): ServicePort | undefined {
  return service.ports.find((port) => port.number === number);
}

/** A port of a service that leads to some pod. */
export interface ServiceTarget {
  readonly service: Service;
  readonly port: ServicePort;
  /** The port of the pod. */
  readonly targetPort: number;
}
