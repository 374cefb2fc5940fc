import { describe, expect, test } from "vitest";
import type { Clock, Timer } from "../../base/clock.ts";
import { createPrng } from "../../base/prng.ts";
import { SimClock } from "../../base/sim-clock.ts";
import { NO_RUNTIME } from "../../match/runtime-reader.ts";
import { Host } from "../cluster/host.ts";
import { HEALTH_FLAG, healthFlagsText } from "../cluster/host-health.ts";
import { ClusterLoad } from "../cluster/load.ts";
import { testClusterConfig, testEndpoint } from "../cluster/test-cluster-config.ts";
import { firstWaitMs, nextWaitMs } from "./check-interval.ts";
import type { HealthCheckConfig, IntervalConfig } from "./health-config.ts";
import { HealthSession, type HealthStats, type Probe, type ProbeSink } from "./health-session.ts";

/** Counts the timers that have neither fired nor been cancelled. */
class CountingClock implements Clock {
  readonly sim = new SimClock();
  timers = 0;

  nowMs(): number {
    return this.sim.nowMs();
  }

  monotonicMs(): number {
    return this.sim.monotonicMs();
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return this.sim.sleep(delayMs, signal);
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    let isOver = false;
    const end = (): boolean => {
      const wasOver = isOver;
      isOver = true;
      if (!wasOver) this.timers--;
      return !wasOver;
    };
    this.timers++;
    const timer = this.sim.setTimer(delayMs, () => {
      if (end()) callback();
    });
    return {
      cancel() {
        end();
        timer.cancel();
      },
    };
  }
}

/** What a host does with a check: answers at once, or not at all. */
type Behaviour = (atMs: number) => "well" | "bad" | "late";

/** A host that answers in the moment in which it is asked. */
class FakeProbe implements Probe {
  readonly #sink: ProbeSink;
  readonly #clock: Clock;
  readonly #behaviour: Behaviour;
  readonly runsMs: number[] = [];
  isClosed = false;
  givenUp = 0;

  constructor(sink: ProbeSink, clock: Clock, behaviour: Behaviour) {
    this.#sink = sink;
    this.#clock = clock;
    this.#behaviour = behaviour;
  }

  run(): void {
    const nowMs = this.#clock.monotonicMs();
    this.runsMs.push(nowMs);
    // Never within the call, as with a real host.
    queueMicrotask(() => {
      if (this.isClosed) return;
      const does = this.#behaviour(nowMs);
      if (does === "well") this.#sink.onSuccess(false);
      if (does === "bad") this.#sink.onFailure("NETWORK", false, 0);
    });
  }

  giveUp(): void {
    this.givenUp++;
  }

  close(): void {
    this.isClosed = true;
  }
}

const INTERVALS: IntervalConfig = {
  intervalMs: 1000,
  initialJitterMs: 0,
  jitterMs: 0,
  jitterPercent: 0,
  noTrafficMs: 60_000,
  noTrafficHealthyMs: 60_000,
  unhealthyMs: 5000,
  unhealthyEdgeMs: 200,
  healthyEdgeMs: 100,
};

interface Rig {
  readonly clock: CountingClock;
  readonly host: Host;
  readonly stats: HealthStats;
  readonly session: HealthSession;
  readonly probe: FakeProbe;
}

const DEPS = { prng: createPrng(5), runtime: NO_RUNTIME };

function createRig(
  behaviour: Behaviour,
  intervals: Partial<IntervalConfig> = {},
  clock = new CountingClock(),
): Rig {
  const config: HealthCheckConfig = {
    check: { kind: "TCP", proxyHeader: undefined, send: Buffer.alloc(0), receive: [] },
    timeoutMs: 500,
    unhealthyThreshold: 3,
    healthyThreshold: 2,
    intervals: { ...INTERVALS, ...intervals },
    reusesConnection: true,
    eventLogPaths: [],
    logsFailures: false,
    logsSuccesses: false,
    alpn: [],
    transportMetadata: undefined,
  };
  const host = new Host(testEndpoint(1), new ClusterLoad(testClusterConfig(), undefined));
  host.setFlag(HEALTH_FLAG.failedActiveHc, true);
  const stats: HealthStats = {
    attempt: 0,
    success: 0,
    failure: 0,
    passive_failure: 0,
    network_failure: 0,
    verify_cluster: 0,
    healthy: 0,
    degraded: 0,
  };
  const probes: FakeProbe[] = [];
  const session = new HealthSession(
    host,
    {
      config,
      clock,
      stats,
      events: undefined,
      firstWaitMs: () => firstWaitMs(config.intervals, DEPS),
      nextWaitMs: (isSuccess, transition) =>
        nextWaitMs(config.intervals, { isSuccess, transition, hasTraffic: true }, DEPS),
      onChecked: () => undefined,
    },
    (sink) => {
      const probe = new FakeProbe(sink, clock, behaviour);
      probes.push(probe);
      return probe;
    },
  );
  const [probe] = probes;
  if (probe === undefined) throw new Error("no probe was made");
  session.start();
  return { clock, host, stats, session, probe };
}

/** From one check to the next, in milliseconds. */
function gaps({ runsMs }: FakeProbe): readonly number[] {
  return runsMs.slice(1).map((atMs, index) => atMs - (runsMs[index] ?? 0));
}

describe("the time from check to check", () => {
  test("is the edge's while a threshold has not been reached", async () => {
    // Well until 2.5 s, bad until 20 s, well again.
    const rig = createRig((atMs) => (atMs < 2500 || atMs > 20_000 ? "well" : "bad"));
    await rig.clock.sim.advance(25_000);
    expect(gaps(rig.probe).slice(0, 9)).toEqual([
      1000, 1000, 1000, 200, 200, 5000, 5000, 5000, 5000,
    ]);
    expect(gaps(rig.probe).slice(9, 11)).toEqual([100, 1000]);
    expect(rig.host.healthFlags).toBe(0);
    rig.session.close();
    expect(rig.clock.timers).toBe(0);
  });

  test("begins when a check has taken too long", async () => {
    const rig = createRig(() => "late");
    await rig.clock.sim.advance(11_400);
    expect(gaps(rig.probe)).toEqual([5500, 5500]);
    expect(rig.probe.givenUp).toBe(2);
    expect(healthFlagsText(rig.host.healthFlags)).toBe("/failed_active_hc/active_hc_timeout");
    expect(rig.stats).toMatchObject({ attempt: 3, failure: 2, network_failure: 2 });
    rig.session.close();
    expect(rig.clock.timers).toBe(0);
  });

  test("spreads hosts that begin together", async () => {
    const clock = new CountingClock();
    const rigs = Array.from({ length: 1000 }, () =>
      createRig(() => "well", { initialJitterMs: 1000, jitterPercent: 20 }, clock),
    );
    await clock.sim.advance(1000);
    const first = rigs.map(({ probe }) => probe.runsMs[0] ?? -1);
    // A tenth of the time has about a tenth of them.
    for (let from = 0; from < 1000; from += 100) {
      const inside = first.filter((atMs) => atMs >= from && atMs < from + 100).length;
      expect(inside).toBeGreaterThan(60);
      expect(inside).toBeLessThan(140);
    }
    for (const { session } of rigs) session.close();
    expect(clock.timers).toBe(0);
  });
});

describe("a host that flaps each second", () => {
  test("is followed for an hour, with one timer at most", async () => {
    const rig = createRig((atMs) => (Math.floor(atMs / 1000) % 2 === 0 ? "well" : "bad"), {
      unhealthyMs: 100,
      intervalMs: 100,
    });
    let changes = 0;
    rig.host.onHealthChange = () => changes++;
    for (let minute = 0; minute < 60; minute++) {
      await rig.clock.sim.advance(60_000);
      expect(rig.clock.timers).toBe(1);
    }
    // There and back each second.
    expect(changes).toBeGreaterThanOrEqual(3590);
    expect(changes).toBeLessThanOrEqual(3600);
    const { attempt, success, failure } = rig.stats;
    expect(success + failure).toBe(attempt);
    rig.session.close();
    expect(rig.clock.timers).toBe(0);
  }, 60_000);
});

describe("a session", () => {
  test("leaves no trace in the gauges, whenever it ends", async () => {
    for (const endMs of [0, 1, 999, 1000, 2600, 3100]) {
      const rig = createRig((atMs) => (atMs < 2500 ? "well" : "late"));
      await rig.clock.sim.advance(endMs);
      rig.session.close();
      rig.session.close();
      await rig.clock.sim.advance(60_000);
      expect(rig.stats.healthy).toBe(0);
      expect(rig.clock.timers).toBe(0);
      expect(rig.probe.isClosed).toBe(true);
    }
  });

  test("takes the host's own word at once, and goes on checking when it would have", async () => {
    const rig = createRig(() => "well");
    await rig.clock.sim.advance(500);
    rig.session.failNow();
    expect(healthFlagsText(rig.host.healthFlags)).toBe(
      "/failed_active_hc/excluded_via_immediate_hc_fail",
    );
    expect(rig.stats).toMatchObject({ failure: 1, passive_failure: 1, healthy: 0 });
    await rig.clock.sim.advance(1000);
    // The second success of two comes after the edge's time.
    expect(rig.probe.runsMs).toEqual([0, 1000, 1100]);
    expect(rig.host.healthFlags).toBe(0);
    rig.session.close();
    rig.session.failNow();
    expect(rig.stats.failure).toBe(1);
  });
});
