import type { MatchRecorder, MetadataValue } from "./match-request.ts";
import type { RateLimitRule } from "./rate-limit.ts";
import type { Route } from "./route.ts";

/** Routes that belong to some host names. */
export interface VirtualHost {
  readonly name: string;
  readonly domains: readonly string[];
  readonly routes: readonly Route[];
  /**
   * Whether requests over plain text are sent to the same place over `https` (`httpsLocation`);
   * "external" spares those that come from inside.
   */
  readonly requiresTls: "none" | "external" | "all";
  /** Whether upstreams are told which attempt a request is. */
  readonly tellsAttemptCount: boolean;
  /** Whether clients are told how many attempts it took. */
  readonly answersAttemptCount: boolean;
  /** Whether upstreams are told that a request is tried again after a timeout. */
  readonly tellsTimeoutRetry: boolean;
  /** What rate limits count requests under where the route says nothing, or asks for both. */
  readonly rateLimits: readonly RateLimitRule[];
  /** By namespace. */
  readonly metadata: { readonly [namespace: string]: MetadataValue };
}

/** Finds the virtual host of an authority, as Envoy orders it; `undefined` when none matches. */
export type VirtualHostSearch = (
  authority: string,
  recorder?: MatchRecorder,
) => VirtualHost | undefined;

/** Wildcard domains of one kind: by length, the longest first. */
type Wildcards = readonly (readonly [length: number, Map<string, VirtualHost>])[];

/** A domain given twice; Envoy refuses the whole configuration for it. */
export interface DuplicateDomain {
  readonly domain: string;
  readonly virtualHost: string;
}

/**
 * Compiles the search: exact names first, then `*.suffix` and then `prefix.*`, longer ones before
 * shorter ones, then `*`. The port counts unless `ignorePort` is set; letter case never does.
 */
export function compileVirtualHostSearch(
  virtualHosts: readonly VirtualHost[],
  ignorePort: boolean,
  onDuplicate: (duplicate: DuplicateDomain) => void,
): VirtualHostSearch {
  const exact = new Map<string, VirtualHost>();
  const suffixes = new Map<string, VirtualHost>();
  const prefixes = new Map<string, VirtualHost>();
  const any = new Map<string, VirtualHost>();
  for (const virtualHost of virtualHosts) {
    for (const given of virtualHost.domains) {
      const domain = given.toLowerCase();
      const [table, key] =
        domain === "*"
          ? [any, ""]
          : domain.startsWith("*")
            ? [suffixes, domain.substring(1)]
            : domain.endsWith("*")
              ? [prefixes, domain.slice(0, -1)]
              : [exact, domain];
      if (table.has(key)) onDuplicate({ domain, virtualHost: virtualHost.name });
      else table.set(key, virtualHost);
    }
  }
  const fallback = any.get("");
  const longestSuffixes = byLength(suffixes);
  const longestPrefixes = byLength(prefixes);
  const find = (authority: string): VirtualHost | undefined => {
    if (exact.size === 0 && suffixes.size === 0 && prefixes.size === 0) return fallback;
    const host = (ignorePort ? withoutPort(authority) : authority).toLowerCase();
    return (
      exact.get(host) ??
      findWildcard(longestSuffixes, host, (length) => host.substring(host.length - length)) ??
      findWildcard(longestPrefixes, host, (length) => host.substring(0, length)) ??
      fallback
    );
  };
  return (authority, recorder) => {
    const found = find(authority);
    if (recorder !== undefined) recordLosses(virtualHosts, found, authority, recorder);
    return found;
  };
}

function byLength(table: ReadonlyMap<string, VirtualHost>): Wildcards {
  const lengths = new Map<number, Map<string, VirtualHost>>();
  for (const [key, virtualHost] of table) {
    const same = lengths.get(key.length) ?? new Map<string, VirtualHost>();
    lengths.set(key.length, same.set(key, virtualHost));
  }
  return [...lengths].sort(([left], [right]) => right - left);
}

function findWildcard(
  wildcards: Wildcards,
  host: string,
  cut: (length: number) => string,
): VirtualHost | undefined {
  for (const [length, table] of wildcards) {
    // The star stands for at least one character.
    if (length >= host.length) continue;
    const found = table.get(cut(length));
    if (found !== undefined) return found;
  }
  return undefined;
}

function withoutPort(authority: string): string {
  const colon = authority.lastIndexOf(":");
  if (colon === -1 || colon < authority.indexOf("]")) return authority;
  return authority.substring(0, colon);
}

function recordLosses(
  virtualHosts: readonly VirtualHost[],
  found: VirtualHost | undefined,
  authority: string,
  recorder: MatchRecorder,
): void {
  for (const virtualHost of virtualHosts) {
    if (virtualHost === found) continue;
    const domains = virtualHost.domains.join(", ");
    recorder.lost(`virtual host ${virtualHost.name}`, `${authority} is not best among ${domains}`);
  }
}
