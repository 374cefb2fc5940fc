import type { ObjectIssue, Origin } from "../origin.ts";
import type { TrafficPolicy } from "../traffic-policy.ts";
import type { ClientFacts } from "./client-facts.ts";
import type { TransportWarning } from "./client-tls.ts";

/** What a policy asks of a client in vain; see `ruleIssues` for what no client can do. */
export function clientIssues(policy: TrafficPolicy, facts: ClientFacts): readonly ObjectIssue[] {
  const { loadBalancer, connectionPool } = policy.places;
  const issues: ObjectIssue[] = [];
  const isCapturing = !facts.isPortable && !facts.isGateway;
  if (policy.loadBalancer === "PASSTHROUGH" && !isCapturing && loadBalancer !== undefined) {
    const message =
      "PASSTHROUGH has no effect on gateways and in portable mode, where no connection has an original destination: endpoints are chosen as by LEAST_REQUEST";
    issues.push(warning(loadBalancer, "simple", message));
  }
  if (connectionPool === undefined) return issues;
  const { keepalive } = policy.connectionPool;
  if (facts.isWeft) {
    for (const field of ["probes", "interval"] as const) {
      if (keepalive?.[field === "probes" ? "probes" : "intervalSeconds"] === undefined) continue;
      const message = "has no effect on weft's own proxy, which sends 10 probes, one each second";
      issues.push(warning(connectionPool, `tcp.tcpKeepalive.${field}`, message));
    }
  }
  return issues;
}

/** The issue of a rule whose TLS cannot be had. */
export function transportIssue({ origin, field, message }: TransportWarning): ObjectIssue {
  return warning(origin, field, message);
}

function warning({ key, path }: Origin, field: string, message: string): ObjectIssue {
  return { object: key, issue: { path: `${path}.${field}`, message, severity: "warning" } };
}
