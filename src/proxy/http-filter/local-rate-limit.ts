import type { ConnectionInfo } from "../../match/connection-info.ts";
import type { HeaderAddition } from "../../match/header-mutations.ts";
import type { RateLimitDescriptor, RateLimitRule } from "../../match/rate-limit.ts";
import { currentShare, type RuntimeShare } from "../../match/runtime-reader.ts";
import type { CounterGroups } from "../counters.ts";
import { HeaderList } from "../http/header-list.ts";
import { applyMutations } from "../http/header-mutation.ts";
import {
  type CountingSettings,
  FILTER,
  type FilterStatus,
  type FilterStream,
  type HttpFilter,
} from "../http/http-filter.ts";
import type { ResponseHead } from "../http/message-head.ts";
import { shareOfLimiter } from "../process/share.ts";
import {
  LocalRateLimiter,
  type LocalRateLimiterConfig,
  RateLimitVerdict,
} from "../rate-limit/local-rate-limiter.ts";
import { type HostRateLimits, StreamRateLimitSource } from "../rate-limit/rate-limit-source.ts";

/** What the filter, or a route, says about local rate limits; decoded and checked. */
export interface LocalRateLimitSettings {
  readonly statPrefix: string;
  /** Of the answer to those that are refused. */
  readonly status: number;
  readonly limiter: LocalRateLimiterConfig;
  /** `undefined`: no request is counted. */
  readonly enabled: RuntimeShare | undefined;
  /** `undefined`: no request is refused. */
  readonly enforced: RuntimeShare | undefined;
  readonly requestHeaders: readonly HeaderAddition[];
  readonly responseHeaders: readonly HeaderAddition[];
  readonly stage: number;
  /** Each connection has buckets of its own. */
  readonly isPerConnection: boolean;
  /** Whether responses tell of the limit in `x-ratelimit-*`. */
  readonly tellsLimit: boolean;
  readonly tellsRetryAfter: boolean;
  readonly hostRateLimits: HostRateLimits;
  /** The filter's own; with any, those of routes do not count. */
  readonly rules: readonly RateLimitRule[];
  /** Of the refusal of a gRPC call; `undefined`: as follows from `status`. */
  readonly grpcStatus: number | undefined;
}

const ZERO = { enabled: 0, enforced: 0, ok: 0, rate_limited: 0, shadow_mode: 0 };

const NO_DESCRIPTORS: readonly RateLimitDescriptor[] = [];

/** Settings with the buckets and numbers that all connections share which have them. */
export class LocalRateLimitPolicy implements CountingSettings {
  readonly settings: LocalRateLimitSettings;
  #limiter: LocalRateLimiter | undefined = undefined;
  #counters: typeof ZERO | undefined = undefined;

  constructor(settings: LocalRateLimitSettings) {
    this.settings = settings;
  }

  showCounters(counters: CounterGroups): void {
    this.countersOf(counters);
  }

  countersOf(counters: CounterGroups): typeof ZERO {
    this.#counters ??= counters.get(`${this.settings.statPrefix}.http_local_rate_limit`, ZERO);
    return this.#counters;
  }

  /** The buckets, which are full when they are asked for first. */
  limiterOf(nowMs: number, processes: number): LocalRateLimiter {
    this.#limiter ??= new LocalRateLimiter(shareOfLimiter(this.settings.limiter, processes), nowMs);
    return this.#limiter;
  }
}

/**
 * The buckets of connections that have their own. As in Envoy a connection has one set of them,
 * that of the settings which asked for it first.
 */
const OF_CONNECTIONS = new WeakMap<ConnectionInfo, LocalRateLimiter>();

function limiterOfConnection(
  connection: ConnectionInfo,
  config: LocalRateLimiterConfig,
  nowMs: number,
): LocalRateLimiter {
  let limiter = OF_CONNECTIONS.get(connection);
  if (limiter === undefined) {
    limiter = new LocalRateLimiter(config, nowMs);
    OF_CONNECTIONS.set(connection, limiter);
  }
  return limiter;
}

/** Refuses requests when their token bucket is empty. */
export class LocalRateLimitFilter implements HttpFilter {
  readonly #stream: FilterStream;
  readonly #name: string;
  readonly #own: LocalRateLimitPolicy;
  /** Made by the first request that needs it. */
  #source: StreamRateLimitSource | undefined = undefined;
  /** That of the request in progress. */
  #policy: LocalRateLimitPolicy;
  readonly #verdict = new RateLimitVerdict();

  constructor(stream: FilterStream, name: string, own: LocalRateLimitPolicy) {
    this.#stream = stream;
    this.#name = name;
    this.#own = own;
    this.#policy = own;
  }

  onRequestHead(): FilterStatus {
    const given = this.#stream.routeConfig(this.#name);
    const policy = given instanceof LocalRateLimitPolicy ? given : this.#own;
    this.#policy = policy;
    const { settings } = policy;
    if (!this.#strikes(settings.enabled)) return FILTER.continue;
    const { context, connection } = this.#stream;
    const counters = policy.countersOf(context.counters);
    counters.enabled++;
    const nowMs = context.clock.monotonicMs();
    const limiter = settings.isPerConnection
      ? limiterOfConnection(connection, settings.limiter, nowMs)
      : policy.limiterOf(nowMs, context.processes);
    const verdict = this.#verdict;
    limiter.decide(this.#describe(settings), nowMs, verdict);
    if (verdict.isAllowed) {
      counters.ok++;
      return FILTER.continue;
    }
    counters.rate_limited++;
    if (verdict.bucket?.isShadow === true) {
      counters.shadow_mode++;
      return FILTER.continue;
    }
    if (!this.#strikes(settings.enforced)) {
      addHeaders(settings.requestHeaders, this.#stream.head.headers, this.#stream);
      return FILTER.continue;
    }
    counters.enforced++;
    this.#refuse(settings, nowMs);
    return FILTER.stop;
  }

  #describe({ limiter, rules, stage, hostRateLimits }: LocalRateLimitSettings) {
    if (limiter.descriptors.length === 0) return NO_DESCRIPTORS;
    this.#source ??= new StreamRateLimitSource(this.#stream);
    return rules.length > 0
      ? this.#source.describeBy(rules)
      : this.#source.describeByRoute(stage, hostRateLimits);
  }

  #strikes(share: RuntimeShare | undefined): boolean {
    if (share === undefined) return false;
    const { runtime, context } = this.#stream;
    const chance = currentShare(share, runtime);
    return chance >= 1 || (chance > 0 && context.prng.next() < chance);
  }

  #refuse(settings: LocalRateLimitSettings, nowMs: number): void {
    const { status, grpcStatus } = settings;
    const headers = new HeaderList();
    addHeaders(settings.responseHeaders, headers, this.#stream);
    const { bucket } = this.#verdict;
    if (settings.tellsRetryAfter && status === 429 && bucket !== undefined) {
      const seconds = Math.max(1, bucket.secondsToNext(nowMs));
      if (!headers.has("retry-after")) headers.add("retry-after", String(seconds));
    }
    this.#stream.localReply({
      status,
      body: "local_rate_limited",
      flag: "RL",
      details: "local_rate_limited",
      headers: headers.snapshot(),
      ...(grpcStatus === undefined ? {} : { grpcStatus }),
    });
  }

  onResponseHead({ headers }: ResponseHead): void {
    const { bucket, xRateLimit } = this.#verdict;
    if (bucket === undefined || xRateLimit === "off") return;
    if (xRateLimit === "inherit" && !this.#policy.settings.tellsLimit) return;
    const nowMs = this.#stream.context.clock.monotonicMs();
    headers.add("x-ratelimit-limit", String(bucket.maxTokens));
    headers.add("x-ratelimit-remaining", String(bucket.remaining(nowMs)));
    headers.add("x-ratelimit-reset", String(bucket.secondsToNext(nowMs)));
  }

  onStreamEnd(): void {
    this.#verdict.set(true, undefined, "inherit");
  }
}

function addHeaders(
  additions: readonly HeaderAddition[],
  headers: HeaderList,
  { info }: FilterStream,
): void {
  if (additions.length > 0) applyMutations([{ add: additions, remove: [] }], headers, info);
}
