import type { Criterion } from "./header-match.ts";
import type { MetadataValue } from "./match-request.ts";
import type { StreamInfo } from "./stream-info.ts";

/** One part of what a request is counted under. */
export interface DescriptorEntry {
  readonly key: string;
  readonly value: string;
}

/** What a descriptor's limit is instead of what the rate limit service has for it. */
export interface RateLimitOverride {
  readonly requestsPerUnit: number;
  /** Envoy's RateLimitUnit: `SECOND`, `MINUTE`, `HOUR`… */
  readonly unit: string;
}

/** Whether a response tells of the limit in `x-ratelimit-*`; "inherit" leaves it to the filter. */
export type XRateLimitOption = "inherit" | "off" | "on";

/** What one request is counted under. */
export interface RateLimitDescriptor {
  /** Every action may have been left out: then there are none. */
  readonly entries: readonly DescriptorEntry[];
  /** How much the request counts; `undefined`: once. */
  readonly hits: number | undefined;
  /** Whether `hits` are given back instead of taken. */
  readonly isRefund: boolean;
  /** What only a rate limit service takes heed of. */
  readonly limit: RateLimitOverride | undefined;
  readonly xRateLimit: XRateLimitOption;
}

/** Where metadata of a request comes from. */
export type MetadataSource = "dynamic" | "route" | "cluster";

/** What descriptors are made of: a request that has its route, and no host yet. */
export interface RateLimitSource {
  readonly info: StreamInfo;
  /** The cluster of the proxy's own node. */
  readonly localCluster: string;
  /** Where the route sends the request; `undefined` when it does not. */
  readonly targetCluster: string | undefined;
  /** The value of a header as Envoy has it, its name in lower case; also `:path` and the like. */
  header(name: string): string | undefined;
  metadata(source: MetadataSource, namespace: string): MetadataValue | undefined;
}

/** What an action makes of a request when it leaves its entry out. */
export const LEFT_OUT = Symbol("left out");

/** One action: it adds an entry, leaves it out, or (`undefined`) there is no descriptor at all. */
export interface RateLimitAction {
  readonly key: string;
  readonly read: (source: RateLimitSource) => string | typeof LEFT_OUT | undefined;
}

/** Reads how much a request counts; `undefined` when what it finds is no such number. */
export type HitsReader = (source: RateLimitSource) => number | undefined;

/** A `RateLimit` of a route, a virtual host or a filter, compiled. */
export interface RateLimitRule {
  /** Only filters of the same stage follow it. */
  readonly stage: number;
  /** The runtime key that switches it off; "" for none. */
  readonly disableKey: string;
  /** Counted when the stream is over; of a filter's own rules only. */
  readonly appliesOnStreamDone: boolean;
  readonly actions: readonly RateLimitAction[];
  readonly limit: ((source: RateLimitSource) => RateLimitOverride | undefined) | undefined;
  readonly hits: HitsReader | undefined;
  readonly isRefund: boolean;
  readonly xRateLimit: XRateLimitOption;
}

/** What a request is counted under by one rule; `undefined` when the rule does not concern it. */
export function describeRequest(
  rule: RateLimitRule,
  source: RateLimitSource,
): RateLimitDescriptor | undefined {
  const entries: DescriptorEntry[] = [];
  for (const { key, read } of rule.actions) {
    const value = read(source);
    if (value === undefined) return undefined;
    if (value !== LEFT_OUT) entries.push({ key, value });
  }
  const hits = rule.hits?.(source);
  if (hits === undefined && rule.hits !== undefined) return undefined;
  const { isRefund, xRateLimit } = rule;
  return { entries, hits, isRefund, limit: rule.limit?.(source), xRateLimit };
}

/** Whether all of them match, or not all, as is expected. */
export function expectAll(
  criteria: readonly Criterion[],
  isMatchExpected: boolean,
): (source: RateLimitSource) => boolean {
  return ({ info }) => criteria.every(({ matches }) => matches(info)) === isMatchExpected;
}
