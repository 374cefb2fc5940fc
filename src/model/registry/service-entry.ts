import { isIP } from "node:net";
import { memoise } from "../../base/memo.ts";
import { keyOf } from "../../config/object.ts";
import type { ServiceEntry, ServiceEntryPort } from "../../config/service-entry.ts";
import type { WorkloadEntrySpec } from "../../config/workload-entry.ts";
import type { Endpoint, ServiceEndpoints } from "../endpoint.ts";
import { isWildcard } from "../host.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import { parseProtocol } from "../protocol.ts";
import type { Resolution, Service, ServicePort } from "../service.ts";
import { resolveVisibility } from "../visibility.ts";
import { parseLocality, takesMutualTls, type Workload, weightOf } from "../workload.ts";
import { collectEndpoints, type PortEndpoint, workloadEndpoint } from "./endpoint-list.ts";
import { distributionOf } from "./kubernetes-service.ts";

const RESOLUTIONS: Readonly<Record<string, Resolution>> = {
  NONE: "passthrough",
  STATIC: "eds",
  DNS: "dns",
  DNS_ROUND_ROBIN: "dns-round-robin",
  DYNAMIC_DNS: "dynamic-dns",
};

/** `false` on a ServiceEntry: the mesh gives it no addresses. */
const AUTO_ADDRESS_LABEL = "networking.istio.io/enable-autoallocate-ip";

const UNIX = "unix://";

/** The services of a ServiceEntry, one per host, without addresses that the mesh gives. */
export const buildEntryServices = memoise(
  (object: ServiceEntry, exportTo: MeshSettings["exportTo"]): readonly Service[] => {
    const { metadata, spec } = object;
    const namespace = metadata.namespace ?? "";
    const addresses = spec.addresses ?? [];
    return spec.hosts.map((host, index) => {
      const hostname = host.toLowerCase();
      return {
        id: `${namespace}/${hostname}`,
        key: keyOf(object),
        object,
        path: `spec.hosts[${index}]`,
        registry: "External",
        hostname,
        name: hostname,
        namespace,
        resolution: RESOLUTIONS[spec.resolution ?? "NONE"] ?? "passthrough",
        isHeadless: false,
        isExternal: spec.location !== "MESH_INTERNAL",
        addresses,
        autoAddresses: [],
        ports: (spec.ports ?? []).flatMap((port) => servicePort(port)),
        selector: undefined,
        labels: metadata.labels ?? {},
        annotations: metadata.annotations ?? {},
        visibility: resolveVisibility(spec.exportTo, namespace, exportTo.service),
        aliases: [],
        subjectAltNames: spec.subjectAltNames ?? [],
        publishNotReady: false,
        isNodeLocal: false,
        trafficDistribution: distributionOf(metadata.annotations ?? {}),
      };
    });
  },
);

function servicePort({ name, number, protocol, targetPort }: ServiceEntryPort): ServicePort[] {
  const spoken = protocol === undefined ? "auto" : (parseProtocol(protocol) ?? "auto");
  return spoken === "udp"
    ? []
    : [{ name, number, targetPort: targetPort ?? number, protocol: spoken }];
}

/** Whether the mesh gives a service addresses: it has a name to ask for, and none of its own. */
export function needsAddress({ hostname, addresses, resolution, labels }: Service): boolean {
  return (
    addresses.length === 0 &&
    resolution !== "passthrough" &&
    !isWildcard(hostname) &&
    labels[AUTO_ADDRESS_LABEL] !== "false"
  );
}

/** The service with addresses that the mesh gave it. */
export const withAutoAddresses = memoise(
  (service: Service, ipv4: string, ipv6: string): Service => ({
    ...service,
    autoAddresses: [ipv4, ipv6],
  }),
);

/** Who answers for a service of a ServiceEntry; `selected` are those that its selector selects. */
export const buildEntryEndpoints = memoise(
  (service: Service, object: ServiceEntry, selected: readonly Workload[]): ServiceEndpoints => {
    const { workloadSelector, endpoints = [] } = object.spec;
    if (workloadSelector !== undefined) {
      return collectEndpoints(selected.flatMap((workload) => selectedEndpoints(service, workload)));
    }
    if (endpoints.length === 0) return hostEndpoints(service);
    return collectEndpoints(endpoints.flatMap((endpoint) => inlineEndpoints(service, endpoint)));
  },
);

/** Where a name is looked up and nobody else is named, it is the service's own. */
function hostEndpoints(service: Service): ServiceEndpoints {
  const { resolution, hostname } = service;
  const isLookedUp = resolution === "dns" || resolution === "dns-round-robin";
  if (!isLookedUp || isWildcard(hostname)) return new Map();
  return collectEndpoints(
    service.ports.map((port) => ({
      portName: port.name,
      endpoint: inlineEndpoint(service, {}, hostname, Number(port.targetPort)),
    })),
  );
}

function inlineEndpoints(service: Service, spec: WorkloadEntrySpec): readonly PortEndpoint[] {
  const { address = "" } = spec;
  const isUnix = address.startsWith(UNIX);
  if (!isUnix && !isUsable(service, address)) return [];
  return service.ports.map((port) => ({
    portName: port.name,
    endpoint: isUnix
      ? inlineEndpoint(service, spec, address.slice(UNIX.length), 0)
      : inlineEndpoint(service, spec, address, spec.ports?.[port.name] ?? Number(port.targetPort)),
  }));
}

/** Names are for services that are looked up; without an address only a gateway could lead there. */
function isUsable({ resolution }: Service, address: string): boolean {
  if (address === "") return false;
  return isIP(address) !== 0 || resolution === "dns" || resolution === "dns-round-robin";
}

function inlineEndpoint(
  { namespace }: Service,
  spec: WorkloadEntrySpec,
  address: string,
  port: number,
): Endpoint {
  const labels = spec.labels ?? {};
  const account = spec.serviceAccount ?? "";
  return {
    address,
    port,
    locality: parseLocality(spec.locality),
    network: spec.network ?? "",
    weight: weightOf(spec.weight),
    labels,
    health: "healthy",
    isMutualTls: takesMutualTls(labels, account),
    serviceAccount: account === "" ? "" : `${namespace}/${account}`,
    nodeName: "",
    hostname: "",
    workload: undefined,
  };
}

function selectedEndpoints(service: Service, workload: Workload): readonly PortEndpoint[] {
  const { ip, source, portByName } = workload;
  if (ip === undefined || !isUsable(service, ip)) return [];
  return service.ports.map((port) => {
    // The ports of a pod say what its containers are called, not what the service means.
    const own = source === "WorkloadEntry" ? portByName.get(port.name) : undefined;
    const number = own ?? Number(port.targetPort);
    return { portName: port.name, endpoint: workloadEndpoint(workload, ip, number) };
  });
}
