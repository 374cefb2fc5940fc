import type { Issue } from "../../base/issue.ts";
import { checkDomain } from "../host.ts";
import type {
  IstioEgressListener,
  IstioIngressListener,
  OutboundTrafficPolicy,
  Sidecar,
  SidecarPort,
} from "../sidecar.ts";
import { validateConnectionPool } from "./connection-pool-rules.ts";
import { checkHostEntry } from "./host-entry-rules.ts";
import {
  checkIpAddress,
  checkPortName,
  checkPortNumber,
  checkProtocol,
  checkUnixAddress,
  checkUnixEndpoint,
  isHttpProtocol,
  isTlsProtocol,
  isUnixAddress,
} from "./port-rules.ts";
import { validateDestination } from "./route-destination-rules.ts";
import { validateSelector } from "./selector-rules.ts";
import { validateServerTls } from "./server-tls-rules.ts";

/** What Istio's webhook refuses about a Sidecar beyond its schema. */
export function validateSidecar({ metadata, spec }: Sidecar): readonly Issue[] {
  const { workloadSelector, ingress = [], egress = [], outboundTrafficPolicy } = spec;
  const issues: Issue[] = [];
  if (workloadSelector !== undefined) {
    issues.push(...validateSelector(workloadSelector.labels, "spec.workloadSelector.labels"));
  }
  const isEmpty =
    ingress.length === 0 &&
    egress.length === 0 &&
    outboundTrafficPolicy === undefined &&
    spec.inboundConnectionPool === undefined;
  if (isEmpty) {
    const message =
      "must have one of ingress, egress, outboundTrafficPolicy, inboundConnectionPool";
    return [...issues, { path: "spec", message }];
  }
  return [
    ...issues,
    ...validateIngress(ingress),
    ...validateEgress(egress, metadata.namespace),
    ...validateConnectionPool(spec.inboundConnectionPool, "spec.inboundConnectionPool"),
    ...(outboundTrafficPolicy === undefined ? [] : validateOutbound(outboundTrafficPolicy)),
  ];
}

function validateIngress(listeners: readonly IstioIngressListener[]): readonly Issue[] {
  const issues: Issue[] = [];
  const numbers = new Set<number>();
  for (const [at, listener] of listeners.entries()) {
    const { port, bind = "", defaultEndpoint = "", tls } = listener;
    const { number = 0, protocol = "" } = port;
    const path = `spec.ingress[${at}]`;
    issues.push(...checkPortNumber(number, `${path}.port.number`));
    issues.push(...validatePort(port, `${path}.port`));
    if (bind !== "") issues.push(...checkIpAddress(bind, `${path}.bind`));
    if (numbers.has(number)) {
      issues.push({ path: `${path}.port.number`, message: `duplicate of ${number}` });
    }
    numbers.add(number);
    issues.push(...checkDefaultEndpoint(defaultEndpoint, `${path}.defaultEndpoint`));
    if (tls !== undefined) issues.push(...validateIngressTls(tls, protocol, `${path}.tls`));
    issues.push(...validateConnectionPool(listener.connectionPool, `${path}.connectionPool`));
    if (listener.connectionPool?.http !== undefined && !isHttpProtocol(protocol)) {
      const message = `has no effect: port ${number} speaks "${protocol}", only the tcp settings apply`;
      issues.push({ path: `${path}.connectionPool.http`, message, severity: "warning" });
    }
  }
  return issues;
}

function validatePort(
  { name = "", protocol = "", targetPort = 0 }: SidecarPort,
  path: string,
): readonly Issue[] {
  const issues: Issue[] = [];
  if (name !== "") issues.push(...checkPortName(name, `${path}.name`));
  if (protocol !== "") issues.push(...checkProtocol(protocol, `${path}.protocol`));
  if (targetPort > 0) {
    const message = "may not be set: an ingress listener's defaultEndpoint says where traffic goes";
    issues.push({ path: `${path}.targetPort`, message });
  }
  return issues;
}

const LOOPBACK_HOSTS = ["", "127.0.0.1", "0.0.0.0", "[::1]", "[::]"];

/** Traffic that came in goes to the workload itself, and nowhere else. */
function checkDefaultEndpoint(endpoint: string, path: string): readonly Issue[] {
  if (endpoint === "") return [];
  if (isUnixAddress(endpoint)) return checkUnixEndpoint(endpoint, path);
  const colon = endpoint.lastIndexOf(":");
  if (colon === -1 || !LOOPBACK_HOSTS.includes(endpoint.slice(0, colon))) {
    const message = `must be 127.0.0.1:PORT, 0.0.0.0:PORT, [::1]:PORT, [::]:PORT or unix:///path: got "${endpoint}"`;
    return [{ path, message }];
  }
  const port = endpoint.slice(colon + 1);
  if (/^\d{1,5}$/.test(port)) return checkPortNumber(Number(port), path);
  return [{ path, message: `must end with the number of a port: got "${endpoint}"` }];
}

type IngressTls = NonNullable<IstioIngressListener["tls"]>;

function validateIngressTls(tls: IngressTls, protocol: string, path: string): readonly Issue[] {
  const issues: Issue[] = [];
  const refuse = (field: string, message: string): void => {
    issues.push({ path: `${path}.${field}`, message });
  };
  if ((tls.subjectAltNames ?? []).length > 0) refuse("subjectAltNames", "is only for gateways");
  if (tls.httpsRedirect === true) refuse("httpsRedirect", "is only for gateways");
  for (const field of ["credentialName", "caCertCredentialName"] as const) {
    if ((tls[field] ?? "") !== "") refuse(field, "is only for gateways: name files");
  }
  for (const field of ["credentialNames", "tlsCertificates"] as const) {
    if ((tls[field] ?? []).length > 0) refuse(field, "is only for gateways: name files");
  }
  if (tls.mode === "ISTIO_MUTUAL" || tls.mode === "AUTO_PASSTHROUGH") {
    refuse("mode", `${tls.mode} is only for gateways`);
  }
  if (!isTlsProtocol(protocol)) {
    const message = `may not be set for ${protocol === "" ? "a port without protocol" : protocol}: say HTTPS or TLS`;
    issues.push({ path, message });
  }
  return [...issues, ...validateServerTls(tls, path)];
}

function validateEgress(
  listeners: readonly IstioEgressListener[],
  namespace: string | undefined,
): readonly Issue[] {
  const issues: Issue[] = [];
  const numbers = new Set<number>();
  const sockets = new Set<string>();
  for (const [at, listener] of listeners.entries()) {
    const path = `spec.egress[${at}]`;
    const { port, bind = "" } = listener;
    if (port === undefined) {
      if (at < listeners.length - 1) {
        const message =
          "is required here: only the last listener may leave it out, and takes the rest";
        issues.push({ path: `${path}.port`, message });
      }
    } else {
      issues.push(...validateEgressPort(listener, port, path));
      const { number = 0 } = port;
      if (number === 0 ? sockets.has(bind) : numbers.has(number)) {
        const message = `duplicate of ${number === 0 ? `"${bind}"` : number}`;
        issues.push({ path: number === 0 ? `${path}.bind` : `${path}.port.number`, message });
      }
      if (number === 0) sockets.add(bind);
      else numbers.add(number);
    }
    issues.push(...validateEgressHosts(listener.hosts, `${path}.hosts`, namespace));
  }
  return issues;
}

function validateEgressPort(
  { bind = "", captureMode = "DEFAULT" }: IstioEgressListener,
  port: SidecarPort,
  path: string,
): readonly Issue[] {
  const { number = 0 } = port;
  const issues = [...validatePort(port, `${path}.port`)];
  if (number !== 0) {
    issues.push(...checkPortNumber(number, `${path}.port.number`));
    if (bind !== "") issues.push(...checkIpAddress(bind, `${path}.bind`));
    return issues;
  }
  if (!isUnixAddress(bind)) {
    const message = `must be a unix domain socket (unix:///path) where the port has no number: got "${bind}"`;
    return [...issues, { path: `${path}.bind`, message }];
  }
  issues.push(...checkUnixAddress(bind, `${path}.bind`));
  if (captureMode === "IPTABLES") {
    const message = "must be DEFAULT or NONE with a unix domain socket: got IPTABLES";
    issues.push({ path: `${path}.captureMode`, message });
  }
  return issues;
}

function validateEgressHosts(
  hosts: readonly string[],
  path: string,
  ownNamespace = "",
): readonly Issue[] {
  if (hosts.length === 0) return [{ path, message: "must not be empty" }];
  const issues: Issue[] = [];
  const byNamespace = new Map<string, Set<string>>();
  for (const [at, entry] of hosts.entries()) {
    const where = `${path}[${at}]`;
    issues.push(...checkHostEntry(entry, where, "sidecar"));
    const slash = entry.indexOf("/");
    const host = entry.slice(slash + 1);
    const namespace = entry.startsWith("./") ? ownNamespace : entry.slice(0, slash);
    // What begins with "~" takes away from the others.
    if (slash === -1 || namespace.startsWith("~")) continue;
    const seen = byNamespace.get(namespace) ?? new Set();
    if (host === "*" ? seen.size > 0 : seen.has(host) || seen.has("*")) {
      const message = `"${entry}" overlaps with the entries before it`;
      issues.push({ path: where, message, severity: "warning" });
    }
    byNamespace.set(namespace, seen.add(host));
  }
  if (byNamespace.get("*")?.has("*") === true && byNamespace.size > 1) {
    const message = '"*/*" takes all there is: the other entries change nothing';
    issues.push({ path, message, severity: "warning" });
  }
  return issues;
}

function validateOutbound({ mode, egressProxy }: OutboundTrafficPolicy): readonly Issue[] {
  if (egressProxy === undefined) return [];
  const path = "spec.outboundTrafficPolicy.egressProxy";
  const issues: Issue[] = [];
  if (mode !== "ALLOW_ANY") {
    issues.push({ path, message: "may only be set with mode ALLOW_ANY" });
  }
  const wrong = checkDomain(egressProxy.host);
  if (wrong !== undefined) issues.push({ path: `${path}.host`, message: wrong });
  else issues.push(...validateDestination(egressProxy, path));
  if (egressProxy.port === undefined) {
    issues.push({ path: `${path}.port`, message: "is required" });
  }
  return issues;
}
