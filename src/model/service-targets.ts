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
  for (const service of servicesByNamespace(mesh.registry.services).get(proxy.namespace) ?? []) {
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

/** Whether a ServiceEntry's selector selects a workload with these labels. */
function selects({ object, registry }: Service, labels: Labels): boolean {
  if (registry !== "External") return false;
  const wanted = (object as ServiceEntry).spec.workloadSelector?.labels ?? {};
  return Object.keys(wanted).length > 0 && matchLabels(wanted, labels);
}

/** The services of each namespace, the oldest first. */
const servicesByNamespace = memoise((services: readonly Service[]) => {
  const byNamespace = new Map<string, Service[]>();
  for (const service of services) {
    const list = byNamespace.get(service.namespace);
    if (list === undefined) byNamespace.set(service.namespace, [service]);
    else list.push(service);
  }
  for (const list of byNamespace.values()) list.sort((a, b) => compareAge(a.object, b.object));
  return byNamespace;
});
