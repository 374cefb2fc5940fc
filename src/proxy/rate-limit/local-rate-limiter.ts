import type {
  DescriptorEntry,
  RateLimitDescriptor,
  XRateLimitOption,
} from "../../match/rate-limit.ts";
import { TokenBucket, type TokenBucketConfig } from "./token-bucket.ts";

/** A bucket for requests with one descriptor, decoded and checked. */
export interface DescriptorBucket {
  /** An empty value stands for any: each has a bucket of its own. */
  readonly entries: readonly DescriptorEntry[];
  readonly bucket: TokenBucketConfig;
  readonly isShadow: boolean;
}

/** The buckets of a local rate limit, decoded and checked. */
export interface LocalRateLimiterConfig {
  /** `undefined`: what has no descriptor of its own passes. */
  readonly bucket: TokenBucketConfig | undefined;
  readonly descriptors: readonly DescriptorBucket[];
  /** Of buckets for one entry of `descriptors` that stands for any value. */
  readonly dynamicBucketsMax: number;
  /** Whether requests with a descriptor take from the default bucket as well. */
  readonly alwaysTakesDefault: boolean;
}

/** What a limiter says of a request; its owner reuses it. */
export class RateLimitVerdict {
  isAllowed = true;
  /** That which decided, or which is told of; `undefined` without any. */
  bucket: TokenBucket | undefined = undefined;
  xRateLimit: XRateLimitOption = "inherit";

  set(isAllowed: boolean, bucket: TokenBucket | undefined, xRateLimit: XRateLimitOption): void {
    this.isAllowed = isAllowed;
    this.bucket = bucket;
    this.xRateLimit = xRateLimit;
  }
}

interface Match {
  readonly bucket: TokenBucket;
  readonly descriptor: RateLimitDescriptor;
}

/** Counts requests by their descriptors. It has no timers: buckets look at the time they are given. */
export class LocalRateLimiter {
  readonly #default: TokenBucket | undefined;
  readonly #byDescriptor = new Map<string, TokenBucket>();
  readonly #dynamic: readonly DynamicBuckets[];
  readonly #alwaysTakesDefault: boolean;

  constructor(config: LocalRateLimiterConfig, nowMs: number) {
    this.#default = config.bucket && new TokenBucket(config.bucket, nowMs);
    this.#alwaysTakesDefault = config.alwaysTakesDefault;
    const dynamic: DynamicBuckets[] = [];
    for (const descriptor of config.descriptors) {
      if (isDynamic(descriptor)) {
        dynamic.push(new DynamicBuckets(descriptor, config.dynamicBucketsMax));
        continue;
      }
      const { entries, bucket, isShadow } = descriptor;
      this.#byDescriptor.set(keyOf(entries), new TokenBucket(bucket, nowMs, isShadow));
    }
    this.#dynamic = dynamic;
  }

  /** Takes what a request costs, and writes to `verdict` whether it passes. */
  decide(
    descriptors: readonly RateLimitDescriptor[],
    nowMs: number,
    verdict: RateLimitVerdict,
  ): void {
    if (descriptors.length === 0) return this.#takeDefault(nowMs, verdict);
    const matches = this.#match(descriptors, nowMs);
    if (matches.length === 0) return this.#takeDefault(nowMs, verdict);
    let shadow: Match | undefined;
    for (const match of matches) {
      if (takeFor(match, nowMs)) continue;
      if (!match.bucket.isShadow) {
        return verdict.set(false, match.bucket, match.descriptor.xRateLimit);
      }
      shadow ??= match;
    }
    if (this.#alwaysTakesDefault) {
      this.#takeDefault(nowMs, verdict);
      if (!verdict.isAllowed) return;
    }
    const told = shadow ?? matches[0];
    verdict.set(shadow === undefined, told?.bucket, told?.descriptor.xRateLimit ?? "inherit");
  }

  #takeDefault(nowMs: number, verdict: RateLimitVerdict): void {
    const bucket = this.#default;
    const isAllowed = bucket === undefined || bucket.take(1, nowMs);
    // Of one that lets nothing pass there is nothing to tell.
    verdict.set(isAllowed, bucket?.maxTokens === 0 ? undefined : bucket, "inherit");
  }

  /** What fills most slowly is asked first: it is the most likely to refuse. */
  #match(descriptors: readonly RateLimitDescriptor[], nowMs: number): readonly Match[] {
    const matches: Match[] = [];
    for (const descriptor of descriptors) {
      const key = keyOf(descriptor.entries);
      const bucket =
        this.#byDescriptor.get(key) ?? this.#findDynamic(descriptor.entries, key, nowMs);
      if (bucket !== undefined) matches.push({ bucket, descriptor });
    }
    if (matches.length < 2) return matches;
    return matches.sort((one, two) => two.bucket.msPerToken - one.bucket.msPerToken);
  }

  #findDynamic(
    entries: readonly DescriptorEntry[],
    key: string,
    nowMs: number,
  ): TokenBucket | undefined {
    for (const buckets of this.#dynamic) {
      if (buckets.matches(entries)) return buckets.get(key, nowMs);
    }
    return undefined;
  }
}

function takeFor({ bucket, descriptor }: Match, nowMs: number): boolean {
  if (!descriptor.isRefund || descriptor.hits === undefined) {
    return bucket.take(descriptor.hits ?? 1, nowMs);
  }
  bucket.giveBack(descriptor.hits, nowMs);
  return true;
}

/** Buckets for whatever value comes; those that were not asked for the longest time make room. */
class DynamicBuckets {
  readonly #config: DescriptorBucket;
  readonly #max: number;
  /** The one asked for last stands last. */
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(config: DescriptorBucket, max: number) {
    this.#config = config;
    this.#max = max;
  }

  matches(entries: readonly DescriptorEntry[]): boolean {
    const wanted = this.#config.entries;
    if (entries.length !== wanted.length) return false;
    return wanted.every(({ key, value }, at) => {
      const entry = entries[at];
      return entry?.key === key && (value === "" || entry.value === value);
    });
  }

  get(key: string, nowMs: number): TokenBucket {
    const buckets = this.#buckets;
    let bucket = buckets.get(key);
    if (bucket === undefined) {
      bucket = new TokenBucket(this.#config.bucket, nowMs, this.#config.isShadow);
    } else buckets.delete(key);
    buckets.set(key, bucket);
    if (buckets.size > this.#max) {
      for (const oldest of buckets.keys()) {
        buckets.delete(oldest);
        break;
      }
    }
    return bucket;
  }
}

function isDynamic({ entries }: DescriptorBucket): boolean {
  return entries.some(({ value }) => value === "");
}

/** The same for equal entries in the same order, and for no others. */
export function keyOf(entries: readonly DescriptorEntry[]): string {
  let text = "";
  for (const { key, value } of entries) text += `${key.length}:${key}${value.length}:${value}`;
  return text;
}
