import { keepIdentity, memoise } from "../../base/memo.ts";
import { type EndpointSlice, SERVICE_NAME_LABEL } from "../../config/endpoint-slice.ts";
import type { Endpoints } from "../../config/endpoints.ts";
import type { Pod } from "../../config/pod.ts";
import type { Service as ServiceObject } from "../../config/service.ts";
import type { ConfigView } from "../../store/store.ts";
import type { ServiceEndpoints } from "../endpoint.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import { compareText, type ObjectIssue } from "../origin.ts";
import type { Service } from "../service.ts";
import { buildWorkload, type Workload, workloadIndex } from "../workload.ts";
import {
  buildServiceEndpoints,
  type ListedAddress,
  listAddresses,
} from "./kubernetes-endpoints.ts";
import { buildService, isAlias } from "./kubernetes-service.ts";

/** What all registries together know of services and who answers for them. */
export interface Registry {
  /** Sorted by hostname, then namespace. */
  readonly services: readonly Service[];
  /** By the service's id. */
  readonly endpoints: ReadonlyMap<string, ServiceEndpoints>;
  /** Sorted by namespace and name. */
  readonly workloads: readonly Workload[];
  readonly issues: readonly ObjectIssue[];
  /** What a later registry compares with; of no use to others. */
  readonly inputs: ReadonlyMap<string, EndpointInputs>;
}

/** What the endpoints of one service were computed from. */
export interface EndpointInputs {
  readonly slices: readonly EndpointSlice[];
  readonly workloads: readonly (Workload | undefined)[];
}

/** Builds the registry; what did not change since the `previous` one is the same value. */
export function buildRegistry(
  view: ConfigView,
  _settings: MeshSettings,
  previous: Registry | undefined,
): Registry {
  const services = servicesOf(view.list<ServiceObject>("", "Service"));
  const workloads = workloadsOf(view.list<Pod>("", "Pod"));
  return {
    services,
    workloads,
    ...endpointsOf(view, services, workloads, previous),
    issues: aliasIssues(view.list<ServiceObject>("", "Service")),
  };
}

const aliasIssues = memoise((objects: readonly ServiceObject[]): readonly ObjectIssue[] =>
  objects.filter(isAlias).map(({ metadata }) => ({
    object: {
      group: "",
      kind: "Service",
      namespace: metadata.namespace ?? "",
      name: metadata.name,
    },
    issue: {
      path: "spec.type",
      message: '"ExternalName" is not routed by the mesh yet: requests to it are answered 502',
      severity: "warning",
    },
  })),
);

const servicesOf = memoise((objects: readonly ServiceObject[]): readonly Service[] =>
  objects
    .flatMap((object) => buildService(object) ?? [])
    .sort((a, b) => compareText(a.hostname, b.hostname) || compareText(a.namespace, b.namespace)),
);

const workloadsOf = memoise((pods: readonly Pod[]) => pods.map((pod) => buildWorkload(pod)));

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
 * Endpoints of every service: the previous value where its slices and the workloads that they name
 * are the same. Who answers is an input too, a pod's labels decide which subset it is in.
 */
function endpointsOf(
  view: ConfigView,
  services: readonly Service[],
  workloads: readonly Workload[],
  previous: Registry | undefined,
): Pick<Registry, "endpoints" | "inputs"> {
  const groups = slicesByService(view.list<EndpointSlice>("discovery.k8s.io", "EndpointSlice"));
  const endpoints = new Map<string, ServiceEndpoints>();
  const inputs = new Map<string, EndpointInputs>();
  for (const service of services) {
    const { id, namespace, name } = service;
    const earlier = previous?.inputs.get(id);
    const slices = keepIdentity(earlier?.slices, groups.get(`${namespace}/${name}`) ?? NO_SLICES);
    const older = view.get<Endpoints>({ group: "", kind: "Endpoints", namespace, name });
    const addresses = listAddresses(service, slices, older);
    const found = addresses.map((address) => workloadAt(workloads, namespace, address));
    const input = { slices, workloads: keepIdentity(earlier?.workloads, found) };
    inputs.set(id, input);
    endpoints.set(id, buildServiceEndpoints(addresses, input.workloads));
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
