import { isIPv4 } from "../../base/ip.ts";
import { memoise } from "../../base/memo.ts";
import { findRule, policyOf } from "../destination-rule.ts";
import type { Mesh } from "../mesh.ts";
import type { ObjectIssue } from "../origin.ts";
import type { ProxyNode } from "../proxy.ts";
import type { Scope } from "../scope.ts";
import type { ServiceTarget } from "../service.ts";
import { serviceTargets } from "../service-targets.ts";
import type { ConnectionPool } from "../traffic-policy.ts";
import { type InboundPort, servicePortOf } from "./inbound-port.ts";
import { inboundTargets } from "./inbound-targets.ts";
import { inboundPool, ingressPorts } from "./ingress-listeners.ts";

/** The ports that traffic comes in for, sorted by number, and what cannot be had of them. */
export interface InboundPorts {
  /** The same list while the ports are the same. */
  readonly ports: readonly InboundPort[];
  readonly issues: readonly ObjectIssue[];
}

/**
 * A Sidecar that lists ports (`ingress`) says all of them; else they are those of the services.
 * Where nothing is captured, and app and sidecar share their addresses (Istio's mode `NONE`), the
 * app's own ports are taken: then only a Sidecar can say others.
 */
export function inboundPorts(mesh: Mesh, proxy: ProxyNode, scope: Scope): InboundPorts {
  const { sidecar, settings } = scope;
  const listed = sidecar === undefined ? [] : ingressPorts(sidecar, proxy, settings);
  if (listed.length > 0) return sorted(proxy, bindable(listed, proxy));
  if (proxy.interceptionMode === "NONE" && proxy.appAddress === undefined) return NO_PORTS;
  const { inbound, issues } = inboundTargets(serviceTargets(mesh, proxy), proxy);
  const ports = inbound.map((target) => servicePort(mesh, proxy, scope, target));
  const { ports: kept, issues: others } = bindable(ports, proxy);
  return sorted(proxy, { ports: kept, issues: [...issues, ...others] });
}

const NO_PORTS: InboundPorts = { ports: [], issues: [] };

function servicePort(
  mesh: Mesh,
  proxy: ProxyNode,
  { sidecar, settings }: Scope,
  { service, port, targetPort }: ServiceTarget,
): InboundPort {
  const isBound = proxy.interceptionMode === "NONE";
  const isLocal = settings.inboundMode === "LOCALHOST";
  const loopback = isIPv4(proxy.ip) ? "127.0.0.1" : "::1";
  const wildcard = isIPv4(proxy.ip) ? "0.0.0.0" : "::";
  const appIp = isBound ? proxy.appAddress : isLocal ? loopback : undefined;
  return servicePortOf(
    service,
    port,
    targetPort,
    isBound ? proxy.ip : wildcard,
    isBound,
    appIp,
    poolOf(mesh, proxy, sidecar, { service, port, targetPort }),
  );
}

/** What a Sidecar says counts before what the service's DestinationRule says to its clients. */
function poolOf(
  mesh: Mesh,
  { namespace }: ProxyNode,
  sidecar: Scope["sidecar"],
  { service, port, targetPort }: ServiceTarget,
): ConnectionPool {
  const own = sidecar === undefined ? undefined : inboundPool(sidecar, targetPort);
  if (own !== undefined) return own;
  return policyOf(findRule(mesh.rules, service, namespace), port.number, "").connectionPool;
}

/** Ports below this one are only for the privileged. */
const PRIVILEGED_PORTS = 1024;

function bindable(all: readonly InboundPort[], { isUnprivileged }: ProxyNode): InboundPorts {
  if (!isUnprivileged) return { ports: all, issues: [] };
  const issues: ObjectIssue[] = [];
  const ports = all.filter(({ isBound, number, origins: [origin] }) => {
    if (!isBound || number >= PRIVILEGED_PORTS) return true;
    const message =
      `port ${number} needs a privilege that the proxy does not have: ` +
      `the app cannot be reached on it; use a port from ${PRIVILEGED_PORTS} on`;
    if (origin !== undefined) {
      issues.push({
        object: origin.key,
        issue: { path: origin.path, message, severity: "warning" },
      });
    }
    return false;
  });
  return { ports, issues };
}

function sorted(proxy: ProxyNode, { ports, issues }: InboundPorts): InboundPorts {
  return { ports: sameList(proxy, ...ports.toSorted((a, b) => a.number - b.number)), issues };
}

/** The same list for the same elements. */
const sameList = memoise(
  (_: ProxyNode, ...ports: readonly InboundPort[]): readonly InboundPort[] => ports,
);
