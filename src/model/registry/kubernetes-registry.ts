import { memoise } from "../../base/memo.ts";
import { type EndpointSlice, SERVICE_NAME_LABEL } from "../../config/endpoint-slice.ts";
import type { Endpoints } from "../../config/endpoints.ts";
import { matchLabels } from "../../config/label-selector.ts";
import { keyOf } from "../../config/object.ts";
import type { Service as ServiceObject } from "../../config/service.ts";
import type { ObjectIssue } from "../origin.ts";
import { nearestProtocol } from "../protocol.ts";
import type { Service } from "../service.ts";
import { type Workload, workloadIndex } from "../workload.ts";
import {
  buildKubernetesEndpoints,
  type ListedAddress,
  listAddresses,
} from "./kubernetes-endpoints.ts";
import { buildKubernetesService, isAlias } from "./kubernetes-service.ts";
import type { RegistryInput } from "./registry.ts";
import type { KnownService, RegistryPart } from "./registry-part.ts";

const NO_SLICES: readonly EndpointSlice[] = [];

/** Services of Kubernetes' own kind, with the addresses that their slices list. */
export function buildKubernetesPart(input: RegistryInput): RegistryPart {
  const { view, settings } = input;
  const groups = slicesByService(view.list<EndpointSlice>("discovery.k8s.io", "EndpointSlice"));
  const objects = view.list<ServiceObject>("", "Service");
  const services = objects
    .filter((object) => !isAlias(object))
    .map((object) => {
      const service = buildKubernetesService(object, settings.exportTo);
      const slices = groups.get(`${service.namespace}/${service.name}`) ?? NO_SLICES;
      return knownService(service, slices, input);
    });
  return { services, issues: protocolIssues(objects) };
}

/** Shorter words are near to everything. */
const HINT_LENGTH_MIN = 3;

/**
 * Ports whose protocol is found out although somebody seems to have meant one: words that are near
 * to a protocol's. Others are names like any.
 */
const protocolIssues = memoise((objects: readonly ServiceObject[]): readonly ObjectIssue[] =>
  objects.flatMap((object) =>
    (object.spec.ports ?? []).flatMap(({ name = "", appProtocol }, at): readonly ObjectIssue[] => {
      const [field, word] =
        appProtocol === undefined
          ? ["name", name.split("-", 1)[0] ?? ""]
          : ["appProtocol", appProtocol];
      const meant = word.length < HINT_LENGTH_MIN ? undefined : nearestProtocol(word);
      if (meant === undefined) return [];
      const message = `"${word}" names no protocol, did you mean "${meant}"? What the port speaks is found out from its traffic`;
      const issue = { path: `spec.ports[${at}].${field}`, message, severity: "warning" } as const;
      return [{ object: keyOf(object), issue }];
    }),
  ),
);

function knownService(
  service: Service,
  slices: readonly EndpointSlice[],
  { view, workloads, memory }: RegistryInput,
): KnownService {
  const { id, namespace, name } = service;
  const older = view.get<Endpoints>({ group: "", kind: "Endpoints", namespace, name });
  const entry = memory.entry(id);
  return entry.remember("known", [service, older, workloads, ...slices], () => {
    const addresses = listAddresses(service, entry.keep("slices", slices), older);
    const found = addresses.map((address) => workloadAt(workloads, namespace, address));
    const selected = entry.keep("entries", selectedEntries(service, workloads));
    return {
      service,
      // Who answers is an input too: a pod's labels decide which subset it is in.
      endpoints: buildKubernetesEndpoints(
        service,
        addresses,
        entry.keep("workloads", found),
        selected,
      ),
    };
  });
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

function workloadAt(
  workloads: readonly Workload[],
  namespace: string,
  { address, target }: ListedAddress,
): Workload | undefined {
  const { byName, byIp } = workloadIndex(workloads);
  if (target?.kind !== "Pod" || target.name === undefined) return byIp.get(address);
  return byName.get(`${target.namespace ?? namespace}/${target.name}`);
}

const NO_ENTRIES: readonly Workload[] = [];

/** WorkloadEntries of the service's namespace that its selector selects, as if they were pods. */
function selectedEntries(service: Service, workloads: readonly Workload[]): readonly Workload[] {
  const { selector, namespace } = service;
  const entries = entriesByNamespace(workloads).get(namespace);
  if (selector === undefined || entries === undefined) return NO_ENTRIES;
  return entries.filter(({ labels }) => matchLabels(selector, labels));
}

const entriesByNamespace = memoise((workloads: readonly Workload[]) => {
  const byNamespace = new Map<string, Workload[]>();
  for (const workload of workloads) {
    if (workload.source !== "WorkloadEntry") continue;
    const list = byNamespace.get(workload.namespace);
    if (list === undefined) byNamespace.set(workload.namespace, [workload]);
    else list.push(workload);
  }
  return byNamespace;
});
