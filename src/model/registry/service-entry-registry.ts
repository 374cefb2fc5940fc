import { isIP } from "node:net";
import { memoise } from "../../base/memo.ts";
import { matchLabels } from "../../config/label-selector.ts";
import type { ServiceEntry } from "../../config/service-entry.ts";
import { compareAge, type ObjectIssue } from "../origin.ts";
import type { Service } from "../service.ts";
import { type Workload, workloadIndex } from "../workload.ts";
import { allocateAddresses } from "./auto-address.ts";
import type { RegistryInput } from "./registry.ts";
import type { KnownService, MemoryEntry, RegistryPart } from "./registry-part.ts";
import {
  buildEntryEndpoints,
  buildEntryServices,
  needsAddress,
  withAutoAddresses,
} from "./service-entry.ts";

const NOBODY: readonly Workload[] = [];

/** Services that ServiceEntries describe; the oldest first. */
export function buildServiceEntryPart(input: RegistryInput): RegistryPart {
  const { view, settings, memory } = input;
  const objects = [...view.list<ServiceEntry>("networking.istio.io", "ServiceEntry")].sort(
    compareAge,
  );
  const built = objects.map((object) => {
    const entry = memory.entry(entryName(object));
    return entry.remember("built", [object, settings.exportTo], (): BuiltEntry => {
      // Endpoints come and go: the services, and all that follows from them, stay the same value.
      const inputs = [withoutEndpoints(object), settings.exportTo];
      const services = entry.remember("services", inputs, () =>
        buildEntryServices(object, settings.exportTo),
      );
      const isAddressed = !services.some(needsAddress);
      return { object, entry, services, isAddressed, issues: entryIssues(object) };
    });
  });
  const addresses = addressesFor(
    memory.keep(
      "names that need addresses",
      built.flatMap(({ services, isAddressed }) =>
        isAddressed ? [] : services.filter(needsAddress).map(({ id }) => id),
      ),
    ),
  );
  const services = built.flatMap((one) => {
    const { object, entry, services: own, isAddressed } = one;
    const found = selectedBy(object, input);
    const selected = found === NOBODY ? NOBODY : entry.keep("selected", found);
    const given = isAddressed
      ? NOT_GIVEN
      : own.map((service) => (needsAddress(service) ? addresses.get(service.id) : undefined));
    return entry.remember("known", [one, selected, ...given], () =>
      own.map((service, index): KnownService => {
        const pair = given[index];
        const whole = pair === undefined ? service : withAutoAddresses(service, ...pair);
        return { service: whole, endpoints: buildEntryEndpoints(whole, object, selected) };
      }),
    );
  });
  return { services, issues: built.flatMap(({ issues }) => issues) };
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
