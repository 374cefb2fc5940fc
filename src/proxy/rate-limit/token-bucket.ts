/** A token bucket, decoded and checked. */
export interface TokenBucketConfig {
  /** What it holds when it is full, as it is at first; 0 lets nothing pass ever. */
  readonly maxTokens: number;
  readonly tokensPerFill: number;
  /** Whole milliseconds, at least 50. */
  readonly fillIntervalMs: number;
}

const MS_PER_YEAR = 365 * 24 * 60 * 60 * 1000;

/**
 * Tokens that come back by and by: not all at once after each interval, but a part of them with
 * each moment, as in Envoy since 1.33. It looks at the time when it is asked, and needs no timer.
 */
export class TokenBucket {
  readonly maxTokens: number;
  /** How long a token takes; Envoy lets no bucket fill more slowly than one a year. */
  readonly msPerToken: number;
  /** Whether those who find it empty pass, and are counted only. */
  readonly isShadow: boolean;
  #tokens: number;
  /** When there were so many. */
  #atMs: number;

  constructor(config: TokenBucketConfig, nowMs: number, isShadow = false) {
    const { maxTokens, tokensPerFill, fillIntervalMs } = config;
    this.maxTokens = maxTokens;
    this.msPerToken = Math.min(fillIntervalMs / tokensPerFill, MS_PER_YEAR);
    this.isShadow = isShadow;
    this.#tokens = maxTokens;
    this.#atMs = nowMs;
  }

  #available(nowMs: number): number {
    return Math.min(this.maxTokens, this.#tokens + (nowMs - this.#atMs) / this.msPerToken);
  }

  /** Takes so many tokens, or none and answers false. Who wants none gets none, as in Envoy. */
  take(tokens: number, nowMs: number): boolean {
    const available = this.#available(nowMs);
    if (tokens === 0 || available < tokens) return false;
    this.#tokens = available - tokens;
    this.#atMs = nowMs;
    return true;
  }

  /** Gives tokens back, as many as it can hold. */
  giveBack(tokens: number, nowMs: number): void {
    this.#tokens = Math.min(this.maxTokens, this.#available(nowMs) + tokens);
    this.#atMs = nowMs;
  }

  /** Whole tokens that are there now. */
  remaining(nowMs: number): number {
    return Math.floor(this.#available(nowMs));
  }

  /** Whole seconds until there is a token; 0 when there is one. */
  secondsToNext(nowMs: number): number {
    const missing = 1 - this.#available(nowMs);
    if (missing <= 0) return 0;
    return Math.ceil((missing * this.msPerToken) / 1000);
  }
}
