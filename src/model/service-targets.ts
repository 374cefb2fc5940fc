import { memoise } from "../base/memo.ts";
import { matchLabels } from "../config/label-selector.ts";
import type { Endpoint } from "./endpoint.ts";
import { endpointsOf, findWorkload, type Mesh } from "./mesh.ts";
import { compareAge } from "./origin.ts";
import type { ProxyNode } from "./proxy.ts";
import type { Service, ServicePort } from "./service.ts";

/** A service port that leads to the proxy's pod. */
export interface ServiceTarget {
  readonly service: Service;
  readonly port: ServicePort;
  /** The port of the pod. */
  readonly targetPort: number;
}

/**
 * The service ports that lead to a proxy, the oldest service's first. The selector decides, so
 * that a pod is ready to be asked before anybody lists it as ready; services without a selector
 * lead where their endpoints say.
 */
export function serviceTargets(mesh: Mesh, proxy: ProxyNode): readonly ServiceTarget[] {
  const workload = findWorkload(mesh, proxy);
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
      return listed(service, port)
        .filter(({ address }) => address === proxy.ip)
        .map((endpoint) => endpoint.port);
    }
    if (!matchLabels(service.selector, proxy.labels)) return [];
    if (typeof port.targetPort === "number") return [port.targetPort];
    const named = workload?.portByName.get(port.targetPort);
    return named === undefined ? [] : [named];
  }

  function listed(service: Service, port: ServicePort): readonly Endpoint[] {
    return endpointsOf(mesh, service)?.get(port.name) ?? [];
  }
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
