import type { Thresholds } from "./cluster-config.ts";

/** Which circuit breakers count: an index, by Envoy's `RoutingPriority`. */
export const PRIORITY = { default: 0, high: 1 } as const;
export type Priority = (typeof PRIORITY)[keyof typeof PRIORITY];

/**
 * What one cluster has in use at one priority, against what it may have. Whoever takes something
 * asks first, counts up, and counts down again.
 */
export class Breakers {
  readonly limits: Thresholds;
  connections = 0;
  /** Requests that wait for a connection. */
  pending = 0;
  requests = 0;
  /** From when one is decided on until its own outcome is known. */
  retries = 0;

  constructor(limits: Thresholds) {
    this.limits = limits;
  }

  canConnect(): boolean {
    return this.connections < this.limits.connectionsMax;
  }

  canWait(): boolean {
    return this.pending < this.limits.pendingMax;
  }

  canRequest(): boolean {
    return this.requests < this.limits.requestsMax;
  }

  canRetry(): boolean {
    return this.retries < this.retriesMax;
  }

  /** The bound of retries now: with a budget it moves with what is in flight. */
  get retriesMax(): number {
    const { retryBudget, retriesMax } = this.limits;
    if (retryBudget === undefined) return retriesMax;
    const share = Math.floor(((this.requests + this.pending) * retryBudget.percent) / 100);
    return Math.max(retryBudget.concurrencyMin, share);
  }
}
