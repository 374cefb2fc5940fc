import { TokenBucket, type TokenBucketConfig } from "./token-bucket.ts";

/** Token buckets that filters share: those with the same key and the same numbers have one. */
export class SharedBuckets {
  /** Each lives as long as a filter has it. */
  readonly #buckets = new Map<string, WeakRef<TokenBucket>>();

  get(key: string, config: TokenBucketConfig, nowMs: number): TokenBucket {
    const { maxTokens, tokensPerFill, fillIntervalMs } = config;
    const name = `${maxTokens} ${tokensPerFill} ${fillIntervalMs} ${key}`;
    const known = this.#buckets.get(name)?.deref();
    if (known !== undefined) return known;
    this.#forgetUnused();
    const bucket = new TokenBucket(config, nowMs);
    this.#buckets.set(name, new WeakRef(bucket));
    return bucket;
  }

  #forgetUnused(): void {
    for (const [name, reference] of this.#buckets) {
      if (reference.deref() === undefined) this.#buckets.delete(name);
    }
  }
}
