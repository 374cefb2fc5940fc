import { formatKey } from "../../config/object.ts";
import type { ObjectIssue } from "../origin.ts";
import type { ProxyNode } from "../proxy.ts";
import type { ServiceTarget } from "../service.ts";

/** Where apps find the explicit proxy of their sidecar. */
const HTTP_PROXY_PORT = 15_002;

/** Ports of the pod's address that the sidecar listens on for itself. */
const SIDECAR_PORTS: Readonly<Record<number, string>> = {
  15000: "administration",
  [HTTP_PROXY_PORT]: "explicit proxy",
  15021: "health",
};

/** One target per port of the pod, sorted by port; of several services the oldest counts. */
export function inboundTargets(
  targets: readonly ServiceTarget[],
  { interceptionMode }: Pick<ProxyNode, "interceptionMode">,
): {
  readonly inbound: readonly ServiceTarget[];
  readonly issues: readonly ObjectIssue[];
} {
  const byPort = new Map<number, ServiceTarget>();
  const issues: ObjectIssue[] = [];
  for (const target of targets) {
    const first = byPort.get(target.targetPort);
    // Where traffic is captured, those ports are left out before it comes to listeners.
    const use = interceptionMode === "NONE" ? SIDECAR_PORTS[target.targetPort] : undefined;
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
  const index = service.ports.indexOf(port);
  return {
    object: service.key,
    issue: { path: `spec.ports[${index}]`, message, severity: "warning" },
  };
}
