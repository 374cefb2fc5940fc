import type { Clock } from "../../base/clock.ts";
import type { Prng } from "../../base/prng.ts";
import type { RuntimeReader } from "../../match/runtime-reader.ts";
import type { Cluster, HostObserver } from "../cluster/cluster.ts";
import type { ClusterConfig } from "../cluster/cluster-config.ts";
import type { Host } from "../cluster/host.ts";
import { HEALTH_FLAG } from "../cluster/host-health.ts";
import type { CounterGroups } from "../counters.ts";
import type { Deadlines } from "../net/deadlines.ts";
import type { FlushQueue } from "../net/flush-queue.ts";
import type { ReadBuffer } from "../net/socket.ts";
import { firstWaitMs, nextWaitMs, type Transition } from "./check-interval.ts";
import { GrpcProbe } from "./grpc-probe.ts";
import type { HealthCheckConfig } from "./health-config.ts";
import { HealthEvents, type WriteLine } from "./health-events.ts";
import {
  HealthSession,
  type HealthStats,
  type Probe,
  type ProbeSink,
  type SessionOwner,
} from "./health-session.ts";
import { HttpProbe } from "./http-probe.ts";
import { HttpVerdict } from "./http-verdict.ts";
import { Http2Probe } from "./http2-probe.ts";
import { TcpProbe } from "./tcp-probe.ts";

/** Whether a host counts as bad until it has been checked, as Envoy has it. */
const BEGINS_BAD: Readonly<Record<ClusterConfig["type"], boolean>> = {
  STATIC: true,
  EDS: true,
  STRICT_DNS: true,
  LOGICAL_DNS: false,
  ORIGINAL_DST: false,
  AGGREGATE: false,
  DYNAMIC_FORWARD_PROXY: false,
};

/** What health checks need from outside. */
export interface HealthDeps {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly runtime: RuntimeReader;
  readonly counters: CounterGroups;
  readonly readBuffer: ReadBuffer;
  readonly flushQueue: FlushQueue;
  readonly deadlines: Deadlines;
  /** Opens a file of event lines. */
  readonly openLog: (path: string) => WriteLine;
}

/** The active health checks of one cluster: a session for each of its hosts. */
export class HealthChecker implements HostObserver {
  readonly #cluster: Cluster;
  readonly #deps: HealthDeps;
  readonly #sessions = new Map<Host, HealthSession>();
  readonly #owner: SessionOwner;
  /** How many checks, of whichever host, must end before the cluster may serve; as Envoy counts. */
  #awaited = 0;
  #onWarm: (() => void) | undefined = undefined;

  constructor(cluster: Cluster, config: HealthCheckConfig, deps: HealthDeps) {
    this.#cluster = cluster;
    this.#deps = deps;
    const { clock } = deps;
    const { load } = cluster;
    const logs = config.eventLogPaths.map((path) => deps.openLog(path));
    this.#owner = {
      config,
      clock,
      stats: healthStats(deps.counters, load.config.statName),
      events: logs.length === 0 ? undefined : new HealthEvents(config.check.kind, clock, logs),
      firstWaitMs: () => firstWaitMs(config.intervals, deps),
      nextWaitMs: (isSuccess, transition) => {
        const last = { isSuccess, transition, hasTraffic: load.connectionsTotal > 0 };
        return nextWaitMs(config.intervals, last, deps);
      },
      onChecked: (host, isSuccess, transition) => this.#onChecked(host, isSuccess, transition),
    };
  }

  /** Whether the first checks of the hosts that it began with have ended. */
  get isWarm(): boolean {
    return this.#awaited === 0;
  }

  /** Begins to check the hosts of the cluster; calls back once when it is warm, perhaps at once. */
  start(onWarm: () => void): void {
    this.#awaited = this.#cluster.hosts.filter(isChecked).length;
    this.#onWarm = onWarm;
    this.#cluster.observe(this);
    this.#tellWarm();
  }

  #tellWarm(): void {
    if (this.#awaited > 0) return;
    const onWarm = this.#onWarm;
    this.#onWarm = undefined;
    onWarm?.();
  }

  onHosts(added: readonly Host[], removed: readonly Host[]): void {
    for (const host of removed) {
      this.#sessions.get(host)?.close();
      this.#sessions.delete(host);
    }
    const { type, ignoresUncheckedHosts } = this.#cluster.config;
    const sessions = added.filter(isChecked).map((host) => {
      // Nothing is sent to it before it was found to be well.
      host.setFlag(HEALTH_FLAG.failedActiveHc, BEGINS_BAD[type]);
      // Those that were there from the beginning count even so.
      const isNew = type === "EDS" || type === "STRICT_DNS";
      host.setFlag(HEALTH_FLAG.pendingActiveHc, isNew && ignoresUncheckedHosts);
      const session = new HealthSession(host, this.#owner, (sink) => this.#probe(host, sink));
      this.#sessions.set(host, session);
      host.activeCheck = session;
      return session;
    });
    for (const session of sessions) session.start();
  }

  #probe(host: Host, sink: ProbeSink): Probe {
    const { config, stats } = this.#owner;
    const { clock, prng, runtime, readBuffer: buffer } = this.#deps;
    const { check } = config;
    const http2 = { ...this.#deps, config };
    if (check.kind === "GRPC") return new GrpcProbe(host, check, http2, sink);
    if (check.kind === "TCP") return new TcpProbe(host, config, check, buffer, sink);
    const verdict = new HttpVerdict(host, { check, stats, prng, runtime }, sink);
    return check.isHttp2
      ? new Http2Probe(host, check, http2, verdict)
      : new HttpProbe(host, { config, check, buffer, clock }, verdict);
  }

  #onChecked(host: Host, isSuccess: boolean, transition: Transition): void {
    const hasFailed = host.hasFlag(HEALTH_FLAG.failedActiveHc);
    if (hasFailed && transition === "changed") this.#cluster.onHostFailed(host);
    else if (isSuccess && !hasFailed) this.#cluster.onHostWell(host);
    if (this.#awaited === 0) return;
    this.#awaited--;
    this.#tellWarm();
  }

  close(): void {
    // Nobody waits for it any more.
    this.#onWarm = undefined;
    for (const session of this.#sessions.values()) session.close();
    this.#sessions.clear();
  }
}

/** Whether somebody wants a host to be checked. */
export function isChecked(host: Host): boolean {
  return host.state.healthCheck?.isDisabled !== true;
}

function healthStats(counters: CounterGroups, statName: string): HealthStats {
  return counters.get(`cluster.${statName}.health_check`, {
    attempt: 0,
    success: 0,
    failure: 0,
    passive_failure: 0,
    network_failure: 0,
    verify_cluster: 0,
    healthy: 0,
    degraded: 0,
  });
}
