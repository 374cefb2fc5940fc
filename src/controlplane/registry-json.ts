import type { Endpoint } from "../model/endpoint.ts";
import type { Labels } from "../model/labels.ts";
import type { Mesh } from "../model/mesh.ts";
import type { Resolution, Service, ServicePort } from "../model/service.ts";
import type { Visibility } from "../model/visibility.ts";
import { JsonList, JsonRecord } from "./json-chunks.ts";

/** The cluster that istiod names where nobody names one. */
const CLUSTER_ID = "Kubernetes";

// The numbers of istiod's `model.Resolution` and `model.HealthStatus`, whose JSON has no words.
const RESOLUTION: Readonly<Record<Resolution, number>> = {
  eds: 0,
  dns: 1,
  passthrough: 2,
  "dns-round-robin": 3,
  "dynamic-dns": 5,
};
const HEALTH: Readonly<Record<Endpoint["health"], number>> = {
  healthy: 1,
  unhealthy: 2,
  draining: 3,
};

/** One port as istiod's `model.Port`. */
export function portJson({ name, number, protocol }: ServicePort): unknown {
  // What does not say is "unsupported" there, and looked at on the wire as here.
  return {
    name,
    port: number,
    protocol: protocol === "auto" ? "UnsupportedProtocol" : protocol.toUpperCase(),
  };
}

/** One service as istiod's `model.Service`. */
export function serviceJson(service: Service): unknown {
  const { addresses, autoAddresses, object } = service;
  const auto = (isV6: boolean): string | undefined =>
    autoAddresses.find((address) => address.includes(":") === isV6);
  return {
    Attributes: {
      ServiceRegistry: service.registry,
      Name: service.name,
      Namespace: service.namespace,
      Labels: service.labels,
      ExportTo: visibilityJson(service.visibility),
      LabelSelectors: service.selector ?? null,
      Aliases: service.aliases.map(({ hostname, namespace }) => ({
        Hostname: hostname,
        Namespace: namespace,
      })),
    },
    ports: service.ports.map(portJson),
    creationTime: object.metadata.creationTimestamp,
    hostname: service.hostname,
    clusterVIPs: { Addresses: addresses.length === 0 ? null : { [CLUSTER_ID]: addresses } },
    defaultAddress: addresses[0] ?? auto(false) ?? "0.0.0.0",
    autoAllocatedIPv4Address: auto(false),
    autoAllocatedIPv6Address: auto(true),
    Resolution: RESOLUTION[service.resolution],
    MeshExternal: service.isExternal,
    ResourceVersion: object.metadata.resourceVersion ?? "",
  };
}

function visibilityJson(visibility: Visibility): readonly string[] {
  if (visibility === "all") return ["*"];
  return visibility === "none" ? ["~"] : [...visibility];
}

/** One endpoint as istiod's `model.IstioEndpoint`. */
export function endpointJson(endpoint: Endpoint, portName: string, trustDomain: string): unknown {
  const { locality, workload } = endpoint;
  const label = [locality.region, locality.zone, locality.subzone].filter((part) => part !== "");
  return {
    Labels: endpoint.labels,
    Addresses: [endpoint.address],
    ServicePortName: portName,
    ServiceAccount: spiffeId(endpoint.serviceAccount, trustDomain),
    Network: endpoint.network,
    Locality: { Label: label.join("/"), ClusterID: CLUSTER_ID },
    EndpointPort: endpoint.port,
    LbWeight: endpoint.weight,
    TLSMode: endpoint.isMutualTls ? "istio" : "disabled",
    Namespace: workload?.namespace ?? "",
    WorkloadName: workload?.workloadName ?? "",
    HostName: endpoint.hostname,
    SubDomain: "",
    HealthStatus: HEALTH[endpoint.health],
    NodeName: endpoint.nodeName,
  };
}

function spiffeId(account: string, trustDomain: string): string {
  const [namespace, name] = account.split("/");
  return name === undefined ? "" : `spiffe://${trustDomain}/ns/${namespace}/sa/${name}`;
}

/** `/debug/registryz`: every service. */
export function registryJson({ registry }: Mesh): JsonList {
  return new JsonList(function* () {
    for (const service of registry.services) yield serviceJson(service);
  });
}

/** `/debug/endpointz`: the endpoints of each port of each service. */
export function endpointsJson(mesh: Mesh): JsonList {
  const { trustDomain } = mesh.settings;
  return new JsonList(function* () {
    for (const { service, port, endpoints } of portsOf(mesh)) {
      const { hostname, name, namespace } = service;
      const of = {
        service: { hostname, Attributes: { Name: name, Namespace: namespace } },
        servicePort: portJson(port),
      };
      yield {
        svc: `${hostname}:${port.name}`,
        ep: endpoints.map((endpoint) => ({
          ...of,
          endpoint: endpointJson(endpoint, port.name, trustDomain),
        })),
      };
    }
  });
}

/** `/debug/endpointz?brief`: a line for each endpoint. */
export function* endpointLines(mesh: Mesh): Generator<string> {
  const { trustDomain } = mesh.settings;
  for (const { service, port, endpoints } of portsOf(mesh)) {
    for (const { address, port: number, labels, serviceAccount } of endpoints) {
      const id = spiffeId(serviceAccount, trustDomain);
      yield `${service.hostname}:${port.name} ${address}:${number} ${labelText(labels)} ${id}\n`;
    }
  }
}

function labelText(labels: Labels): string {
  return `map[${Object.keys(labels)
    .sort()
    .map((name) => `${name}:${labels[name] ?? ""}`)
    .join(" ")}]`;
}

/** `/debug/endpointShardz`: by hostname and namespace, the endpoints by who told of them. */
export function endpointShardsJson(mesh: Mesh): JsonRecord {
  const byHost = new Map<string, Service[]>();
  for (const service of mesh.registry.services) {
    const list = byHost.get(service.hostname);
    if (list === undefined) byHost.set(service.hostname, [service]);
    else list.push(service);
  }
  return new JsonRecord(function* () {
    for (const [hostname, services] of byHost) {
      yield [
        hostname,
        new JsonRecord(() => services.map((one) => [one.namespace, shards(mesh, one)])),
      ];
    }
  });
}

function shards({ registry, settings }: Mesh, service: Service): unknown {
  const accounts = new Set<string>();
  const endpoints = [...(registry.endpoints.get(service.id) ?? [])].flatMap(([portName, list]) =>
    list.map((endpoint) => {
      const id = spiffeId(endpoint.serviceAccount, settings.trustDomain);
      if (id !== "") accounts.add(id);
      return endpointJson(endpoint, portName, settings.trustDomain);
    }),
  );
  return {
    Shards: { [`${service.registry}/${CLUSTER_ID}`]: endpoints },
    ServiceAccounts: [...accounts].sort(),
  };
}

function* portsOf({ registry }: Mesh): Generator<{
  readonly service: Service;
  readonly port: ServicePort;
  readonly endpoints: readonly Endpoint[];
}> {
  for (const service of registry.services) {
    const byPort = registry.endpoints.get(service.id);
    for (const port of service.ports) {
      yield { service, port, endpoints: byPort?.get(port.name) ?? [] };
    }
  }
}
