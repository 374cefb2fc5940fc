import { isIP } from "node:net";
import { memoise } from "../../base/memo.ts";
import { matchLabels } from "../../config/label-selector.ts";
import type { ServiceEntry } from "../../config/service-entry.ts";
import { ageText, compareAge, type ObjectIssue } from "../origin.ts";
import type { Service } from "../service.ts";
import { type Workload, workloadIndex } from "../workload.ts";
import { allocateAddresses } from "./auto-address.ts";
import type { RegistryInput } from "./registry.ts";
import {
  type KnownService,
  type MemoryEntry,
  type RegistryPart,
  replaced,
} from "./registry-part.ts";
import {
  buildEntryEndpoints,
  buildEntryServices,
  needsAddress,
  withAutoAddresses,
} from "./service-entry.ts";

const NOBODY: readonly Workload[] = [];

/**
 * Services that ServiceEntries describe; the oldest first. Where only some of them differ from the
 * last time, only those are looked at.
 */
export function buildServiceEntryPart(input: RegistryInput): RegistryPart {
  const { view, workloads, memory } = input;
  const whole = memory.entry("ServiceEntries");
  const list = view.list<ServiceEntry>("networking.istio.io", "ServiceEntry");
  const objects = whole.patch<ServiceEntry, readonly ServiceEntry[]>(
    "objects",
    { inputs: [], list, keyOf: ageText },
    (change) => {
      if (change === undefined) return [...list].sort(compareAge);
      const { list: before, value, changed } = change;
      const next = new Map(changed.map((place) => [before[place], list[place]]));
      return value.map((object) => next.get(object) ?? object);
    },
  );
  const built = buildEntries(objects, input);
  const addresses = addressesFor(
    whole.patch<BuiltEntry, readonly string[]>(
      "names that need addresses",
      { inputs: [], list: built, keyOf: (one) => one.services },
      (change) =>
        change?.value ??
        built.flatMap(({ services, isAddressed }) =>
          isAddressed ? [] : services.filter(needsAddress).map(({ id }) => id),
        ),
    ),
  );
  const known = whole.patch<BuiltEntry, readonly (readonly KnownService[])[]>(
    "known",
    { inputs: [workloads, addresses], list: built, keyOf: (one) => one.entry },
    (change) => {
      const of = (one: BuiltEntry | undefined): readonly KnownService[] =>
        one === undefined ? [] : knownServices(one, input, addresses);
      if (change === undefined) return built.map(of);
      return replaced(change.value, change.changed, (place) => of(built[place]));
    },
  );
  return {
    services: whole.remember("services", [known], () => known.flat()),
    issues: whole.remember("issues", [built], () => built.flatMap(({ issues }) => issues)),
  };
}

function buildEntries(
  objects: readonly ServiceEntry[],
  { settings: { exportTo }, memory }: RegistryInput,
): readonly BuiltEntry[] {
  const own = memory.part("of ServiceEntries");
  const buildOne = (object: ServiceEntry): BuiltEntry => {
    const entry = own.entry(entryName(object));
    // Endpoints come and go: the services, and all that follows from them, stay the same value.
    const services = entry.remember("services", [withoutEndpoints(object), exportTo], () =>
      buildEntryServices(object, exportTo),
    );
    const isAddressed = !services.some(needsAddress);
    return { object, entry, services, isAddressed, issues: entryIssues(object) };
  };
  return memory
    .entry("ServiceEntries")
    .patch<ServiceEntry, readonly BuiltEntry[]>(
      "built",
      { inputs: [exportTo], list: objects, keyOf: ageText },
      (change) => {
        if (change !== undefined) {
          const of = (place: number): BuiltEntry => buildOne(objects[place] as ServiceEntry);
          return replaced(change.value, change.changed, of);
        }
        own.begin();
        const all = objects.map(buildOne);
        own.end();
        return all;
      },
    );
}

function knownServices(
  one: BuiltEntry,
  input: RegistryInput,
  addresses: Addresses,
): readonly KnownService[] {
  const { object, entry, services, isAddressed } = one;
  const found = selectedBy(object, input);
  const selected = found === NOBODY ? NOBODY : entry.keep("selected", found);
  const given = isAddressed
    ? NOT_GIVEN
    : services.map((service) => (needsAddress(service) ? addresses.get(service.id) : undefined));
  return entry.remember("known", [object, services, selected, ...given], () =>
    services.map((service, index): KnownService => {
      const pair = given[index];
      const own = pair === undefined ? service : withAutoAddresses(service, ...pair);
      return { service: own, endpoints: buildEntryEndpoints(own, object, selected) };
    }),
  );
}

/** What is made of a ServiceEntry alone; the same value while the object is. */
interface BuiltEntry {
  readonly object: ServiceEntry;
  readonly entry: MemoryEntry;
  readonly services: readonly Service[];
  /** Whether none of them needs an address from the mesh. */
  readonly isAddressed: boolean;
  readonly issues: readonly ObjectIssue[];
}

const NOT_GIVEN: readonly (readonly [ipv4: string, ipv6: string] | undefined)[] = [];

/** What is remembered of a ServiceEntry; no service's id is like it. */
const entryName = memoise(
  ({ metadata }: ServiceEntry): string => `entry ${metadata.namespace ?? ""}/${metadata.name}`,
);

/** All of a ServiceEntry that its services are made from, as text. */
const withoutEndpoints = memoise(({ metadata, spec }: ServiceEntry): string => {
  const { name, namespace, labels, annotations, creationTimestamp } = metadata;
  const { endpoints: _, ...rest } = spec;
  return JSON.stringify([name, namespace, labels, annotations, creationTimestamp, rest]);
});

const addressesFor = memoise(allocateAddresses);

type Addresses = ReturnType<typeof allocateAddresses>;

/** Pods and WorkloadEntries of its namespace that a ServiceEntry selects. */
function selectedBy(
  { metadata, spec }: ServiceEntry,
  { workloads }: RegistryInput,
): readonly Workload[] {
  const labels = spec.workloadSelector?.labels;
  if (labels === undefined || Object.keys(labels).length === 0) return NOBODY;
  const candidates = workloadIndex(workloads).byNamespace.get(metadata.namespace ?? "") ?? NOBODY;
  return candidates.filter((workload) => matchLabels(labels, workload.labels));
}

/** What the entry says in vain. */
function entryIssues(object: ServiceEntry): readonly ObjectIssue[] {
  const { resolution = "NONE", endpoints = [] } = object.spec;
  const key = {
    group: "networking.istio.io",
    kind: "ServiceEntry",
    namespace: object.metadata.namespace ?? "",
    name: object.metadata.name,
  };
  return endpoints.flatMap(({ address = "" }, index): readonly ObjectIssue[] => {
    const path = `spec.endpoints[${index}].address`;
    if (address === "") {
      const message = "is missing: endpoints of other networks are not built yet, it is left out";
      return [{ object: key, issue: { path, message, severity: "warning" } }];
    }
    const isName = isIP(address) === 0 && !address.startsWith("unix://");
    if (!isName || resolution.startsWith("DNS")) return [];
    const message = `"${address}" is a name, which resolution ${resolution} does not look up: it is left out`;
    return [{ object: key, issue: { path, message, severity: "warning" } }];
  });
}
