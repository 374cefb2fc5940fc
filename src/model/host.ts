import { isIPv4, isIPv6 } from "../base/ip.ts";
import { compareText } from "./origin.ts";

/** The DNS domain of the cluster; services are `<name>.<namespace>.svc.<domain>`. */
export const CLUSTER_DOMAIN = "cluster.local";

/** The hostname of a Kubernetes service. */
export function serviceHostname(name: string, namespace: string): string {
  return `${name}.${namespace}.svc.${CLUSTER_DOMAIN}`;
}

/**
 * The full form of a host that an object of `namespace` names: a name without a dot is a service
 * of that namespace, everything else (dotted, wildcard, address) stands for itself.
 */
export function resolveHost(host: string, namespace: string): string {
  const lower = host.toLowerCase();
  if (lower === "" || lower === "*" || lower.includes(".") || isIPv4(lower) || isIPv6(lower)) {
    return lower;
  }
  return serviceHostname(lower, namespace);
}

/** Whether a host stands for many: `*` or `*.example.com`. */
export function isWildcard(host: string): boolean {
  return host.startsWith("*");
}

/** Whether every name that `host` stands for is one that `pattern` stands for. */
export function isWithin(host: string, pattern: string): boolean {
  if (!isWildcard(pattern)) return host === pattern;
  const suffix = pattern.slice(1);
  // `*.example.com` stands for names below, not for `example.com` itself or for `*`.
  return isWildcard(host) ? host.slice(1).endsWith(suffix) : host.endsWith(suffix);
}

/** The hosts that both lists stand for: of each pair that overlaps, the narrower one; in order. */
export function intersectHosts(a: readonly string[], b: readonly string[]): readonly string[] {
  const hosts = new Set<string>();
  for (const left of a) {
    for (const right of b) {
      if (isWithin(left, right)) hosts.add(left);
      else if (isWithin(right, left)) hosts.add(right);
    }
  }
  return [...hosts].sort(compareHosts);
}

/** The narrower host first: plain names, then wildcards, `*` last; the longer ones first in each. */
export function compareHosts(a: string, b: string): number {
  const wildcards = Number(isWildcard(a)) - Number(isWildcard(b));
  return wildcards || b.length - a.length || compareText(a, b);
}

/**
 * The narrowest of several patterns that `host` is within, or `undefined`.
 * Patterns that are equally narrow do not exist: only one of a length ends the same host.
 */
export function narrowest(host: string, patterns: Iterable<string>): string | undefined {
  let best: string | undefined;
  for (const pattern of patterns) {
    if (isWithin(host, pattern) && (best === undefined || compareHosts(pattern, best) < 0)) {
      best = pattern;
    }
  }
  return best;
}
