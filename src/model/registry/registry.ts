import { memoise } from "../../base/memo.ts";
import { PatchedMap } from "../../base/patched-map.ts";
import { formatKey } from "../../config/object.ts";
import type { Service as ServiceObject } from "../../config/service.ts";
import type { ConfigView } from "../../store/store.ts";
import type { Endpoint, ServiceEndpoints } from "../endpoint.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import { compareText, type ObjectIssue } from "../origin.ts";
import type { Service, ServiceTarget } from "../service.ts";
import type { Workload } from "../workload.ts";
import { collectEndpoints } from "./endpoint-list.ts";
import { type Aliases, resolveAliases, withAliases } from "./external-names.ts";
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
  /** By address: ports of services without a selector that have an endpoint there. */
  readonly listed: ReadonlyMap<string, readonly ServiceTarget[]>;
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

/** The kinds that a registry is built from. */
const KINDS: readonly (readonly [group: string, kind: string])[] = [
  ["", "Service"],
  ["", "Endpoints"],
  ["", "Pod"],
  ["", "Node"],
  ["discovery.k8s.io", "EndpointSlice"],
  ["networking.istio.io", "ServiceEntry"],
  ["networking.istio.io", "WorkloadEntry"],
];

/** Builds the registry; what did not change since the `previous` one is the same value. */
export function buildRegistry(
  view: ConfigView,
  settings: MeshSettings,
  previous: Registry | undefined,
): Registry {
  const memory = previous?.memory ?? new InputMemory();
  const inputs = [settings, ...KINDS.map(([group, kind]) => view.list(group, kind))];
  memory.begin();
  return memory
    .entry("registry")
    .remember("whole", inputs, () => build({ view: onlyKinds(view), settings, memory }));
}

function build({ view, settings, memory }: Omit<RegistryInput, "workloads">): Registry {
  const { workloads, issues } = memory
    .entry("workloads")
    .remember(
      "listed",
      [view.list("", "Pod"), view.list("", "Node"), view.list(NETWORKING, "WorkloadEntry")],
      () => listWorkloads(view, memory.entry("workloads")),
    );
  const parts = PARTS.map((part) => part({ view, settings, workloads, memory }));
  const joined = joinParts(parts, memory);
  const names = externalNames(view.list<ServiceObject>("", "Service"));
  const aliases = aliasesOf(names, joined.services);
  const known = withAliases(joined.services, aliases, memory);
  const services = memory.keep(
    "services",
    known.map(({ service }) => service),
  );
  const endpoints = known.map((one) => one.endpoints);
  const registry: Registry = {
    services,
    endpoints: endpointMap(known, endpoints, memory),
    listed: listedBy(services, endpoints, memory),
    workloads,
    issues: memory.keep("issues", [
      ...issues,
      ...parts.flatMap((part) => part.issues),
      ...joined.issues,
      ...aliases.issues,
    ]),
    memory,
  };
  memory.end();
  return registry;
}

/** Refuses to show what would not be noticed when it changes. */
function onlyKinds(view: ConfigView): ConfigView {
  const check = (group: string, kind: string): void => {
    if (KINDS.some((one) => one[0] === group && one[1] === kind)) return;
    throw new Error(`a registry is not built from ${kind}`);
  };
  return {
    list: (group, kind, namespace) => {
      check(group, kind);
      return view.list(group, kind, namespace);
    },
    get: (key) => {
      check(key.group, key.kind);
      return view.get(key);
    },
  };
}

const NETWORKING = "networking.istio.io";

const NO_ALIASES: Aliases = { byTarget: new Map(), issues: [] };

function aliasesOf(
  names: readonly ServiceObject[],
  services: readonly { readonly service: Service }[],
): Aliases {
  if (names.length === 0) return NO_ALIASES;
  return resolveAliases(names, new Set(services.map(({ service }) => service.hostname)));
}

/** Services that nobody selects pods for lead where their endpoints say; `endpoints` stand in their order. */
function listedBy(
  services: readonly Service[],
  endpoints: readonly ServiceEndpoints[],
  memory: InputMemory,
): ReadonlyMap<string, readonly ServiceTarget[]> {
  const targetsAt = (place: number, list: readonly ServiceEndpoints[]): AddressTargets => {
    const [service, own] = [services[place], list[place]];
    const isListed = service !== undefined && own !== undefined && service.selector === undefined;
    return isListed ? targetsByAddress(service, own) : NO_TARGETS;
  };
  return memory
    .entry("registry")
    .patch<ServiceEndpoints, PatchedMap<readonly ServiceTarget[]>>(
      "listed",
      { inputs: [services], list: endpoints, keyOf: () => true },
      (change) => {
        if (change === undefined) {
          const lists = services.map((_, place) => targetsAt(place, endpoints));
          return new PatchedMap(joinTargets(new Map(), lists));
        }
        const { list: before, value, changed } = change;
        const patch = new Map<string, readonly ServiceTarget[]>();
        for (const place of changed) {
          for (const [address] of targetsAt(place, before)) {
            const others = (patch.get(address) ?? value.get(address) ?? []).filter(
              ({ service }) => service !== services[place],
            );
            patch.set(address, others);
          }
          joinTargets(patch, [targetsAt(place, endpoints)], value);
        }
        return value.with(
          new Map(
            [...patch].map(([address, targets]) => [
              address,
              targets.length === 0 ? undefined : targets.toSorted(compareTargets),
            ]),
          ),
        );
      },
    );
}

type AddressTargets = readonly (readonly [address: string, targets: readonly ServiceTarget[]])[];

const NO_TARGETS: AddressTargets = [];

/** Adds targets to those that an address has, or has in another map. */
function joinTargets(
  byAddress: Map<string, readonly ServiceTarget[]>,
  lists: readonly AddressTargets[],
  earlier?: ReadonlyMap<string, readonly ServiceTarget[]>,
): Map<string, readonly ServiceTarget[]> {
  for (const list of lists) {
    for (const [address, targets] of list) {
      const known = byAddress.get(address) ?? earlier?.get(address);
      byAddress.set(address, known === undefined ? targets : [...known, ...targets]);
    }
  }
  return byAddress;
}

/** As services are sorted; those of one service stay as they are. */
function compareTargets({ service: a }: ServiceTarget, { service: b }: ServiceTarget): number {
  return compareText(a.hostname, b.hostname) || compareText(a.namespace, b.namespace);
}

/** Where the endpoints of one service are, each address once. */
const targetsByAddress = memoise((service: Service, endpoints: ServiceEndpoints) => {
  const byAddress = new Map<string, ServiceTarget[]>();
  for (const port of service.ports) {
    for (const endpoint of endpoints.get(port.name) ?? []) {
      const target = { service, port, targetPort: endpoint.port };
      const known = byAddress.get(endpoint.address);
      if (known === undefined) byAddress.set(endpoint.address, [target]);
      else known.push(target);
    }
  }
  return [...byAddress];
});

/** By id; the same map while the endpoints of all services are the same. */
function endpointMap(
  known: readonly KnownService[],
  endpoints: readonly ServiceEndpoints[],
  memory: InputMemory,
): ReadonlyMap<string, ServiceEndpoints> {
  const ids = memory.keep(
    "ids",
    known.map(({ service }) => service.id),
  );
  const entryAt = (place: number): [string, ServiceEndpoints] => [
    ids[place] ?? "",
    endpoints[place] as ServiceEndpoints,
  ];
  return memory
    .entry("registry")
    .patch<ServiceEndpoints, PatchedMap<ServiceEndpoints>>(
      "endpoints",
      { inputs: [ids], list: endpoints, keyOf: () => true },
      (change) =>
        change === undefined
          ? new PatchedMap(new Map(ids.map((_, place) => entryAt(place))))
          : change.value.with(new Map(change.changed.map(entryAt))),
    );
}

const externalNames = memoise((objects: readonly ServiceObject[]) => objects.filter(isAlias));

/**
 * All services, sorted. Several of one hostname in one namespace are one: the first decides, the
 * others add the ports that it does not have, and their endpoints, as Istio has it.
 */
function joinParts(parts: readonly RegistryPart[], memory: InputMemory): RegistryPart {
  const all = parts.flatMap(({ services }) => services);
  const groups = groupsOf(
    memory.keep(
      "listed",
      all.map(({ service }) => service),
    ),
  );
  const issues: ObjectIssue[] = [];
  const services = groups.map((group) => {
    const [first = 0] = group;
    const only = group.length === 1 ? all[first] : undefined;
    return (
      only ??
      joinGroup(
        group.flatMap((index) => all[index] ?? []),
        issues,
      )
    );
  });
  return { services, issues };
}

/** The places in a list of those that are one service, in the order of all services. */
const groupsOf = memoise((services: readonly Service[]): readonly (readonly number[])[] => {
  const groups = new Map<string, number[]>();
  for (const [index, { id }] of services.entries()) {
    const group = groups.get(id);
    if (group === undefined) groups.set(id, [index]);
    else group.push(index);
  }
  const first = ([index = 0]: readonly number[]): Service | undefined => services[index];
  return [...groups.values()].sort(
    (a, b) =>
      compareText(first(a)?.hostname ?? "", first(b)?.hostname ?? "") ||
      compareText(first(a)?.namespace ?? "", first(b)?.namespace ?? ""),
  );
});

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
