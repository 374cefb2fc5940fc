import { isOn, type RuntimeFlag } from "../../match/runtime-reader.ts";
import type { ProxyContext } from "../context.ts";
import { shareOfBucket } from "../process/share.ts";
import { TokenBucket, type TokenBucketConfig } from "./token-bucket.ts";

/** How often connections may come, decoded and checked. */
export interface ConnectionRateConfig {
  readonly statPrefix: string;
  /** `undefined`: as often as they like. */
  readonly bucket: TokenBucketConfig | undefined;
  /** `undefined`: always. */
  readonly enabled: RuntimeFlag | undefined;
  /** Filters with the same one share a bucket; "" for none. */
  readonly shareKey: string;
}

const ZERO = { rate_limited: 0 };

/** Lets connections pass as long as there are tokens, and counts those that do not. */
export class ConnectionGate {
  readonly #context: ProxyContext;
  readonly #enabled: RuntimeFlag | undefined;
  readonly #bucket: TokenBucket | undefined;
  readonly #counters: typeof ZERO;

  /** `statPrefix` is the whole of it. */
  constructor(
    { bucket, enabled, shareKey }: ConnectionRateConfig,
    statPrefix: string,
    context: ProxyContext,
  ) {
    this.#context = context;
    this.#enabled = enabled;
    this.#counters = context.counters.get(statPrefix, ZERO);
    if (bucket === undefined) return;
    const nowMs = context.clock.monotonicMs();
    const own = shareOfBucket(bucket, context.processes);
    this.#bucket =
      shareKey === ""
        ? new TokenBucket(own, nowMs)
        : context.sharedBuckets.get(shareKey, own, nowMs);
  }

  passes(): boolean {
    const { runtime, clock } = this.#context;
    if (this.#enabled !== undefined && !isOn(this.#enabled, runtime)) return true;
    if (this.#bucket === undefined || this.#bucket.take(1, clock.monotonicMs())) return true;
    this.#counters.rate_limited++;
    return false;
  }
}
