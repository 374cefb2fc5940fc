import type { RuntimeReader } from "../../match/runtime-reader.ts";
import type { SlowStartConfig } from "../cluster/cluster-config.ts";
import type { Host } from "../cluster/host.ts";
import { HEALTH, HEALTH_FLAG } from "../cluster/host-health.ts";

const UNCHECKED = HEALTH_FLAG.failedActiveHc | HEALTH_FLAG.pendingActiveHc;

/**
 * Gives hosts that have just become healthy less weight than they have, and more of it as time
 * goes by (Envoy, "Slow start"). Nothing ticks: the time is read when a host is chosen.
 */
export class SlowStart {
  readonly #config: SlowStartConfig;
  readonly #aggression: number;
  readonly #nowMs: () => number;
  /** When the last host began; all that are there at first begin with the cluster. */
  #latestMs: number;

  /** `nowMs` never goes back. */
  constructor(config: SlowStartConfig, runtime: RuntimeReader, nowMs: () => number) {
    this.#config = config;
    const aggression = runtime.double(config.aggressionKey) ?? config.aggression;
    // As in Envoy, one that makes no sense counts as none.
    this.#aggression = aggression > 0 ? aggression : 1;
    this.#nowMs = nowMs;
    this.#latestMs = Math.floor(nowMs());
  }

  /** Takes hosts that are there now: those that are healthy and new begin. */
  begin(hosts: readonly Host[]): void {
    const nowMs = Math.floor(this.#nowMs());
    for (const host of hosts) {
      if (host.health !== HEALTH.healthy) continue;
      host.healthySinceMs ??= nowMs;
      const { healthySinceMs } = host;
      if (nowMs - healthySinceMs > this.#config.windowMs) continue;
      if (healthySinceMs > this.#latestMs) this.#latestMs = healthySinceMs;
    }
  }

  /** The health of one host changed. One that health checks find healthy again begins again. */
  onHealthChange(host: Host, before: number): void {
    const hasPassed = (before & UNCHECKED) !== 0 && (host.healthFlags & UNCHECKED) === 0;
    if (hasPassed) host.healthySinceMs = Math.floor(this.#nowMs());
    this.begin([host]);
  }

  /** Whether every host has its whole weight by now. */
  get isOver(): boolean {
    return Math.floor(this.#nowMs()) - this.#latestMs > this.#config.windowMs;
  }

  /** What the host weighs now, of the weight that it will have. */
  weigh(host: Host, weight: number): number {
    const { healthySinceMs } = host;
    if (healthySinceMs === undefined || host.health !== HEALTH.healthy) return weight;
    const { windowMs, minWeightPercent } = this.#config;
    const goneMs = Math.floor(this.#nowMs()) - healthySinceMs;
    if (goneMs >= windowMs) return weight;
    const share = Math.max(1, goneMs) / windowMs;
    const grown = this.#aggression === 1 ? share : share ** (1 / this.#aggression);
    return weight * Math.max(grown, minWeightPercent / 100);
  }
}
