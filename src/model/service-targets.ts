import { memoise } from "../base/memo.ts";
import { matchLabels } from "../config/label-selector.ts";
import type { ServiceEntry } from "../config/service-entry.ts";
import type { Labels } from "./labels.ts";
import { findWorkload, type Mesh } from "./mesh.ts";
import { compareAge } from "./origin.ts";
import type { ProxyNode } from "./proxy.ts";
import type { Service, ServicePort, ServiceTarget } from "./service.ts";

/**
 * The service ports that lead to a proxy, the oldest service's first. The selector decides, so
 * that a pod is ready to be asked before anybody lists it as ready; services without a selector
 * lead where their endpoints say.
 */
export function serviceTargets(mesh: Mesh, proxy: ProxyNode): readonly ServiceTarget[] {
  const workload = findWorkload(mesh, proxy);
  const listed = proxy.ips.flatMap((ip) => mesh.registry.listed.get(ip) ?? []);
  const targets: ServiceTarget[] = [];
  for (const service of candidates(mesh, proxy, listed)) {
    for (const port of service.ports) {
      for (const targetPort of targetPorts(service, port)) {
        targets.push({ service, port, targetPort });
      }
    }
  }
  return targets;

  function targetPorts(service: Service, port: ServicePort): readonly number[] {
    if (service.selector === undefined) {
      const listing = listed
        .filter((target) => target.service === service && target.port === port)
        .map((target) => target.targetPort);
      // A pod that a ServiceEntry selects is its target before it is ready, as with a Service.
      const isSelected = workload?.source === "Pod" && selects(service, proxy.labels);
      return [...new Set([...listing, ...(isSelected ? [Number(port.targetPort)] : [])])];
    }
    if (!matchLabels(service.selector, proxy.labels)) return [];
    if (typeof port.targetPort === "number") return [port.targetPort];
    const named = workload?.portByName.get(port.targetPort);
    return named === undefined ? [] : [named];
  }
}

/** Services that may lead to a proxy, the oldest first; costs as much as there are of them. */
function candidates(
  { registry }: Mesh,
  { namespace, labels }: ProxyNode,
  listed: readonly ServiceTarget[],
): readonly Service[] {
  const { byLabel, ages } = serviceIndex(registry.services);
  const found = new Set(byLabel.get(labelText(namespace)));
  for (const [name, value] of Object.entries(labels)) {
    for (const service of byLabel.get(labelText(namespace, name, value)) ?? []) found.add(service);
  }
  for (const { service } of listed) if (service.namespace === namespace) found.add(service);
  return [...found].sort((a, b) => (ages.get(a) ?? 0) - (ages.get(b) ?? 0));
}

/** Whether a ServiceEntry's selector selects a workload with these labels. */
function selects(service: Service, labels: Labels): boolean {
  const wanted = wantedByEntry(service);
  return Object.keys(wanted).length > 0 && matchLabels(wanted, labels);
}

function wantedByEntry({ object, registry }: Service): Labels {
  if (registry !== "External") return {};
  return (object as ServiceEntry).spec.workloadSelector?.labels ?? {};
}

/** Services by one of the labels that they select, those that select whatever there is by none. */
const serviceIndex = memoise((services: readonly Service[]) => {
  const byLabel = new Map<string, Service[]>();
  const oldestFirst = services.toSorted((a, b) => compareAge(a.object, b.object));
  for (const service of oldestFirst) {
    const [label] = Object.entries(service.selector ?? wantedByEntry(service));
    // What selects nothing leads where it is listed.
    if (label === undefined && service.selector === undefined) continue;
    const text = labelText(service.namespace, ...(label ?? []));
    const list = byLabel.get(text);
    if (list === undefined) byLabel.set(text, [service]);
    else list.push(service);
  }
  return { byLabel, ages: new Map(oldestFirst.map((service, age) => [service, age])) };
});

function labelText(...parts: readonly string[]): string {
  return parts.join("\0");
}
