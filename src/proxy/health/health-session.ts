import type { Clock, Timer } from "../../base/clock.ts";
import type { ActiveCheck, Host } from "../cluster/host.ts";
import { HEALTH_FLAG } from "../cluster/host-health.ts";
import { setTimerBehindReads } from "./behind-reads.ts";
import type { Transition } from "./check-interval.ts";
import type { HealthCheckConfig } from "./health-config.ts";
import type { FailureKind, HealthEvents } from "./health-events.ts";

/** What is counted of checks, by Envoy's names under `cluster.<name>.health_check`. */
export type HealthStats = {
  attempt: number;
  success: number;
  failure: number;
  passive_failure: number;
  network_failure: number;
  verify_cluster: number;
  healthy: number;
  degraded: number;
};

/** How a check speaks to its host. */
export interface Probe {
  /** Begins a check; its end is told to the session. */
  run(): void;
  /** The check took too long: what is left of it is dropped. */
  giveUp(): void;
  close(): void;
}

/** Whom a probe tells how a check ended. */
export interface ProbeSink {
  onSuccess(isDegraded: boolean): void;
  /** `isRetriable`: it counts towards the threshold; else the host is unhealthy at once. */
  onFailure(kind: FailureKind, isRetriable: boolean, status: number): void;
}

/** What the sessions of one cluster share. */
export interface SessionOwner {
  readonly config: HealthCheckConfig;
  readonly clock: Clock;
  readonly stats: HealthStats;
  /** `undefined` where nobody logs events. */
  readonly events: HealthEvents | undefined;
  readonly firstWaitMs: () => number;
  readonly nextWaitMs: (isSuccess: boolean, transition: Transition) => number;
  /** A check has ended, or the session before its first one did. */
  readonly onChecked: (host: Host, isSuccess: boolean, transition: Transition) => void;
}

/**
 * The checks of one host, one after the other, and what they say of it: Envoy's rules of thresholds,
 * where the first success makes a host healthy at once.
 */
export class HealthSession implements ProbeSink, ActiveCheck {
  readonly #host: Host;
  readonly #owner: SessionOwner;
  readonly #probe: Probe;
  #wait: Timer | undefined = undefined;
  #timeout: Timer | undefined = undefined;
  #isFirst = true;
  #isClosed = false;
  #successes = 0;
  #failures = 0;

  constructor(host: Host, owner: SessionOwner, createProbe: (sink: ProbeSink) => Probe) {
    this.#host = host;
    this.#owner = owner;
    this.#probe = createProbe(this);
    if (!host.hasFlag(HEALTH_FLAG.failedActiveHc)) owner.stats.healthy++;
    if (host.hasFlag(HEALTH_FLAG.degradedActiveHc)) owner.stats.degraded++;
  }

  start(): void {
    const waitMs = this.#owner.firstWaitMs();
    if (waitMs === 0) this.#check();
    else this.#waitFor(waitMs);
  }

  #waitFor(waitMs: number): void {
    this.#timeout?.cancel();
    this.#timeout = undefined;
    this.#wait?.cancel();
    this.#wait = setTimerBehindReads(this.#owner.clock, waitMs, () => this.#check());
  }

  #check(): void {
    const { clock, config, stats } = this.#owner;
    this.#wait = undefined;
    this.#timeout = setTimerBehindReads(clock, config.timeoutMs, () => {
      this.#timeout = undefined;
      this.#probe.giveUp();
      this.onFailure("NETWORK_TIMEOUT", false, 0);
    });
    stats.attempt++;
    this.#probe.run();
  }

  onSuccess(isDegraded: boolean): void {
    this.#failures = 0;
    const { config, stats, events } = this.#owner;
    const host = this.#host;
    let transition = this.#recover();
    if (transition !== "changed" && config.logsSuccesses) events?.success(host);
    transition = this.#endPending(transition);
    if (isDegraded !== host.hasFlag(HEALTH_FLAG.degradedActiveHc)) {
      host.setFlag(HEALTH_FLAG.degradedActiveHc, isDegraded);
      // Envoy's gauge does not go back when a host is well again.
      if (isDegraded) stats.degraded++;
      if (isDegraded) events?.degraded(host);
      else events?.noLongerDegraded(host);
      if (transition === "unchanged") transition = "changed";
    }
    stats.success++;
    this.#end(true, transition);
  }

  /** One more success of a host that was unhealthy. */
  #recover(): Transition {
    const { config, stats, events } = this.#owner;
    const host = this.#host;
    if (!host.hasFlag(HEALTH_FLAG.failedActiveHc)) return "unchanged";
    if (!this.#isFirst && ++this.#successes !== config.healthyThreshold) return "pending";
    host.setFlag(HEALTH_FLAG.activeHcTimeout, false);
    host.setFlag(HEALTH_FLAG.excludedViaImmediateHcFail, false);
    host.setFlag(HEALTH_FLAG.failedActiveHc, false);
    stats.healthy++;
    events?.addHealthy(host, this.#isFirst);
    return "changed";
  }

  onFailure(kind: FailureKind, isRetriable: boolean, status: number): void {
    const transition = this.#fail(kind, isRetriable, status);
    this.#end(false, transition);
  }

  /** The host said in a response that it should be left alone. */
  failNow(): void {
    if (this.#isClosed) return;
    this.#host.setFlag(HEALTH_FLAG.excludedViaImmediateHcFail, true);
    const transition = this.#fail("PASSIVE", false, 0);
    this.#isFirst = false;
    // The time of the next check stays as it is.
    this.#owner.onChecked(this.#host, false, transition);
  }

  #fail(kind: FailureKind, isRetriable: boolean, status: number): Transition {
    this.#successes = 0;
    const { config, stats, events } = this.#owner;
    const host = this.#host;
    const isNetwork = kind === "NETWORK" || kind === "NETWORK_TIMEOUT";
    let transition = this.#decline(isNetwork || isRetriable);
    if (transition === "changed") events?.ejectUnhealthy(host, kind, status);
    const isTimeout = kind === "NETWORK_TIMEOUT" && host.hasFlag(HEALTH_FLAG.failedActiveHc);
    host.setFlag(HEALTH_FLAG.activeHcTimeout, isTimeout);
    transition = this.#endPending(transition);
    if (this.#isFirst || config.logsFailures) events?.failure(host, kind, this.#isFirst, status);
    stats.failure++;
    if (isNetwork) stats.network_failure++;
    else if (kind === "PASSIVE") stats.passive_failure++;
    return transition;
  }

  /** One more failure of a host that was healthy. */
  #decline(countsToThreshold: boolean): Transition {
    const { config, stats } = this.#owner;
    const host = this.#host;
    if (host.hasFlag(HEALTH_FLAG.failedActiveHc)) return "unchanged";
    if (countsToThreshold && ++this.#failures !== config.unhealthyThreshold) return "pending";
    host.setFlag(HEALTH_FLAG.failedActiveHc, true);
    stats.healthy--;
    return "changed";
  }

  /** A host that had never been checked counts from now on. */
  #endPending(transition: Transition): Transition {
    if (!this.#host.hasFlag(HEALTH_FLAG.pendingActiveHc)) return transition;
    this.#host.setFlag(HEALTH_FLAG.pendingActiveHc, false);
    return "changed";
  }

  #end(isSuccess: boolean, transition: Transition): void {
    this.#isFirst = false;
    this.#owner.onChecked(this.#host, isSuccess, transition);
    // Whoever was told may have removed the host.
    if (!this.#isClosed) this.#waitFor(this.#owner.nextWaitMs(isSuccess, transition));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#wait?.cancel();
    this.#timeout?.cancel();
    const { stats } = this.#owner;
    if (!this.#host.hasFlag(HEALTH_FLAG.failedActiveHc)) stats.healthy--;
    if (this.#host.hasFlag(HEALTH_FLAG.degradedActiveHc)) stats.degraded--;
    this.#probe.close();
    // Somebody may wait for a first check that will never be.
    if (this.#isFirst) this.#owner.onChecked(this.#host, false, "unchanged");
  }
}
