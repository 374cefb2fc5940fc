import { memoise } from "../base/memo.ts";
import type { ConfigMap } from "../config/config-map.ts";
import type { DestinationRule as DestinationRuleObject } from "../config/destination-rule.ts";
import type { Gateway as GatewayObject } from "../config/gateway.ts";
import type { KubeObject } from "../config/object.ts";
import type { PeerAuthentication as PeerAuthenticationObject } from "../config/peer-authentication.ts";
import type { Sidecar as SidecarObject } from "../config/sidecar.ts";
import type { Telemetry as TelemetryObject } from "../config/telemetry.ts";
import type { VirtualService as VirtualServiceObject } from "../config/virtual-service.ts";
import type { ConfigView } from "../store/store.ts";
import { type NamespaceScopes, namespaceScopes } from "./automatic-scope-label.ts";
import { buildVirtualService, indexVirtualServices } from "./build-virtual-service.ts";
import {
  buildDestinationRule,
  type DestinationRule,
  indexRules,
  type RuleIndex,
} from "./destination-rule.ts";
import { discoveredView } from "./discovery.ts";
import type { ServiceEndpoints } from "./endpoint.ts";
import { buildGateway, type Gateway } from "./gateway.ts";
import { convertIngresses } from "./ingress/convert.ts";
import { MESH_CONFIG_MAP, type MeshConfigState, readMeshConfig } from "./mesh-config.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import { compareAge, type ObjectIssue } from "./origin.ts";
import { buildPeerAuthentication, type PeerAuthentication } from "./peer-authentication.ts";
import { buildRegistry, type Registry } from "./registry/registry.ts";
import type { Service } from "./service.ts";
import { buildSidecar, type Sidecar } from "./sidecar.ts";
import { buildTelemetry, type Telemetry } from "./telemetry.ts";
import type { VirtualService } from "./virtual-service.ts";
import { type Workload, workloadIndex } from "./workload.ts";

/**
 * The whole mesh in our own types. A part whose objects did not change since the `previous` mesh
 * is the same value, so that what is computed from it need not be computed again.
 */
export interface Mesh {
  readonly settings: MeshSettings;
  /** Where the settings come from. */
  readonly meshConfig: MeshConfigState;
  readonly registry: Registry;
  /** The oldest first, as all that follow: conflicts are settled in that order. */
  readonly virtualServices: readonly VirtualService[];
  /** VirtualServices without hosts, which are used by others alone. */
  readonly delegates: readonly VirtualService[];
  readonly destinationRules: readonly DestinationRule[];
  readonly rules: RuleIndex;
  readonly gateways: readonly Gateway[];
  /** What Ingresses, which are among the Gateways and VirtualServices, ask for in vain. */
  readonly ingressIssues: readonly ObjectIssue[];
  readonly sidecars: readonly Sidecar[];
  readonly peerAuthentications: readonly PeerAuthentication[];
  readonly telemetries: readonly Telemetry[];
  /** Which namespaces ask for automatic scope. */
  readonly automaticScope: NamespaceScopes;
}

/** The kinds that a mesh is built from; nothing else shapes traffic. */
export const MESH_KINDS: readonly { readonly group: string; readonly kind: string }[] = [
  ...["ConfigMap", "Namespace", "Node", "Service", "Endpoints", "Pod"].map((kind) => ({
    group: "",
    kind,
  })),
  { group: "discovery.k8s.io", kind: "EndpointSlice" },
  ...["Ingress", "IngressClass"].map((kind) => ({ group: "networking.k8s.io", kind })),
  ...[
    "DestinationRule",
    "Gateway",
    "ServiceEntry",
    "Sidecar",
    "VirtualService",
    "WorkloadEntry",
  ].map((kind) => ({ group: "networking.istio.io", kind })),
  { group: "security.istio.io", kind: "PeerAuthentication" },
  { group: "telemetry.istio.io", kind: "Telemetry" },
];

const NETWORKING = "networking.istio.io";
const SECURITY = "security.istio.io";
const TELEMETRY = "telemetry.istio.io";

/** Builds the mesh from the configuration; the same view always gives an equal mesh. */
export function buildMesh(whole: ConfigView, previous?: Mesh): Mesh {
  const meshConfig = readMeshConfig(whole.get<ConfigMap>(MESH_CONFIG_MAP), previous?.meshConfig);
  const { settings } = meshConfig;
  const view = discoveredView(whole, settings.discoverySelectors);
  const { virtualServices, delegates } = virtualServicesOf(
    view.list<VirtualServiceObject>(NETWORKING, "VirtualService"),
    settings.exportTo.virtualService,
  );
  const ingresses = convertIngresses(view, settings);
  const destinationRules = rulesOf(
    view.list<DestinationRuleObject>(NETWORKING, "DestinationRule"),
    settings.exportTo.destinationRule,
  );
  return {
    settings,
    meshConfig,
    registry: buildRegistry(view, settings, previous?.registry),
    virtualServices: joinByAge(virtualServices, ingresses.virtualServices),
    delegates,
    destinationRules,
    rules: indexOf(destinationRules, settings.rootNamespace),
    gateways: joinByAge(
      gatewaysOf(view.list<GatewayObject>(NETWORKING, "Gateway")),
      ingresses.gateways,
    ),
    ingressIssues: ingresses.issues,
    sidecars: sidecarsOf(view.list<SidecarObject>(NETWORKING, "Sidecar")),
    peerAuthentications: peerAuthenticationsOf(
      view.list<PeerAuthenticationObject>(SECURITY, "PeerAuthentication"),
    ),
    telemetries: telemetriesOf(view.list<TelemetryObject>(TELEMETRY, "Telemetry")),
    automaticScope: namespaceScopes(view.list("", "Namespace")),
  };
}

const rulesOf = memoise(
  (objects: readonly DestinationRuleObject[], exportToDefault: readonly string[]) =>
    byAge(objects).map((object) => buildDestinationRule(object, exportToDefault)),
);

const indexOf = memoise(indexRules);

const virtualServicesOf = memoise(
  (objects: readonly VirtualServiceObject[], exportTo: readonly string[]) => {
    const others = indexVirtualServices(objects);
    const all = byAge(objects).map((object) => buildVirtualService(object, { exportTo, others }));
    return {
      virtualServices: all.filter(({ hosts }) => hosts.length > 0),
      delegates: all.filter(({ hosts }) => hosts.length === 0),
    };
  },
);

const gatewaysOf = memoise((objects: readonly GatewayObject[]) =>
  byAge(objects).map((object) => buildGateway(object)),
);

const sidecarsOf = memoise((objects: readonly SidecarObject[]) =>
  byAge(objects).map((object) => buildSidecar(object)),
);

const peerAuthenticationsOf = memoise((objects: readonly PeerAuthenticationObject[]) =>
  byAge(objects).map((object) => buildPeerAuthentication(object)),
);

const telemetriesOf = memoise((objects: readonly TelemetryObject[]) =>
  byAge(objects).map((object) => buildTelemetry(object)),
);

/** Those that were written as they are, and those that something else amounts to. */
function joinByAge<T extends { readonly object: KubeObject }>(
  written: readonly T[],
  converted: readonly T[],
): readonly T[] {
  return converted.length === 0 ? written : joined(written, converted);
}

const joined = memoise(
  <T extends { readonly object: KubeObject }>(
    written: readonly T[],
    converted: readonly T[],
  ): readonly T[] => [...written, ...converted].sort((a, b) => compareAge(a.object, b.object)),
) as <T>(written: readonly T[], converted: readonly T[]) => readonly T[];

function byAge<T extends KubeObject>(objects: readonly T[]): readonly T[] {
  return [...objects].sort(compareAge);
}

/** The services of the mesh by hostname: usually one each. */
export function servicesByHost(mesh: Mesh): ReadonlyMap<string, readonly Service[]> {
  return hostIndex(mesh.registry.services);
}

const hostIndex = memoise((services: readonly Service[]) => {
  const byHost = new Map<string, Service[]>();
  for (const service of services) {
    const list = byHost.get(service.hostname);
    if (list === undefined) byHost.set(service.hostname, [service]);
    else list.push(service);
  }
  return byHost;
});

/** Who answers for a service, by the names of its ports. */
export function endpointsOf(mesh: Mesh, service: Service): ServiceEndpoints | undefined {
  return mesh.registry.endpoints.get(service.id);
}

/** The workload of a proxy: the pod of that name, else the one with that address. */
export function findWorkload(
  mesh: Mesh,
  { namespace, name, ip }: { namespace: string; name: string; ip: string },
): Workload | undefined {
  const { byName, byIp } = workloadIndex(mesh.registry.workloads);
  return byName.get(`${namespace}/${name}`) ?? byIp.get(ip);
}
