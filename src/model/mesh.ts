import { keepIdentity, memoise } from "../base/memo.ts";
import type { DestinationRule as DestinationRuleObject } from "../config/destination-rule.ts";
import { type EndpointSlice, SERVICE_NAME_LABEL } from "../config/endpoint-slice.ts";
import type { Endpoints } from "../config/endpoints.ts";
import type { Gateway as GatewayObject } from "../config/gateway.ts";
import type { KubeObject } from "../config/object.ts";
import type { Pod } from "../config/pod.ts";
import type { Service as ServiceObject } from "../config/service.ts";
import type { VirtualService as VirtualServiceObject } from "../config/virtual-service.ts";
import type { ConfigView } from "../store/store.ts";
import {
  buildDestinationRule,
  type DestinationRule,
  indexRules,
  type RuleIndex,
} from "./destination-rule.ts";
import {
  buildServiceEndpoints,
  type ListedAddress,
  listAddresses,
  type ServiceEndpoints,
} from "./endpoint.ts";
import { buildGateway, type Gateway } from "./gateway.ts";
import { compareAge, compareText } from "./origin.ts";
import { buildService, isAlias, type Service } from "./service.ts";
import { buildVirtualService, type VirtualService } from "./virtual-service.ts";
import { buildWorkload, type Workload } from "./workload.ts";

/**
 * The whole mesh in our own types. A part whose objects did not change since the `previous` mesh
 * is the same value, so that what is computed from it need not be computed again.
 */
export interface Mesh {
  /** By hostname, sorted. */
  readonly services: ReadonlyMap<string, Service>;
  /** Services that are another name for something else, which is not built yet. */
  readonly aliases: readonly ServiceObject[];
  /** By the service's hostname. */
  readonly endpoints: ReadonlyMap<string, ServiceEndpoints>;
  /** Sorted by namespace and name. */
  readonly workloads: readonly Workload[];
  /** The oldest first, as all that follow: conflicts are settled in that order. */
  readonly virtualServices: readonly VirtualService[];
  readonly destinationRules: readonly DestinationRule[];
  readonly rules: RuleIndex;
  readonly gateways: readonly Gateway[];
  /** What a later mesh compares with; of no use to others. */
  readonly inputs: ReadonlyMap<string, EndpointInputs>;
}

/** What the endpoints of one service were computed from. */
interface EndpointInputs {
  readonly slices: readonly EndpointSlice[];
  readonly workloads: readonly (Workload | undefined)[];
}

const NETWORKING = "networking.istio.io";

/** Builds the mesh from the configuration; the same view always gives an equal mesh. */
export function buildMesh(view: ConfigView, previous?: Mesh): Mesh {
  const serviceObjects = view.list<ServiceObject>("", "Service");
  const services = servicesOf(serviceObjects);
  const workloads = workloadsOf(view.list<Pod>("", "Pod"));
  const destinationRules = rulesOf(view.list<DestinationRuleObject>(NETWORKING, "DestinationRule"));
  return {
    services,
    aliases: aliasesOf(serviceObjects),
    workloads,
    ...endpointsOf(view, services, workloads, previous),
    virtualServices: virtualServicesOf(
      view.list<VirtualServiceObject>(NETWORKING, "VirtualService"),
    ),
    destinationRules,
    rules: indexOf(destinationRules),
    gateways: gatewaysOf(view.list<GatewayObject>(NETWORKING, "Gateway")),
  };
}

const servicesOf = memoise((objects: readonly ServiceObject[]): ReadonlyMap<string, Service> => {
  const services = objects.flatMap((object) => buildService(object) ?? []);
  services.sort((a, b) => compareText(a.hostname, b.hostname));
  return new Map(services.map((service) => [service.hostname, service]));
});

const aliasesOf = memoise((objects: readonly ServiceObject[]) => objects.filter(isAlias));

const workloadsOf = memoise((pods: readonly Pod[]) => pods.map((pod) => buildWorkload(pod)));

const rulesOf = memoise((objects: readonly DestinationRuleObject[]) =>
  byAge(objects).map((object) => buildDestinationRule(object)),
);

const indexOf = memoise(indexRules);

const virtualServicesOf = memoise((objects: readonly VirtualServiceObject[]) =>
  byAge(objects).map((object) => buildVirtualService(object)),
);

const gatewaysOf = memoise((objects: readonly GatewayObject[]) =>
  byAge(objects).map((object) => buildGateway(object)),
);

function byAge<T extends KubeObject>(objects: readonly T[]): readonly T[] {
  return [...objects].sort(compareAge);
}

/** Workloads by `namespace/name` and by address. */
const workloadIndex = memoise((workloads: readonly Workload[]) => ({
  byName: new Map(
    workloads.map((workload) => [`${workload.namespace}/${workload.name}`, workload]),
  ),
  byIp: new Map(
    workloads.flatMap((workload) =>
      workload.ip === undefined ? [] : [[workload.ip, workload] as const],
    ),
  ),
}));

/** The workload of a proxy: the pod of that name, else the one with that address. */
export function findWorkload(
  mesh: Pick<Mesh, "workloads">,
  { namespace, name, ip }: { namespace: string; name: string; ip: string },
): Workload | undefined {
  const { byName, byIp } = workloadIndex(mesh.workloads);
  return byName.get(`${namespace}/${name}`) ?? byIp.get(ip);
}

/** Slices by `namespace/service`. */
const slicesByService = memoise((slices: readonly EndpointSlice[]) => {
  const groups = new Map<string, EndpointSlice[]>();
  for (const slice of slices) {
    const service = slice.metadata.labels?.[SERVICE_NAME_LABEL];
    if (service === undefined) continue;
    const key = `${slice.metadata.namespace ?? ""}/${service}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [slice]);
    else group.push(slice);
  }
  return groups;
});

const NO_SLICES: readonly EndpointSlice[] = [];

/**
 * Endpoints of every service: the previous mesh's value where its slices and the workloads that
 * they name are the same. Who answers is an input too, a pod's labels decide which subset it is in.
 */
function endpointsOf(
  view: ConfigView,
  services: ReadonlyMap<string, Service>,
  workloads: readonly Workload[],
  previous: Mesh | undefined,
): Pick<Mesh, "endpoints" | "inputs"> {
  const groups = slicesByService(view.list<EndpointSlice>("discovery.k8s.io", "EndpointSlice"));
  const endpoints = new Map<string, ServiceEndpoints>();
  const inputs = new Map<string, EndpointInputs>();
  for (const service of services.values()) {
    const { hostname, namespace, name } = service;
    const earlier = previous?.inputs.get(hostname);
    const slices = keepIdentity(earlier?.slices, groups.get(`${namespace}/${name}`) ?? NO_SLICES);
    const older = view.get<Endpoints>({ group: "", kind: "Endpoints", namespace, name });
    const addresses = listAddresses(service, slices, older);
    const found = addresses.map((address) => workloadAt(workloads, namespace, address));
    const input = { slices, workloads: keepIdentity(earlier?.workloads, found) };
    inputs.set(hostname, input);
    endpoints.set(hostname, buildServiceEndpoints(addresses, input.workloads));
  }
  return { endpoints, inputs };
}

function workloadAt(
  workloads: readonly Workload[],
  namespace: string,
  { address, target }: ListedAddress,
): Workload | undefined {
  const { byName, byIp } = workloadIndex(workloads);
  if (target?.kind !== "Pod" || target.name === undefined) return byIp.get(address);
  return byName.get(`${target.namespace ?? namespace}/${target.name}`);
}
