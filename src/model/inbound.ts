import { memoise } from "../base/memo.ts";
import { matchLabels } from "../config/label-selector.ts";
import { formatKey } from "../config/object.ts";
import type { Endpoint } from "./endpoint.ts";
import { findWorkload, type Mesh } from "./mesh.ts";
import { compareAge, type ObjectIssue } from "./origin.ts";
import type { ProxyNode } from "./proxy.ts";
import type { Service, ServicePort } from "./service.ts";

/** Where apps find the explicit proxy of their sidecar. */
export const HTTP_PROXY_PORT = 15_002;

/** Ports of the pod's address that the sidecar listens on for itself. */
const SIDECAR_PORTS: Readonly<Record<number, string>> = {
  15000: "administration",
  [HTTP_PROXY_PORT]: "explicit proxy",
  15021: "health",
};

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
  for (const service of servicesByNamespace(mesh.services).get(proxy.namespace) ?? []) {
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

/** The services of each namespace, the oldest first. */
const servicesByNamespace = memoise((services: Mesh["services"]) => {
  const byNamespace = new Map<string, Service[]>();
  for (const service of services.values()) {
    const list = byNamespace.get(service.namespace);
    if (list === undefined) byNamespace.set(service.namespace, [service]);
    else list.push(service);
  }
  for (const list of byNamespace.values()) list.sort((a, b) => compareAge(a.object, b.object));
  return byNamespace;
});

/** One target per port of the pod, sorted by port; of several services the oldest counts. */
export function inboundTargets(targets: readonly ServiceTarget[]): {
  readonly inbound: readonly ServiceTarget[];
  readonly issues: readonly ObjectIssue[];
} {
  const byPort = new Map<number, ServiceTarget>();
  const issues: ObjectIssue[] = [];
  for (const target of targets) {
    const first = byPort.get(target.targetPort);
    const use = SIDECAR_PORTS[target.targetPort];
    if (use !== undefined) {
      const why = `port ${target.targetPort} of the pods is the sidecar's own (${use})`;
      issues.push(targetIssue(target, `${why}: the app cannot be reached on it`));
    } else if (first === undefined) {
      byPort.set(target.targetPort, target);
    } else if (first.port.protocol !== target.port.protocol) {
      const here = `port ${target.targetPort} of the pods speaks ${target.port.protocol} here`;
      const there = `${first.port.protocol} in ${formatKey(first.service.key)}`;
      issues.push(targetIssue(target, `${here} but ${there}, which is older and counts`));
    }
  }
  const inbound = [...byPort.values()].sort((a, b) => a.targetPort - b.targetPort);
  return { inbound, issues };
}

function targetIssue({ service, port }: ServiceTarget, message: string): ObjectIssue {
  const index = service.object.spec.ports?.findIndex((one) => one.port === port.number) ?? 0;
  return {
    object: service.key,
    issue: { path: `spec.ports[${index}]`, message, severity: "warning" },
  };
}
