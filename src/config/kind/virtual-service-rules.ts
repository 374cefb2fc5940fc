import { isIP } from "node:net";
import type { Issue } from "../../base/issue.ts";
import { validateExportTo } from "../export-to.ts";
import { checkServerName, checkWildcardDomain } from "../host.ts";
import type { VirtualService } from "../virtual-service.ts";
import { validateGatewayNames } from "./gateway-name-rules.ts";
import { validateHttpRoute } from "./http-route-rules.ts";
import { validateTcpRoute, validateTlsRoute } from "./l4-route-rules.ts";
import { warnOfUnused } from "./unused-rules.ts";

type Spec = VirtualService["spec"];

/** What Istio's webhook refuses about a VirtualService beyond its schema. */
export function validateVirtualService({ metadata, spec }: VirtualService): readonly Issue[] {
  const { hosts = [], gateways = [], http = [], tls = [], tcp = [] } = spec;
  const isDelegate = hosts.length === 0;
  // As the webhook has it: without gateways the object is for sidecars, all the same its
  // server names may be those of a gateway.
  const isGatewayOnly = !gateways.includes("mesh");
  const issues = [
    ...(isDelegate ? validateDelegate(spec) : validateHosts(spec)),
    ...validateGatewayNames(gateways, "spec.gateways"),
    ...validateExportTo(spec.exportTo ?? [], { namespace: metadata.namespace ?? "" }),
  ];
  if (http.length + tls.length + tcp.length === 0) {
    issues.push({ path: "spec", message: 'must have at least one of "http", "tls", "tcp"' });
  }
  for (const [at, route] of http.entries()) {
    issues.push(...validateHttpRoute(route, `spec.http[${at}]`, isDelegate));
  }
  for (const [at, route] of tls.entries()) {
    issues.push(...validateTlsRoute(route, `spec.tls[${at}]`, { hosts, isGatewayOnly }));
  }
  for (const [at, route] of tcp.entries()) {
    issues.push(...validateTcpRoute(route, `spec.tcp[${at}]`));
  }
  return [
    ...issues,
    ...warnOfUnused(http, "spec.http"),
    ...warnOfUnused(tls, "spec.tls"),
    ...warnOfUnused(tcp, "spec.tcp"),
  ];
}

/** Without hosts, an object is one that others delegate to: it has nothing but `http`. */
function validateDelegate(spec: Spec): readonly Issue[] {
  const issues: Issue[] = [];
  for (const field of ["gateways", "tls", "tcp"] as const) {
    if ((spec[field] ?? []).length === 0) continue;
    const message = "must not be set without hosts: a delegate has only http rules";
    issues.push({ path: `spec.${field}`, message });
  }
  return issues;
}

function validateHosts({ hosts = [], gateways = [], tls = [] }: Spec): readonly Issue[] {
  const isMesh = gateways.length === 0 || gateways.includes("mesh");
  const isServerName = !isMesh && tls.length > 0;
  const issues: Issue[] = [];
  for (const [at, host] of hosts.entries()) {
    const path = `spec.hosts[${at}]`;
    const wrong = isServerName ? checkServerName(host) : checkWildcardDomain(host);
    if (wrong !== undefined && isIP(host) === 0) {
      issues.push({ path, message: wrong });
    } else if (host === "*" && isMesh) {
      const message = '"*" is only for gateways: name one in spec.gateways, and not "mesh"';
      issues.push({ path, message });
    }
  }
  return issues.length > 0 ? issues : validateOverlaps(hosts);
}

/** Of two hosts that overlap, the later is named. In proportion to the number of hosts. */
function validateOverlaps(hosts: readonly string[]): readonly Issue[] {
  const exact = new Map<string, number>();
  const wildcards = new Map<string, number>();
  for (const [at, host] of hosts.entries()) {
    const isWild = host.startsWith("*");
    const [index, key] = isWild ? [wildcards, host.slice(1)] : [exact, host];
    if (!index.has(key)) index.set(key, at);
  }
  const others = new Map<number, number>();
  for (const [at, host] of hosts.entries()) {
    const isWild = host.startsWith("*");
    const text = isWild ? host.slice(1) : host;
    const found = [isWild ? undefined : exact.get(text)];
    for (let from = 0; from <= text.length; from++) found.push(wildcards.get(text.slice(from)));
    for (const other of found) {
      if (other === undefined || other === at) continue;
      const [first, later] = at < other ? [at, other] : [other, at];
      others.set(later, Math.min(first, others.get(later) ?? first));
    }
  }
  return [...others]
    .sort(([left], [right]) => left - right)
    .map(([at, other]) => ({
      path: `spec.hosts[${at}]`,
      message: `"${hosts[at]}" overlaps with "${hosts[other]}"`,
    }));
}
