import { isIP } from "node:net";
import type { Issue } from "../../base/issue.ts";
import { checkDomain } from "../host.ts";
import { validateLabels } from "../metadata.ts";
import type { WorkloadEntrySpec } from "../workload-entry.ts";
import { checkPortName, checkPortNumber, checkUnixEndpoint, isUnixAddress } from "./port-rules.ts";

/** What Istio's webhook refuses about a WorkloadEntry beyond its schema. */
export function validateWorkloadEntry(spec: WorkloadEntrySpec, path: string): readonly Issue[] {
  const { address = "", network = "" } = spec;
  const issues: Issue[] = [];
  if (address === "") {
    if (network === "") {
      issues.push({ path: `${path}.address`, message: "is required, where there is no network" });
    } else {
      const message = `is not set: endpoints of network "${network}" are reached by its gateway`;
      issues.push({ path: `${path}.address`, message, severity: "warning" });
    }
  } else if (isUnixAddress(address)) {
    issues.push(...checkUnixEndpoint(address, `${path}.address`));
  } else {
    issues.push(...checkHostOrIp(address, `${path}.address`));
  }
  return [
    ...issues,
    ...validateEndpointPorts(spec, path),
    ...validateLabels(`${path}.labels`, spec.labels),
  ];
}

/** The ports of an endpoint: names that a service has, and numbers. */
export function validateEndpointPorts(
  { address = "", ports }: WorkloadEntrySpec,
  path: string,
  servicePorts?: ReadonlySet<string>,
): readonly Issue[] {
  if (ports === undefined) return [];
  const issues: Issue[] = [];
  if (isUnixAddress(address)) {
    return [{ path: `${path}.ports`, message: "may not be set for a unix domain socket" }];
  }
  for (const [name, number] of Object.entries(ports)) {
    const where = `${path}.ports[${name}]`;
    if (servicePorts !== undefined && !servicePorts.has(name)) {
      issues.push({ path: where, message: `"${name}" is not the name of a port in spec.ports` });
    }
    issues.push(...checkPortName(name, where), ...checkPortNumber(number, where));
  }
  return issues;
}

/** An IP address, or a whole DNS name without a wildcard. */
export function checkHostOrIp(address: string, path: string): readonly Issue[] {
  if (isIP(address) !== 0 || checkDomain(address) === undefined) return [];
  return [{ path, message: `must be an IP address or a DNS name: got "${address}"` }];
}
