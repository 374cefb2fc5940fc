import { isIP } from "node:net";
import type { Issue } from "../../base/issue.ts";
import { checkServerName, checkSubnet, checkWildcardDomain, isHostWithin } from "../host.ts";
import type { L4Match, TcpRoute, TlsRoute } from "../l4-route.ts";
import { validateLabels } from "../metadata.ts";
import { validateGatewayNames } from "./gateway-name-rules.ts";
import { validateDestinations, validateOptionalPort } from "./route-destination-rules.ts";

/** What a rule for TLS has to know of the object that it stands in. */
export interface TlsRouteContext {
  readonly hosts: readonly string[];
  /** Whether `mesh` is not among the gateways. */
  readonly isGatewayOnly: boolean;
}

/** One rule of `spec.tls`. */
export function validateTlsRoute(
  { match, route = [] }: TlsRoute,
  path: string,
  context: TlsRouteContext,
): readonly Issue[] {
  const issues: Issue[] = [];
  if (match.length === 0) {
    issues.push({ path: `${path}.match`, message: "must have at least one entry" });
  }
  for (const [at, one] of match.entries()) {
    const where = `${path}.match[${at}]`;
    if (one.sniHosts.length === 0) {
      issues.push({ path: `${where}.sniHosts`, message: "must have at least one host" });
    }
    for (const [index, host] of one.sniHosts.entries()) {
      issues.push(...validateSniHost(host, `${where}.sniHosts[${index}]`, context));
    }
    issues.push(...validateL4Match(one, where));
  }
  return [...issues, ...validateRoute(route, `${path}.route`)];
}

/** One rule of `spec.tcp`. */
export function validateTcpRoute({ match, route }: TcpRoute, path: string): readonly Issue[] {
  return [
    ...(match ?? []).flatMap((one, at) => validateL4Match(one, `${path}.match[${at}]`)),
    ...validateRoute(route ?? [], `${path}.route`),
  ];
}

function validateRoute(route: NonNullable<TcpRoute["route"]>, path: string): readonly Issue[] {
  if (route.length === 0) return [{ path, message: "must have at least one destination" }];
  return validateDestinations(route, path);
}

function validateSniHost(
  host: string,
  path: string,
  { hosts, isGatewayOnly }: TlsRouteContext,
): readonly Issue[] {
  const wrong = isGatewayOnly ? checkServerName(host) : checkWildcardDomain(host);
  if (wrong !== undefined) {
    if (isIP(host) === 0) return [{ path, message: wrong }];
    const message = `is an IP address, which few clients send as a server name: "${host}"`;
    return [{ path, message, severity: "warning" }];
  }
  if (hosts.some((one) => isHostWithin(host, one))) return [];
  const message = `must be within one of spec.hosts (${hosts.join(", ")}): got "${host}"`;
  return [{ path, message }];
}

function validateL4Match(match: L4Match, path: string): readonly Issue[] {
  const issues: Issue[] = [];
  for (const [at, subnet] of (match.destinationSubnets ?? []).entries()) {
    const wrong = checkSubnet(subnet);
    if (wrong !== undefined) {
      issues.push({ path: `${path}.destinationSubnets[${at}]`, message: wrong });
    }
  }
  return [
    ...issues,
    ...validateOptionalPort(match.port, `${path}.port`),
    ...validateLabels(`${path}.sourceLabels`, match.sourceLabels),
    ...validateGatewayNames(match.gateways, `${path}.gateways`),
  ];
}
