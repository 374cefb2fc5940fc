import type { Issue } from "../../base/issue.ts";
import { checkDomain, checkWildcardDomain } from "../host.ts";
import { validateLabels } from "../metadata.ts";
import type { ServiceEntry } from "../service-entry.ts";
import { validateExportTo } from "./export-to-rules.ts";
import {
  checkIpAddress,
  checkPortName,
  checkProtocol,
  checkSubnet,
  checkUnixEndpoint,
  isHttpProtocol,
  isTlsProtocol,
  isUnixAddress,
} from "./port-rules.ts";
import { validateSelector } from "./selector-rules.ts";
import { checkHostOrIp, validateEndpointPorts } from "./workload-entry-rules.ts";

type Spec = ServiceEntry["spec"];

/** With this label requests go through a waypoint, which resolves no names for the mesh's own. */
const USE_WAYPOINT_LABEL = "istio.io/use-waypoint";

/** What Istio's webhook refuses about a ServiceEntry beyond its schema. */
export function validateServiceEntry({ metadata, spec }: ServiceEntry): readonly Issue[] {
  const { workloadSelector, endpoints, exportTo } = spec;
  const issues = [
    ...validateHosts(spec),
    ...validateAddresses(spec),
    ...validatePorts({ metadata, spec }),
  ];
  if (workloadSelector !== undefined) {
    issues.push(...validateSelector(workloadSelector.labels, "spec.workloadSelector.labels"));
    if (endpoints !== undefined) {
      const message = "may not be set beside spec.workloadSelector: choose one of them";
      issues.push({ path: "spec.endpoints", message });
    }
  }
  const isWaypointUsed = metadata.labels?.[USE_WAYPOINT_LABEL] !== undefined;
  const rules = { path: "spec.exportTo", namespace: metadata.namespace, isNobodyAllowed: true };
  return [
    ...issues,
    ...validateEndpoints(spec),
    ...validateResolution(spec, isWaypointUsed),
    ...validateExportTo(exportTo, rules),
  ];
}

function validateHosts({ hosts }: Spec): readonly Issue[] {
  return hosts.flatMap((host, at): readonly Issue[] => {
    const path = `spec.hosts[${at}]`;
    if (host === "*") return [{ path, message: '"*" is no service: name it, or its domain' }];
    const wrong = checkWildcardDomain(host);
    if (wrong !== undefined) return [{ path, message: wrong }];
    if (!host.includes("*") || host.startsWith("*.")) return [];
    const message = `should have "*" only as its whole first label: got "${host}"`;
    return [{ path, message, severity: "warning" }];
  });
}

function validateAddresses({ addresses = [], resolution = "NONE" }: Spec): readonly Issue[] {
  return addresses.flatMap((address, at): readonly Issue[] => {
    const path = `spec.addresses[${at}]`;
    const wrong = checkSubnet(address, path);
    if (wrong.length > 0 || !address.includes("/")) return wrong;
    if (resolution === "NONE" || resolution === "STATIC") return [];
    const message = `a block of addresses is only for resolution NONE and STATIC: got "${address}"`;
    return [{ path, message }];
  });
}

function validatePorts({
  metadata,
  spec,
}: Pick<ServiceEntry, "metadata" | "spec">): readonly Issue[] {
  const issues: Issue[] = [];
  const numbers = new Set<number>();
  const isAddressed = (spec.addresses ?? []).length > 0 || isAllocated(metadata.labels, spec);
  for (const [at, { name, number, protocol = "" }] of (spec.ports ?? []).entries()) {
    const path = `spec.ports[${at}]`;
    issues.push(...checkPortName(name, `${path}.name`));
    if (numbers.has(number)) {
      issues.push({ path: `${path}.number`, message: `duplicate of ${number}` });
    }
    numbers.add(number);
    if (protocol !== "") issues.push(...checkProtocol(protocol, `${path}.protocol`));
    if (!isAddressed && (protocol === "" || protocol.toUpperCase() === "TCP")) {
      const message = `takes every connection to port ${number}: without spec.addresses, TCP is told apart by port alone`;
      issues.push({ path, message, severity: "warning" });
    }
  }
  return issues;
}

/** Off with "false": the object's hosts get no addresses of their own. */
const ALLOCATE_LABEL = "networking.istio.io/enable-autoallocate-ip";

/** Whether an address is given to the object's hosts: names that are whole, and that are resolved. */
function isAllocated(
  labels: Readonly<Record<string, string>> | undefined,
  { resolution = "NONE", hosts }: Spec,
): boolean {
  return (
    resolution !== "NONE" &&
    labels?.[ALLOCATE_LABEL] !== "false" &&
    !hosts.some((host) => host.includes("*"))
  );
}

function validateEndpoints(spec: Spec): readonly Issue[] {
  const { endpoints = [], ports = [], resolution = "NONE" } = spec;
  // What may not be there at all has its issue already.
  if (resolution === "NONE" || resolution === "DYNAMIC_DNS") return [];
  const names = new Set(ports.map(({ name }) => name));
  const issues = endpoints.flatMap((endpoint, at) => {
    const path = `spec.endpoints[${at}]`;
    return [
      ...validateEndpointAddress(endpoint, resolution, path),
      ...validateEndpointPorts(endpoint, path, names),
      ...validateLabels(`${path}.labels`, endpoint.labels),
    ];
  });
  const hasSocket = endpoints.some(({ address = "" }) => isUnixAddress(address));
  if (resolution === "STATIC" && hasSocket && ports.length !== 1) {
    const message = `must have exactly one port, where an endpoint is a unix domain socket: got ${ports.length}`;
    issues.push({ path: "spec.ports", message });
  }
  return issues;
}

function validateEndpointAddress(
  { address = "", network = "" }: NonNullable<Spec["endpoints"]>[number],
  resolution: "STATIC" | "DNS" | "DNS_ROUND_ROBIN",
  path: string,
): readonly Issue[] {
  const where = `${path}.address`;
  if (address === "" && resolution === "STATIC") {
    if (network === "") return [{ path: where, message: "is required, where there is no network" }];
    const message = `is not set: endpoints of network "${network}" are reached by its gateway`;
    return [{ path: where, message, severity: "warning" }];
  }
  if (resolution !== "STATIC") return checkHostOrIp(address, where);
  if (isUnixAddress(address)) return checkUnixEndpoint(address, where);
  const wrong = checkIpAddress(address, where);
  if (wrong.length === 0 || checkDomain(address) !== undefined) return wrong;
  const message = `must be an IP address with resolution STATIC: got "${address}", say DNS for names`;
  return [{ path: where, message }];
}

function validateResolution(spec: Spec, isWaypointUsed: boolean): readonly Issue[] {
  const { resolution = "NONE", endpoints, workloadSelector } = spec;
  const issues: Issue[] = [...validateTellingApart(spec)];
  switch (resolution) {
    case "NONE":
      if (endpoints !== undefined) {
        const message = "may not be set with resolution NONE: say STATIC or DNS";
        issues.push({ path: "spec.endpoints", message });
      }
      if (workloadSelector !== undefined) {
        const message = "has no effect with resolution NONE: say STATIC";
        issues.push({ path: "spec.workloadSelector", message, severity: "warning" });
      }
      return issues;
    case "STATIC":
      return [...issues, ...warnOfNoEndpoints(spec)];
    case "DNS":
    case "DNS_ROUND_ROBIN":
      return [...issues, ...validateDns(spec, resolution)];
    case "DYNAMIC_DNS":
      return [...issues, ...validateDynamicDns(spec, isWaypointUsed)];
  }
}

/** Istio takes it, so that the last endpoint may go: then there is nobody to send requests to. */
function warnOfNoEndpoints({ endpoints = [], workloadSelector }: Spec): readonly Issue[] {
  if (endpoints.length > 0 || workloadSelector !== undefined) return [];
  const message =
    "STATIC is for addresses in spec.endpoints or of a spec.workloadSelector: with neither, requests are answered with 503";
  return [{ path: "spec.resolution", message, severity: "warning" }];
}

function validateDns({ hosts, endpoints = [] }: Spec, resolution: string): readonly Issue[] {
  if (resolution === "DNS_ROUND_ROBIN" && endpoints.length > 1) {
    const message = `must have at most one entry with DNS_ROUND_ROBIN: got ${endpoints.length}`;
    return [{ path: "spec.endpoints", message }];
  }
  if (endpoints.length > 0) return [];
  return hosts.flatMap((host, at): readonly Issue[] => {
    if (!host.includes("*")) return [];
    const message = `must be a whole name with ${resolution} and no endpoints, there is nothing to look up: got "${host}"`;
    return [{ path: `spec.hosts[${at}]`, message }];
  });
}

function validateDynamicDns(spec: Spec, isWaypointUsed: boolean): readonly Issue[] {
  const { hosts, ports = [], endpoints = [], addresses = [], location } = spec;
  const issues: Issue[] = [];
  for (const [at, host] of hosts.entries()) {
    if (host.startsWith("*")) continue;
    const message = `must begin with "*" with resolution DYNAMIC_DNS: got "${host}"`;
    issues.push({ path: `spec.hosts[${at}]`, message });
  }
  for (const [at, { protocol = "" }] of ports.entries()) {
    if (isHttpProtocol(protocol) || isTlsProtocol(protocol)) continue;
    const message = `must be HTTP, HTTP2, GRPC, HTTPS or TLS with resolution DYNAMIC_DNS: got "${protocol}"`;
    issues.push({ path: `spec.ports[${at}].protocol`, message });
  }
  if (endpoints.length > 0) {
    const message = "may not be set with resolution DYNAMIC_DNS: clients say the name";
    issues.push({ path: "spec.endpoints", message });
  }
  if (addresses.length > 0) {
    const message = "may not be set with resolution DYNAMIC_DNS: traffic is told apart by name";
    issues.push({ path: "spec.addresses", message });
  }
  if (location === "MESH_INTERNAL" && isWaypointUsed) {
    const message = `may not be MESH_INTERNAL with resolution DYNAMIC_DNS and the label ${USE_WAYPOINT_LABEL}`;
    issues.push({ path: "spec.location", message });
  }
  return issues;
}

/** HTTP tells hosts apart by its authority and TLS by SNI; bytes alone cannot. */
function validateTellingApart({ hosts, ports = [], resolution = "NONE" }: Spec): readonly Issue[] {
  if (resolution === "NONE" || hosts.length < 2) return [];
  return ports.flatMap(({ protocol = "" }, at): readonly Issue[] => {
    if (isHttpProtocol(protocol) || isTlsProtocol(protocol)) return [];
    const message = `several hosts cannot be told apart on a port of protocol "${protocol}": make an object for each`;
    return [{ path: `spec.ports[${at}].protocol`, message }];
  });
}
