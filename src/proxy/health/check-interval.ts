import type { Prng } from "../../base/prng.ts";
import type { RuntimeReader } from "../../match/runtime-reader.ts";
import type { IntervalConfig } from "./health-config.ts";

/** What a check made of a host's state: nothing, a step towards the other one, or the other one. */
export type Transition = "unchanged" | "pending" | "changed";

/** What chance and an operator have to say about a wait. */
export interface IntervalDeps {
  readonly prng: Prng;
  readonly runtime: RuntimeReader;
}

/** Milliseconds before the first check; 0 is at once. */
export function firstWaitMs(config: IntervalConfig, deps: IntervalDeps): number {
  const { initialJitterMs } = config;
  return initialJitterMs === 0 ? 0 : withJitter(0, initialJitterMs, config, deps);
}

/**
 * Milliseconds from the end of a check to the next one. `hasTraffic`: whether the cluster ever had
 * a connection of its own.
 */
export function nextWaitMs(
  config: IntervalConfig,
  last: {
    readonly isSuccess: boolean;
    readonly transition: Transition;
    readonly hasTraffic: boolean;
  },
  deps: IntervalDeps,
): number {
  return withJitter(baseMs(config, last), config.jitterMs, config, deps);
}

function baseMs(
  config: IntervalConfig,
  { isSuccess, transition, hasTraffic }: Parameters<typeof nextWaitMs>[1],
): number {
  const isPending = transition === "pending";
  if (!hasTraffic) {
    return isSuccess && !isPending ? config.noTrafficHealthyMs : config.noTrafficMs;
  }
  if (isSuccess) return isPending ? config.healthyEdgeMs : config.intervalMs;
  return isPending ? config.unhealthyEdgeMs : config.unhealthyMs;
}

function withJitter(
  base: number,
  jitterMs: number,
  { jitterPercent }: IntervalConfig,
  { prng, runtime }: IntervalDeps,
): number {
  const draw = (below: number): number => (below < 1 ? 0 : Math.floor(prng.next() * below));
  const waitMs = base + draw(Math.floor((jitterPercent * base) / 100)) + draw(jitterMs);
  const mostMs = runtime.integer("health_check.max_interval") ?? Number.POSITIVE_INFINITY;
  const leastMs = runtime.integer("health_check.min_interval") ?? 0;
  // Never none at all: checks would do nothing but check.
  return Math.max(1, leastMs, Math.min(waitMs, mostMs));
}
