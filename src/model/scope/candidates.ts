import { memoise } from "../../base/memo.ts";
import type { KubeObject } from "../../config/object.ts";
import { compareAge, compareText } from "../origin.ts";
import type { Service } from "../service.ts";
import { isVisible } from "../visibility.ts";

/** Services that clients of a namespace may see, by hostname; the one that counts comes first. */
export type Candidates = ReadonlyMap<string, readonly Service[]>;

/**
 * The services that are exported to a namespace. Of several with one hostname the namespace's own
 * counts, then Kubernetes' (nobody takes a name over from a cluster's service), then the oldest.
 */
export const candidatesFor = memoise(
  (services: readonly Service[], namespace: string): Candidates => {
    const byHost = new Map<string, Service[]>();
    for (const service of services) {
      if (!isVisible(service.visibility, namespace)) continue;
      const list = byHost.get(service.hostname);
      if (list === undefined) byHost.set(service.hostname, [service]);
      else list.push(service);
    }
    for (const list of byHost.values()) {
      if (list.length > 1) list.sort((a, b) => compareRank(a, b, namespace));
    }
    return new Map([...byHost].sort(([a], [b]) => compareText(a, b)));
  },
);

function compareRank(a: Service, b: Service, namespace: string): number {
  return rank(a, namespace) - rank(b, namespace) || compareAge(ageOf(a), ageOf(b));
}

function rank(service: Service, namespace: string): number {
  if (service.namespace === namespace) return service.registry === "Kubernetes" ? 0 : 1;
  return service.registry === "Kubernetes" ? 2 : 3;
}

function ageOf({ object }: Service): KubeObject {
  return object;
}

/** The first of each. */
export const firstCandidates = memoise((candidates: Candidates): ReadonlyMap<string, Service> => {
  const services = new Map<string, Service>();
  for (const [hostname, [first]] of candidates) {
    if (first !== undefined) services.set(hostname, first);
  }
  return services;
});
