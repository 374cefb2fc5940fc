import { memoise } from "../../base/memo.ts";
import { keyOf } from "../../config/object.ts";
import type { Service as ServiceObject } from "../../config/service.ts";
import { serviceHostname } from "../host.ts";
import type { Labels } from "../labels.ts";
import { selectProtocol } from "../protocol.ts";
import type { Service } from "../service.ts";
import { resolveVisibility } from "../visibility.ts";

/** Whether a Service is only another name for something else. */
export function isAlias({ spec }: ServiceObject): boolean {
  return spec.type === "ExternalName";
}

/** The service of a Service object; `undefined` for another name, which has nobody to send to. */
export const buildService = memoise((object: ServiceObject): Service | undefined => {
  const { spec, metadata } = object;
  if (isAlias(object)) return undefined;
  const namespace = metadata.namespace ?? "";
  const hostname = serviceHostname(metadata.name, namespace);
  const addresses = addressesOf(object);
  return {
    id: `${namespace}/${hostname}`,
    key: keyOf(object),
    object,
    path: "",
    registry: "Kubernetes",
    hostname,
    name: metadata.name,
    namespace,
    resolution: "eds",
    isHeadless: addresses.length === 0,
    isExternal: false,
    addresses,
    autoAddresses: [],
    ports: (spec.ports ?? []).flatMap((port) => {
      const protocol = selectProtocol({ ...port, number: port.port });
      if (protocol === "udp") return [];
      const targetPort = port.targetPort ?? port.port;
      return [{ name: port.name ?? "", number: port.port, targetPort, protocol }];
    }),
    selector: hasEntries(spec.selector) ? spec.selector : undefined,
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    visibility: resolveVisibility(undefined, namespace),
    aliases: [],
    subjectAltNames: [],
    publishNotReady: spec.publishNotReadyAddresses === true,
    isNodeLocal: false,
    trafficDistribution: "any",
  };
});

function addressesOf({ spec }: ServiceObject): readonly string[] {
  const addresses = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]);
  return addresses.filter((address) => address !== "" && address !== "None");
}

function hasEntries(labels: Labels | undefined): boolean {
  return labels !== undefined && Object.keys(labels).length > 0;
}
