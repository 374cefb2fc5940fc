import { memoise } from "../../base/memo.ts";
import { keyOf } from "../../config/object.ts";
import type { Service as ServiceObject } from "../../config/service.ts";
import { serviceHostname } from "../host.ts";
import type { Labels } from "../labels.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import { selectProtocol } from "../protocol.ts";
import type { Service } from "../service.ts";
import { resolveVisibility } from "../visibility.ts";

/** Whether a Service is only another name for something else. */
export function isAlias({ spec }: ServiceObject): boolean {
  return spec.type === "ExternalName";
}

const EXPORT_TO = "networking.istio.io/exportTo";
const TRAFFIC_DISTRIBUTION = "networking.istio.io/traffic-distribution";

/** The service of a Service object that is no other name (`isAlias`). */
export const buildKubernetesService = memoise(
  (object: ServiceObject, exportTo: MeshSettings["exportTo"]): Service => {
    const { spec, metadata } = object;
    const namespace = metadata.namespace ?? "";
    const hostname = serviceHostname(metadata.name, namespace);
    const addresses = addressesOf(object);
    const annotations = metadata.annotations ?? {};
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
      // One that has no address yet, in a file for example, is not one that shall have none.
      isHeadless: spec.clusterIP === "None" || spec.clusterIPs?.[0] === "None",
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
      annotations,
      visibility: resolveVisibility(
        annotations[EXPORT_TO]?.split(",").map((word) => word.trim()),
        namespace,
        exportTo.service,
      ),
      aliases: [],
      subjectAltNames: [],
      publishNotReady: spec.publishNotReadyAddresses === true,
      isNodeLocal: spec.internalTrafficPolicy === "Local",
      trafficDistribution: distributionOf(annotations, spec.trafficDistribution),
    };
  },
);

/** Kubernetes' word for it (`PreferClose` is the older one), which Istio also takes as annotation. */
export function distributionOf(
  annotations: Labels,
  field?: string,
): Service["trafficDistribution"] {
  const word = annotations[TRAFFIC_DISTRIBUTION] ?? field ?? "";
  switch (word.toLowerCase()) {
    case "preferclose":
    case "prefersamezone":
      return "prefer-same-zone";
    case "prefersamenode":
      return "prefer-same-node";
    default:
      return "any";
  }
}

function addressesOf({ spec }: ServiceObject): readonly string[] {
  const own = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]);
  return own.filter((address) => address !== "" && address !== "None");
}

function hasEntries(labels: Labels | undefined): boolean {
  return labels !== undefined && Object.keys(labels).length > 0;
}
