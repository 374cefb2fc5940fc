import { matchLabels } from "../config/label-selector.ts";
import type { Endpoint } from "./endpoint.ts";
import { findWorkload, type Mesh } from "./mesh.ts";
import { compareAge, type ObjectIssue } from "./origin.ts";
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
  const services = [...mesh.services.values()].sort((a, b) => compareAge(a.object, b.object));
  for (const service of services) {
    if (service.namespace !== proxy.namespace) continue;
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
    return mesh.endpoints.get(service.hostname)?.get(port.name) ?? [];
  }
}

/** One target per port of the pod, sorted by port; of several services the oldest counts. */
export function inboundTargets(targets: readonly ServiceTarget[]): {
  readonly inbound: readonly ServiceTarget[];
  readonly issues: readonly ObjectIssue[];
} {
  const byPort = new Map<number, ServiceTarget>();
  const issues: ObjectIssue[] = [];
  for (const target of targets) {
    const first = byPort.get(target.targetPort);
    if (first === undefined) {
      byPort.set(target.targetPort, target);
    } else if (first.port.protocol !== target.port.protocol) {
      const index = target.service.object.spec.ports?.findIndex(
        ({ port }) => port === target.port.number,
      );
      issues.push({
        object: target.service.key,
        issue: {
          path: `spec.ports[${index ?? 0}]`,
          message:
            `port ${target.targetPort} of the pods speaks ${target.port.protocol} here but ` +
            `${first.port.protocol} in Service/${first.service.namespace}/${first.service.name}, ` +
            `which is older and counts`,
          severity: "warning",
        },
      });
    }
  }
  const inbound = [...byPort.values()].sort((a, b) => a.targetPort - b.targetPort);
  return { inbound, issues };
}
