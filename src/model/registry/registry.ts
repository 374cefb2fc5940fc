import { memoise } from "../../base/memo.ts";
import { formatKey } from "../../config/object.ts";
import type { Service as ServiceObject } from "../../config/service.ts";
import type { ConfigView } from "../../store/store.ts";
import type { Endpoint, ServiceEndpoints } from "../endpoint.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import { compareText, type ObjectIssue } from "../origin.ts";
import type { Service } from "../service.ts";
import type { Workload } from "../workload.ts";
import { collectEndpoints } from "./endpoint-list.ts";
import { resolveAliases, withAliases } from "./external-names.ts";
import { buildKubernetesPart } from "./kubernetes-registry.ts";
import { isAlias } from "./kubernetes-service.ts";
import { InputMemory, type KnownService, type RegistryPart } from "./registry-part.ts";
import { buildServiceEntryPart } from "./service-entry-registry.ts";
import { listWorkloads } from "./workloads.ts";

/** What all registries together know of services and who answers for them. */
export interface Registry {
  /** Sorted by hostname, then namespace. */
  readonly services: readonly Service[];
  /** By the service's id. */
  readonly endpoints: ReadonlyMap<string, ServiceEndpoints>;
  /** Pods by namespace and name, then WorkloadEntries by age. */
  readonly workloads: readonly Workload[];
  readonly issues: readonly ObjectIssue[];
  /** What a later registry compares with; of no use to others. */
  readonly memory: InputMemory;
}

/** What a registry is built from. */
export interface RegistryInput {
  readonly view: ConfigView;
  readonly settings: MeshSettings;
  readonly workloads: readonly Workload[];
  readonly memory: InputMemory;
}

/** The registries side by side. Of one hostname in one namespace, the first here decides. */
const PARTS: readonly ((input: RegistryInput) => RegistryPart)[] = [
  buildKubernetesPart,
  buildServiceEntryPart,
];

/** Builds the registry; what did not change since the `previous` one is the same value. */
export function buildRegistry(
  view: ConfigView,
  settings: MeshSettings,
  previous: Registry | undefined,
): Registry {
  const memory = new InputMemory(previous?.memory);
  const { workloads, issues } = listWorkloads(view, memory);
  const parts = PARTS.map((build) => build({ view, settings, workloads, memory }));
  const joined = joinParts(parts);
  const names = externalNames(view.list<ServiceObject>("", "Service"));
  const hostnames = new Set(joined.services.map(({ service }) => service.hostname));
  const aliases = resolveAliases(names, hostnames);
  const known = withAliases(joined.services, aliases, memory);
  return {
    services: memory.keep(
      "services",
      known.map(({ service }) => service),
    ),
    endpoints: endpointMap(
      memory.keep(
        "ids",
        known.map(({ service }) => service.id),
      ),
      memory.keep(
        "endpoints",
        known.map(({ endpoints }) => endpoints),
      ),
    ),
    workloads,
    issues: [
      ...issues,
      ...parts.flatMap((part) => part.issues),
      ...joined.issues,
      ...aliases.issues,
    ],
    memory,
  };
}

/** The same map while the endpoints of all services are the same. */
const endpointMap = memoise(
  (ids: readonly string[], endpoints: readonly ServiceEndpoints[]) =>
    new Map(endpoints.map((one, index) => [ids[index] ?? "", one])),
);

const externalNames = memoise((objects: readonly ServiceObject[]) => objects.filter(isAlias));

/**
 * All services, sorted. Several of one hostname in one namespace are one: the first decides, the
 * others add the ports that it does not have, and their endpoints, as Istio has it.
 */
function joinParts(parts: readonly RegistryPart[]): RegistryPart {
  const groups = new Map<string, KnownService[]>();
  for (const known of parts.flatMap(({ services }) => services)) {
    const group = groups.get(known.service.id);
    if (group === undefined) groups.set(known.service.id, [known]);
    else group.push(known);
  }
  const issues: ObjectIssue[] = [];
  const services = [...groups.values()].map((group) => joinGroup(group, issues));
  services.sort(
    ({ service: a }, { service: b }) =>
      compareText(a.hostname, b.hostname) || compareText(a.namespace, b.namespace),
  );
  return { services, issues };
}

function joinGroup([first, ...others]: KnownService[], issues: ObjectIssue[]): KnownService {
  if (first === undefined) throw new Error("a group has a member");
  return others.reduce((whole, other) => {
    issues.push(joinIssue(first.service, other.service));
    return {
      service: joinServices(whole.service, other.service),
      endpoints: joinEndpoints(whole.endpoints, other.endpoints),
    };
  }, first);
}

const joinServices = memoise((first: Service, second: Service): Service => {
  const more = second.ports.filter(
    ({ name, number }) => !first.ports.some((own) => own.number === number || own.name === name),
  );
  return more.length === 0 ? first : { ...first, ports: [...first.ports, ...more] };
});

const joinEndpoints = memoise((first: ServiceEndpoints, second: ServiceEndpoints) => {
  if (second.size === 0) return first;
  const listed = (endpoints: ServiceEndpoints): { portName: string; endpoint: Endpoint }[] =>
    [...endpoints].flatMap(([portName, list]) => list.map((endpoint) => ({ portName, endpoint })));
  return collectEndpoints([...listed(second), ...listed(first)]);
});

function joinIssue(first: Service, second: Service): ObjectIssue {
  const message =
    `"${second.hostname}" is also a service of ${formatKey(first.key)}, which comes first: ` +
    "only ports that it lacks, and endpoints, are taken from here";
  return { object: second.key, issue: { path: second.path, message, severity: "warning" } };
}
