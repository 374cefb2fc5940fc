import { beforeEach, describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { SimClock } from "../../base/sim-clock.ts";
import { NO_RUNTIME, type RuntimeReader } from "../../match/runtime-reader.ts";
import { createLogger } from "../../telemetry/log.ts";
import { Cluster } from "../cluster/cluster.ts";
import type { Host } from "../cluster/host.ts";
import { HEALTH_FLAG } from "../cluster/host-health.ts";
import { testAssignment, testClusterConfig, testEndpoint } from "../cluster/test-cluster-config.ts";
import { OUTLIER_DEFAULTS, type OutlierConfig, type OutlierNumbers } from "./outlier-config.ts";
import { OutlierDetector } from "./outlier-detector.ts";
import { OutlierEvents } from "./outlier-events.ts";

const START_MS = Date.UTC(2026, 0, 1);
const SECOND = 1000;

let clock: SimClock;
let events: string[];
let log: string[];

beforeEach(() => {
  clock = new SimClock(START_MS);
  events = [];
  log = [];
});

interface Rig {
  readonly cluster: Cluster;
  readonly detector: OutlierDetector;
  readonly hosts: readonly Host[];
  readonly counters: Readonly<Record<string, number>>;
}

function createRig(
  numbers: Partial<OutlierNumbers>,
  options: Partial<OutlierConfig> & { hosts?: number; runtime?: RuntimeReader; seed?: number } = {},
): Rig {
  const outlier: OutlierConfig = {
    numbers: { ...OUTLIER_DEFAULTS, max_ejection_percent: 100, ...numbers },
    alwaysEjectsOne: false,
    splitsLocalOrigin: false,
    heedsDegraded: false,
    returnsWhenChecked: true,
    ...options,
  };
  const prng = createPrng(options.seed ?? 1);
  const cluster = new Cluster(testClusterConfig({ outlier }), false, prng);
  const record = cluster.load.outlier;
  if (record === undefined) throw new Error("there is no record");
  const detector = new OutlierDetector(outlier, {
    clock,
    prng,
    runtime: options.runtime ?? NO_RUNTIME,
    record,
    events: new OutlierEvents("c", {
      clock,
      log: createLogger({
        clock,
        level: () => "debug",
        write: (line) => {
          const [, level, , ...rest] = line.split("\t");
          log.push([level, ...rest].join(" "));
        },
      }),
      write: (line) => events.push(line),
    }),
  });
  cluster.observe(detector);
  assign(cluster, options.hosts ?? 1);
  return { cluster, detector, hosts: cluster.hosts, counters: record.counters };
}

function assign(cluster: Cluster, count: number): void {
  const endpoints = Array.from({ length: count }, (_, at) => testEndpoint(at + 1));
  cluster.assign(testAssignment(endpoints));
}

function hostAt({ hosts }: Rig, at: number): Host {
  const host = hosts[at];
  if (host === undefined) throw new Error(`there is no host ${at}`);
  return host;
}

function answer(host: Host, status: number, times = 1): void {
  for (let left = times; left > 0; left--) host.outlier?.onStatus(status);
}

function isEjected(host: Host): boolean {
  return host.hasFlag(HEALTH_FLAG.failedOutlierCheck);
}

/** How many seconds go by until the host is back. */
async function secondsEjected(host: Host): Promise<number> {
  let seconds = 0;
  for (; isEjected(host) && seconds < 100_000; seconds++) await clock.advance(SECOND);
  return seconds;
}

describe("OutlierDetector", () => {
  test("ejects for longer each time, up to a bound", async () => {
    const rig = createRig({ max_ejection_time_ms: 90_000 });
    const host = hostAt(rig, 0);
    const lengths = [];
    for (let round = 0; round < 5; round++) {
      answer(host, 500, 5);
      lengths.push(await secondsEjected(host));
    }
    expect(lengths).toEqual([30, 60, 90, 90, 90]);
    expect(rig.counters["ejections_active"]).toBe(0);
    expect(rig.counters["ejections_enforced_total"]).toBe(5);
  });

  test("ejects for less after a time in order", async () => {
    const rig = createRig({});
    const host = hostAt(rig, 0);
    for (let round = 0; round < 4; round++) {
      answer(host, 500, 5);
      await secondsEjected(host);
    }
    // Two of the four steps are taken back, one with each interval.
    await clock.advance(20 * SECOND);
    answer(host, 500, 5);
    expect(await secondsEjected(host)).toBe(90);
    await clock.advance(3600 * SECOND);
    answer(host, 500, 5);
    expect(await secondsEjected(host)).toBe(30);
  });

  test("lets hosts come back at the end of an interval", async () => {
    const rig = createRig({ base_ejection_time_ms: 12_000 });
    const host = hostAt(rig, 0);
    await clock.advance(4 * SECOND);
    answer(host, 500, 5);
    expect(await secondsEjected(host)).toBe(16);
  });

  test("adds a jitter of its own to each ejection", async () => {
    const rig = createRig(
      { interval_ms: 1, base_ejection_time_ms: 1000, max_ejection_time_jitter_ms: 500 },
      { hosts: 200 },
    );
    for (const host of rig.hosts) answer(host, 500, 5);
    const numbers = { ...OUTLIER_DEFAULTS, base_ejection_time_ms: 0 };
    const jitters = rig.hosts.map(({ outlier }) => outlier?.ejection.lengthMs(numbers) ?? -1);
    expect(Math.min(...jitters)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...jitters)).toBeLessThanOrEqual(500);
    expect(new Set(jitters).size).toBeGreaterThan(100);
    await clock.advance(999);
    expect(rig.hosts.every(isEjected)).toBe(true);
    await clock.advance(250);
    const share = rig.hosts.filter(isEjected).length / rig.hosts.length;
    expect(Math.abs(share - 0.5)).toBeLessThan(0.2);
    await clock.advance(251);
    expect(rig.hosts.some(isEjected)).toBe(false);
  });

  test("begins anew with who is back", async () => {
    const rig = createRig({ enforcing_consecutive_gateway_failure: 100, consecutive_5xx: 7 });
    const host = hostAt(rig, 0);
    answer(host, 503, 5);
    expect(isEjected(host)).toBe(true);
    await secondsEjected(host);
    answer(host, 503, 4);
    answer(host, 500, 2);
    expect(isEjected(host)).toBe(false);
    answer(host, 500);
    expect(isEjected(host)).toBe(true);
  });

  test.each([
    { percent: 0, ejected: 0 },
    { percent: 24, ejected: 0 },
    { percent: 25, ejected: 1 },
    { percent: 74, ejected: 2 },
    { percent: 100, ejected: 4 },
    { percent: 1000, ejected: 4 },
  ])("ejects $ejected of four at $percent %", ({ percent, ejected }) => {
    const rig = createRig({ max_ejection_percent: percent }, { hosts: 4 });
    for (const host of rig.hosts) answer(host, 500, 5);
    expect(rig.hosts.filter(isEjected)).toHaveLength(ejected);
    expect(rig.counters["ejections_overflow"]).toBe(4 - ejected);
    expect(rig.counters["ejections_active"]).toBe(ejected);
  });

  test("acts upon the share of cases that is to be enforced", () => {
    const count = 2000;
    const rig = createRig({ enforcing_consecutive_5xx: 30 }, { hosts: count, seed: 7 });
    for (const host of rig.hosts) answer(host, 500, 5);
    const share = (rig.counters["ejections_enforced_total"] ?? 0) / count;
    expect(Math.abs(share - 0.3)).toBeLessThan(5 * Math.sqrt((0.3 * 0.7) / count));
    expect(rig.counters["ejections_detected_consecutive_5xx"]).toBe(count);
  });

  test("chooses no host that is ejected, and drops its connections", () => {
    const rig = createRig({}, { hosts: 3 });
    const host = hostAt(rig, 1);
    let retired = 0;
    host.pools[0] = { retire: () => retired++ };
    answer(host, 500, 5);
    const chosen = new Set(Array.from({ length: 30 }, () => rig.cluster.pick()));
    expect(chosen).toEqual(new Set([hostAt(rig, 0), hostAt(rig, 2)]));
    expect(retired).toBe(1);
  });

  test("ejects once who is given away twice", async () => {
    const rig = createRig({ enforcing_failure_percentage: 100, consecutive_5xx: 0 }, { hosts: 5 });
    for (const [at, host] of rig.hosts.entries()) answer(host, at === 0 ? 500 : 200, 100);
    await clock.advance(10 * SECOND);
    expect(rig.counters).toMatchObject({
      ejections_active: 1,
      ejections_detected_failure_percentage: 1,
      ejections_detected_success_rate: 1,
      ejections_enforced_failure_percentage: 0,
      ejections_enforced_total: 1,
    });
    await clock.advance(30 * SECOND);
    expect(rig.counters["ejections_active"]).toBe(0);
  });

  test("judges no rates of too few hosts, or of too few requests", async () => {
    const few = createRig({ consecutive_5xx: 0 }, { hosts: 4 });
    for (const [at, host] of few.hosts.entries()) answer(host, at === 0 ? 500 : 200, 100);
    const quiet = createRig({ consecutive_5xx: 0 }, { hosts: 5 });
    for (const [at, host] of quiet.hosts.entries()) answer(host, at === 0 ? 500 : 200, 99);
    await clock.advance(10 * SECOND);
    expect(few.hosts.some(isEjected)).toBe(false);
    expect(quiet.hosts.some(isEjected)).toBe(false);
    // For failure percentages that was enough, so the rate is known all the same.
    expect(hostAt(quiet, 0).outlier?.external.rate).toBe(0);
    expect(hostAt(few, 0).outlier?.external.rate).toBe(-1);
    expect(few.cluster.load.outlier?.external).toEqual({ average: -1, threshold: -1 });
  });

  test.each([
    { failures: 84, ejected: 0 },
    { failures: 85, ejected: 1 },
  ])("ejects $ejected at $failures % of failures", async ({ failures, ejected }) => {
    const rig = createRig(
      { consecutive_5xx: 0, enforcing_success_rate: 0, enforcing_failure_percentage: 100 },
      { hosts: 5 },
    );
    for (const [at, host] of rig.hosts.entries()) {
      answer(host, 500, at === 0 ? failures : 0);
      answer(host, 200, at === 0 ? 100 - failures : 100);
    }
    await clock.advance(10 * SECOND);
    expect(rig.counters["ejections_enforced_failure_percentage"]).toBe(ejected);
  });

  test("uses whoever is degraded last, for as long as an ejection takes", async () => {
    const rig = createRig({ enforcing_consecutive_5xx: 0 }, { hosts: 5, heedsDegraded: true });
    const host = hostAt(rig, 0);
    const isDegraded = (): boolean => host.hasFlag(HEALTH_FLAG.degradedOutlierDetection);
    const lengths = [];
    for (let round = 0; round < 3; round++) {
      host.outlier?.onDegraded();
      host.outlier?.onDegraded();
      const chosen = new Set(Array.from({ length: 30 }, () => rig.cluster.pick()));
      expect(chosen).toEqual(new Set(rig.hosts.slice(1)));
      let seconds = 0;
      for (; isDegraded() && seconds < 1000; seconds++) await clock.advance(SECOND);
      lengths.push(seconds);
    }
    expect(lengths).toEqual([30, 60, 90]);
    expect(rig.counters["ejections_detected_degradation"]).toBe(3);
    await clock.advance(3600 * SECOND);
    host.outlier?.onDegraded();
    await clock.advance(30 * SECOND);
    expect(isDegraded()).toBe(false);
    expect(log.slice(0, 2)).toEqual([
      "info host degraded cluster=c host=127.0.0.1:1 reason=x-envoy-degraded for=30s until=2026-01-01T00:00:30.000Z",
      "info host not degraded cluster=c host=127.0.0.1:1 after=30s",
    ]);
  });

  test("forgets hosts that are gone", async () => {
    const rig = createRig({}, { hosts: 2 });
    const gone = hostAt(rig, 1);
    answer(gone, 500, 5);
    assign(rig.cluster, 1);
    expect(rig.counters["ejections_active"]).toBe(0);
    answer(gone, 500, 5);
    await clock.advance(60 * SECOND);
    expect(rig.counters["ejections_detected_consecutive_5xx"]).toBe(1);
    expect(rig.counters["ejections_active"]).toBe(0);
  });

  test("keeps hosts out that discovery names again", async () => {
    const rig = createRig({}, { hosts: 2 });
    answer(hostAt(rig, 1), 500, 5);
    assign(rig.cluster, 2);
    expect(isEjected(hostAt(rig, 1))).toBe(true);
    expect(await secondsEjected(hostAt(rig, 1))).toBe(30);
  });

  test("does nothing any more when it is closed", async () => {
    const rig = createRig({}, { hosts: 2 });
    answer(hostAt(rig, 1), 500, 5);
    rig.cluster.retire();
    answer(hostAt(rig, 0), 500, 5);
    await clock.advance(3600 * SECOND);
    expect(rig.counters["ejections_detected_consecutive_5xx"]).toBe(1);
    expect(rig.counters["ejections_active"]).toBe(0);
    expect(log).toHaveLength(1);
  });

  test.each([{ returnsWhenChecked: true }, { returnsWhenChecked: false }])(
    "takes back who is found healthy: $returnsWhenChecked",
    ({ returnsWhenChecked }) => {
      const rig = createRig({}, { returnsWhenChecked });
      const host = hostAt(rig, 0);
      answer(host, 500, 5);
      rig.detector.onHostWell(host);
      expect(isEjected(host)).toBe(!returnsWhenChecked);
      rig.detector.onHostWell(host);
      expect(rig.counters["ejections_active"]).toBe(returnsWhenChecked ? 0 : 1);
    },
  );

  test("goes by the runtime", async () => {
    const values: Readonly<Record<string, number>> = {
      "outlier_detection.consecutive_5xx": 2,
      "outlier_detection.interval_ms": 1000,
      "outlier_detection.base_ejection_time_ms": 3000,
    };
    const runtime = { ...NO_RUNTIME, integer: (key: string) => values[key] };
    const rig = createRig({}, { runtime });
    answer(hostAt(rig, 0), 500, 2);
    expect(isEjected(hostAt(rig, 0))).toBe(true);
    expect(await secondsEjected(hostAt(rig, 0))).toBe(3);
  });
});

describe("OutlierEvents", () => {
  test("say who, why, how long and until when", async () => {
    const rig = createRig({ max_ejection_percent: 50 }, { hosts: 2 });
    await clock.advance(4 * SECOND);
    answer(hostAt(rig, 0), 500, 5);
    answer(hostAt(rig, 1), 500, 5);
    await secondsEjected(hostAt(rig, 0));
    expect(log).toEqual([
      'info host ejected cluster=c host=127.0.0.1:1 reason="5 consecutive 5xx" enforced=true for=30s until=2026-01-01T00:00:40.000Z',
      'info host not ejected cluster=c host=127.0.0.1:2 reason="5 consecutive 5xx" limit="max_ejection_percent 50"',
      "info host returned cluster=c host=127.0.0.1:1 after=36s",
    ]);
  });

  test("say once in an interval what is not acted upon", async () => {
    const rig = createRig({ enforcing_consecutive_5xx: 0 });
    const host = hostAt(rig, 0);
    answer(host, 500, 50);
    expect(log.filter((line) => line.startsWith("info"))).toHaveLength(1);
    await clock.advance(10 * SECOND);
    answer(host, 500, 50);
    expect(log.filter((line) => line.startsWith("info"))).toHaveLength(2);
    expect(events).toHaveLength(20);
  });

  test("say with which numbers", async () => {
    const rig = createRig(
      {
        consecutive_5xx: 0,
        consecutive_local_origin_failure: 0,
        failure_percentage_threshold: 60,
        enforcing_success_rate: 0,
      },
      { hosts: 5, splitsLocalOrigin: true },
    );
    for (const [at, host] of rig.hosts.entries()) {
      for (let left = at === 0 ? 70 : 0; left > 0; left--) host.outlier?.onUnreachable();
      for (let left = at === 0 ? 30 : 100; left > 0; left--) host.outlier?.onConnected();
      answer(host, 200, at === 1 ? 39 : 100);
      answer(host, 500, at === 1 ? 61 : 0);
    }
    await clock.advance(10 * SECOND);
    expect(log).toEqual([
      'info host would be ejected cluster=c host=127.0.0.1:2 reason="success rate 39.0 < 41.4" enforced=false',
      'info host would be ejected cluster=c host=127.0.0.1:2 reason="failure percentage 61.0 >= 60" enforced=false',
      'info host ejected cluster=c host=127.0.0.1:1 reason="local origin success rate 30.0 < 32.8" enforced=true for=30s until=2026-01-01T00:00:40.000Z',
    ]);
  });

  test("are written as Envoy's", async () => {
    const rig = createRig({ base_ejection_time_ms: 10_000 });
    const host = hostAt(rig, 0);
    await clock.advance(500);
    answer(host, 503, 5);
    await clock.advance(20 * SECOND);
    answer(host, 500, 5);
    const common = '"cluster_name":"c","upstream_url":"127.0.0.1:1"';
    expect(events).toEqual([
      `{"type":"CONSECUTIVE_GATEWAY_FAILURE","timestamp":"2026-01-01T00:00:00.500Z",${common},"action":"EJECT","num_ejections":0,"enforced":false,"eject_consecutive_event":{}}\n`,
      `{"type":"CONSECUTIVE_5XX","timestamp":"2026-01-01T00:00:00.500Z",${common},"action":"EJECT","num_ejections":1,"enforced":true,"eject_consecutive_event":{}}\n`,
      `{"type":"CONSECUTIVE_5XX","timestamp":"2026-01-01T00:00:20Z","secs_since_last_action":"19",${common},"action":"UNEJECT","num_ejections":1,"enforced":false}\n`,
      `{"type":"CONSECUTIVE_5XX","timestamp":"2026-01-01T00:00:20.500Z","secs_since_last_action":"0",${common},"action":"EJECT","num_ejections":2,"enforced":true,"eject_consecutive_event":{}}\n`,
    ]);
  });
});
