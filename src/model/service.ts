import { memoise } from "../base/memo.ts";
import { keyOf, type ObjectKey } from "../config/object.ts";
import type { Service as ServiceObject } from "../config/service.ts";
import { serviceHostname } from "./host.ts";
import type { Labels } from "./labels.ts";
import { type Protocol, selectProtocol } from "./protocol.ts";

/** One port of a service. */
export interface ServicePort {
  /** "" when the service has one port and does not name it. */
  readonly name: string;
  readonly number: number;
  /** A number, or the name of a container's port. */
  readonly targetPort: number | string;
  readonly protocol: Protocol;
}

/** A service of the mesh, without who answers it: see `ServiceEndpoints`. */
export interface Service {
  readonly key: ObjectKey;
  readonly object: ServiceObject;
  readonly hostname: string;
  readonly name: string;
  readonly namespace: string;
  /** Virtual addresses; none for a headless service. */
  readonly addresses: readonly string[];
  /** Only what proxies can serve: UDP ports are left out. */
  readonly ports: readonly ServicePort[];
  /** Absent: somebody else writes the endpoints. */
  readonly selector: Labels | undefined;
  readonly labels: Labels;
  /** Endpoints count before they are ready. */
  readonly publishNotReady: boolean;
}

/** Whether a Service is only another name for something else. */
export function isAlias({ spec }: ServiceObject): boolean {
  return spec.type === "ExternalName";
}

/** The service of an object; `undefined` for another name, which has nobody to send to. */
export const buildService = memoise((object: ServiceObject): Service | undefined => {
  const { spec, metadata } = object;
  if (isAlias(object)) return undefined;
  const namespace = metadata.namespace ?? "";
  return {
    key: keyOf(object),
    object,
    hostname: serviceHostname(metadata.name, namespace),
    name: metadata.name,
    namespace,
    addresses: addressesOf(object),
    ports: (spec.ports ?? []).flatMap((port) => {
      const protocol = selectProtocol({ ...port, number: port.port });
      if (protocol === "udp") return [];
      const targetPort = port.targetPort ?? port.port;
      return [{ name: port.name ?? "", number: port.port, targetPort, protocol }];
    }),
    selector: hasEntries(spec.selector) ? spec.selector : undefined,
    labels: metadata.labels ?? {},
    publishNotReady: spec.publishNotReadyAddresses === true,
  };
});

function addressesOf({ spec }: ServiceObject): readonly string[] {
  const addresses = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]);
  return addresses.filter((address) => address !== "" && address !== "None");
}

function hasEntries(labels: Labels | undefined): boolean {
  return labels !== undefined && Object.keys(labels).length > 0;
}

/** The port of a service by its number. */
export function portOf(service: Service, number: number): ServicePort | undefined {
  return service.ports.find((port) => port.number === number);
}
