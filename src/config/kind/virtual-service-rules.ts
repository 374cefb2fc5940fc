import { isIP } from "node:net";
import type { Issue } from "../../base/issue.ts";
import { isDnsLabel } from "../format.ts";
import { checkDomain, checkWildcardDomain, isHostOverlap } from "../host.ts";
import type { HttpMatch, HttpRoute, HttpRouteDestination } from "../http-route.ts";
import { checkRegex } from "../regex.ts";
import type { StringMatch } from "../string-match.ts";
import type { VirtualService } from "../virtual-service.ts";

const WEIGHT_SUM_MAX = 4_294_967_295;

/** What Istio's webhook refuses about a VirtualService beyond its schema. */
export function validateVirtualService(spec: VirtualService["spec"]): readonly Issue[] {
  const { hosts = [], gateways = [], http = [] } = spec;
  const issues = [
    ...validateHosts(hosts, gateways.length === 0 || gateways.includes("mesh")),
    ...validateGatewayNames(gateways, "spec.gateways"),
  ];
  if (http.length + (spec.tls ?? []).length + (spec.tcp ?? []).length === 0) {
    issues.push({ path: "spec.http", message: "must have at least one route" });
  }
  let taker: number | undefined;
  for (const [at, route] of http.entries()) {
    const path = `spec.http[${at}]`;
    if (taker !== undefined) {
      const message = `is never used: spec.http[${taker}] takes every request before it`;
      issues.push({ path, message, severity: "warning" });
    }
    issues.push(...validateHttpRoute(route, path));
    if (taker === undefined && isUnconditional(route)) taker = at;
  }
  return issues;
}

function isUnconditional({ match = [] }: HttpRoute): boolean {
  return match.length === 0 || match.some((one) => Object.keys(one).every((key) => key === "name"));
}

function validateHosts(hosts: readonly string[], isMesh: boolean): readonly Issue[] {
  if (hosts.length === 0) {
    const message = "must not be empty (one without hosts is a delegate, not supported yet)";
    return [{ path: "spec.hosts", message }];
  }
  const issues: Issue[] = [];
  for (const [at, host] of hosts.entries()) {
    const path = `spec.hosts[${at}]`;
    const wrong = isIP(host) === 0 ? checkWildcardDomain(host) : undefined;
    if (wrong !== undefined) {
      issues.push({ path, message: wrong });
    } else if (host === "*" && isMesh) {
      issues.push({
        path,
        message: '"*" is only for gateways: name one in spec.gateways, and not "mesh"',
      });
    }
  }
  if (issues.length > 0) return issues;
  for (const [at, host] of hosts.entries()) {
    const other = hosts.slice(0, at).find((before) => isHostOverlap(before, host));
    if (other === undefined) continue;
    issues.push({ path: `spec.hosts[${at}]`, message: `"${host}" overlaps with "${other}"` });
  }
  return issues;
}

function validateGatewayNames(names: readonly string[], path: string): readonly Issue[] {
  return names.flatMap((name, at): readonly Issue[] => {
    const where = `${path}[${at}]`;
    if (name === "mesh") return [];
    const parts = name.split("/");
    if (parts.length === 1) {
      const wrong = checkDomain(name);
      if (wrong !== undefined) return [{ path: where, message: wrong }];
      if (!name.includes(".")) return [];
      const message = `"${name}" is the legacy form, prefer <namespace>/<name>`;
      return [{ path: where, message, severity: "warning" }];
    }
    if (parts.length === 2 && parts.every(isDnsLabel)) return [];
    return [{ path: where, message: `must be <name> or <namespace>/<name>: got "${name}"` }];
  });
}

function validateHttpRoute({ match = [], route = [] }: HttpRoute, path: string): readonly Issue[] {
  const issues: Issue[] = match.flatMap((one, at) => validateMatch(one, `${path}.match[${at}]`));
  if (route.length === 0) {
    issues.push({ path: `${path}.route`, message: "must have at least one destination" });
  }
  return [...issues, ...validateDestinations(route, `${path}.route`)];
}

function validateDestinations(
  route: readonly HttpRouteDestination[],
  path: string,
): readonly Issue[] {
  const issues: Issue[] = [];
  let sum = 0;
  for (const [at, { destination, weight = 0 }] of route.entries()) {
    const { host, subset } = destination;
    const where = `${path}[${at}]`;
    sum += weight;
    const wrong = host === "*" ? 'must name a service: got "*"' : checkWildcardDomain(host);
    if (wrong !== undefined) {
      issues.push({ path: `${where}.destination.host`, message: wrong });
    }
    if (subset !== undefined && subset !== "" && !isSubsetName(subset)) {
      const message = `must be a DNS label: got "${subset}"`;
      issues.push({ path: `${where}.destination.subset`, message });
    }
    if (weight < 0) {
      issues.push({ path: `${where}.weight`, message: `must not be negative: got ${weight}` });
    }
  }
  if (route.length > 1 && sum === 0) {
    issues.push({ path, message: "the weights of several destinations must not all be 0" });
  } else if (sum > WEIGHT_SUM_MAX) {
    issues.push({ path, message: `the sum of the weights must be at most ${WEIGHT_SUM_MAX}` });
  }
  return issues;
}

/** A subset's name: a DNS label that may have upper case letters. */
export function isSubsetName(name: string): boolean {
  return name.length <= 63 && /^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$/.test(name);
}

function validateMatch(match: HttpMatch, path: string): readonly Issue[] {
  const issues: Issue[] = [];
  for (const field of ["uri", "scheme", "method", "authority"] as const) {
    issues.push(...validateStringMatch(match[field], `${path}.${field}`));
  }
  for (const field of ["headers", "withoutHeaders"] as const) {
    for (const [name, one] of Object.entries(match[field] ?? {})) {
      const where = `${path}.${field}[${name}]`;
      issues.push(...validateHeaderName(name, where), ...validateStringMatch(one, where));
    }
  }
  for (const [name, one] of Object.entries(match.queryParams ?? {})) {
    const where = `${path}.queryParams[${name}]`;
    issues.push(...validateParameterName(name, where), ...validateStringMatch(one, where));
  }
  return [...issues, ...validateGatewayNames(match.gateways ?? [], `${path}.gateways`)];
}

function validateHeaderName(name: string, path: string): readonly Issue[] {
  if (name.startsWith("@request.auth.")) {
    const message = `is not supported yet: Istio knows claims as headers, this version of weft does not`;
    return [{ path, message }];
  }
  if (/^[-_A-Za-z0-9]+$/.test(name)) return [];
  return [{ path, message: `must be a header name: got ${JSON.stringify(name)}` }];
}

/** Envoy refuses all routes of a proxy for a name outside of these bounds. */
function validateParameterName(name: string, path: string): readonly Issue[] {
  if (name === "") return [{ path, message: "the name of a parameter must not be empty" }];
  if (Buffer.byteLength(name) <= PARAMETER_NAME_BYTES_MAX) return [];
  const message = `the name of a parameter must have at most ${PARAMETER_NAME_BYTES_MAX} bytes`;
  return [{ path, message }];
}

const PARAMETER_NAME_BYTES_MAX = 1024;

function validateStringMatch(match: StringMatch | undefined, path: string): readonly Issue[] {
  const wrong = match?.regex === undefined ? undefined : checkRegex(match.regex);
  return wrong === undefined ? [] : [{ path: `${path}.regex`, message: wrong }];
}
