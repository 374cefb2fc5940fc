import { isIP } from "node:net";
import type { Issue } from "../../base/issue.ts";
import { checkDomain } from "../host.ts";
import type { OutlierDetection } from "../outlier-detection.ts";
import type { PortTrafficPolicy, TrafficPolicy, TunnelSettings } from "../traffic-policy.ts";
import { validateClientTls } from "./client-tls-rules.ts";
import { validateConnectionPool } from "./connection-pool-rules.ts";
import { validateLoadBalancer } from "./load-balancer-rules.ts";
import { validatePort, validatePortSelector } from "./route-destination-rules.ts";

/** A traffic policy of a DestinationRule in `namespace`, or of one of its subsets. */
export function validateTrafficPolicy(
  policy: TrafficPolicy | undefined,
  path: string,
  namespace: string,
): readonly Issue[] {
  if (policy === undefined) return [];
  if (Object.keys(policy).length === 0) {
    return [{ path, message: "must have at least one field" }];
  }
  const { tunnel, proxyProtocol, portLevelSettings = [] } = policy;
  const issues: Issue[] = [];
  if (tunnel !== undefined && proxyProtocol !== undefined) {
    issues.push({ path: `${path}.proxyProtocol`, message: "must not stand beside tunnel" });
  }
  return [
    ...issues,
    ...validateSections(policy, path, namespace),
    ...portLevelSettings.flatMap((one, at) =>
      validatePortPolicy(one, `${path}.portLevelSettings[${at}]`, namespace),
    ),
    ...(tunnel === undefined ? [] : validateTunnel(tunnel, `${path}.tunnel`)),
  ];
}

/** `outlierDetection`, of a DestinationRule or another. */
export function validateOutlierDetection(
  outlier: OutlierDetection | undefined,
  path: string,
): readonly Issue[] {
  if (outlier === undefined) return [];
  const issues: Issue[] = [];
  if ((outlier.consecutiveErrors ?? 0) !== 0) {
    const message = "is deprecated, use consecutive5xxErrors or consecutiveGatewayErrors";
    issues.push({ path: `${path}.consecutiveErrors`, message, severity: "warning" });
  }
  const { consecutiveLocalOriginFailures = 0, splitExternalLocalOriginErrors = false } = outlier;
  if (consecutiveLocalOriginFailures > 0 && !splitExternalLocalOriginErrors) {
    const message = "is only counted with splitExternalLocalOriginErrors: true";
    issues.push({ path: `${path}.consecutiveLocalOriginFailures`, message });
  }
  for (const field of ["maxEjectionPercent", "minHealthPercent"] as const) {
    const value = outlier[field] ?? 0;
    if (value >= 0 && value <= 100) continue;
    issues.push({ path: `${path}.${field}`, message: `must be between 0 and 100: got ${value}` });
  }
  return issues;
}

/** The sections that a policy has for all ports and for one. */
function validateSections(
  policy: Omit<PortTrafficPolicy, "port">,
  path: string,
  namespace: string,
): readonly Issue[] {
  const { loadBalancer, outlierDetection } = policy;
  const hasOutlierDetection = outlierDetection !== undefined;
  return [
    ...validateOutlierDetection(outlierDetection, `${path}.outlierDetection`),
    ...validateConnectionPool(policy.connectionPool, `${path}.connectionPool`),
    ...validateLoadBalancer(loadBalancer, `${path}.loadBalancer`, hasOutlierDetection),
    ...validateClientTls(policy.tls, `${path}.tls`, namespace),
  ];
}

function validatePortPolicy(
  policy: PortTrafficPolicy,
  path: string,
  namespace: string,
): readonly Issue[] {
  const { port, ...sections } = policy;
  const issues: Issue[] = [];
  if (port === undefined) issues.push({ path: `${path}.port`, message: "is required" });
  else issues.push(...validatePortSelector(port, `${path}.port`));
  if (Object.keys(sections).length === 0) {
    issues.push({ path, message: "must have at least one field beside port" });
  }
  return [...issues, ...validateSections(sections, path, namespace)];
}

function validateTunnel(tunnel: TunnelSettings, path: string): readonly Issue[] {
  const { protocol = "", targetHost, targetPort } = tunnel;
  const issues: Issue[] = [...validatePort(targetPort, `${path}.targetPort`)];
  if (!["", "CONNECT", "POST"].includes(protocol)) {
    const message = `must be CONNECT or POST: got ${JSON.stringify(protocol)}`;
    issues.push({ path: `${path}.protocol`, message });
  }
  const wrong = isIP(targetHost) === 0 ? checkDomain(targetHost) : undefined;
  if (wrong !== undefined) issues.push({ path: `${path}.targetHost`, message: wrong });
  return issues;
}
