import type { Clock, Timer } from "../../base/clock.ts";
import type { Prng } from "../../base/prng.ts";
import type { RuntimeReader } from "../../match/runtime-reader.ts";
import type { HostObserver } from "../cluster/cluster.ts";
import type { Host } from "../cluster/host.ts";
import { HEALTH_FLAG } from "../cluster/host-health.ts";
import { currentNumbers, type OutlierConfig, type OutlierNumbers } from "./outlier-config.ts";
import { CONSECUTIVE, type Detection, RATE_KINDS, type RateKind } from "./outlier-detections.ts";
import type { EjectionCause, EjectionTime, OutlierEvents } from "./outlier-events.ts";
import { type ConsecutiveType, type OutlierJudge, OutlierMonitor } from "./outlier-monitor.ts";
import type { OutlierRecord } from "./outlier-record.ts";
import { NO_SUCCESS_RATES, type SuccessWindow, successRates } from "./outlier-statistics.ts";
import type { OutlierTerm } from "./outlier-term.ts";

/** What finds outliers needs from outside. */
export interface OutlierDeps {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly runtime: RuntimeReader;
  readonly record: OutlierRecord;
  readonly events: OutlierEvents;
}

/** One host with enough requests in an interval to be judged by them. */
interface Rated {
  readonly host: Host;
  readonly monitor: OutlierMonitor;
  readonly rate: number;
}

/**
 * Takes hosts of one cluster out of use for a while when they fail where others do not (Envoy's
 * outlier detection), and back. Hosts are ejected by failures in a row as they come, and by their
 * share of failures when an interval ends; they come back when an interval ends.
 */
export class OutlierDetector implements HostObserver, OutlierJudge {
  readonly #config: OutlierConfig;
  readonly #numbers: OutlierNumbers;
  readonly #deps: OutlierDeps;
  readonly #hosts = new Map<OutlierMonitor, Host>();
  #timer: Timer;
  /** When the present interval ends, on the monotonic clock. */
  #nextMs = 0;

  constructor(config: OutlierConfig, deps: OutlierDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#numbers = currentNumbers(config, deps.runtime);
    this.#timer = this.#startInterval();
  }

  get splitsLocalOrigin(): boolean {
    return this.#config.splitsLocalOrigin;
  }

  get heedsDegraded(): boolean {
    return this.#config.heedsDegraded;
  }

  onHosts(added: readonly Host[], removed: readonly Host[]): void {
    for (const host of added) {
      const monitor = new OutlierMonitor(this);
      host.outlier = monitor;
      this.#hosts.set(monitor, host);
    }
    const { counters } = this.#deps.record;
    for (const host of removed) {
      if (host.outlier === undefined || !this.#hosts.delete(host.outlier)) continue;
      if (host.hasFlag(HEALTH_FLAG.failedOutlierCheck)) counters.ejections_active--;
    }
  }

  close(): void {
    this.#timer.cancel();
    this.#hosts.clear();
    this.#deps.record.counters.ejections_active = 0;
  }

  onFailures(monitor: OutlierMonitor, type: ConsecutiveType, count: number): void {
    const { stat, enforcing, limit, words } = CONSECUTIVE[type];
    if (count !== this.#numbers[limit]) return;
    const host = this.#hosts.get(monitor);
    // Whoever is in use no more, or ejected already, may still have requests on their way.
    if (host === undefined || host.hasFlag(HEALTH_FLAG.failedOutlierCheck)) return;
    const { counters } = this.#deps.record;
    if (type === "CONSECUTIVE_5XX") counters.ejections_consecutive_5xx++;
    const details = { eject_consecutive_event: {} };
    this.#judge(host, monitor, { stat, enforcing }, { type, why: `${count} ${words}`, details });
    monitor.forget(type);
  }

  onDegraded(monitor: OutlierMonitor): void {
    const host = this.#hosts.get(monitor);
    if (host === undefined || host.hasFlag(HEALTH_FLAG.degradedOutlierDetection)) return;
    const { clock, prng, record, events } = this.#deps;
    const nowMs = clock.monotonicMs();
    record.counters.ejections_detected_degradation++;
    monitor.degradation.begin(nowMs, this.#numbers, prng.next());
    host.setFlag(HEALTH_FLAG.degradedOutlierDetection, true);
    events.onDegrade(host, monitor, this.#time(monitor.degradation, nowMs));
  }

  #restore(host: Host, monitor: OutlierMonitor, nowMs: number): void {
    if (!host.hasFlag(HEALTH_FLAG.degradedOutlierDetection)) return;
    monitor.degradation.end(nowMs);
    host.setFlag(HEALTH_FLAG.degradedOutlierDetection, false);
    this.#deps.events.onRestore(host, monitor);
  }

  onHostWell(host: Host): void {
    if (this.#config.returnsWhenChecked && host.outlier !== undefined) {
      this.#takeBack(host, host.outlier);
    }
  }

  #judge(host: Host, monitor: OutlierMonitor, found: Detection, cause: EjectionCause): void {
    const { stat, enforcing } = found;
    const { counters } = this.#deps.record;
    counters[`ejections_detected_${stat}`]++;
    // Both its rate and its share of failures may tell of a host: it is ejected once.
    if (host.hasFlag(HEALTH_FLAG.failedOutlierCheck)) return;
    if (!this.#mayEject()) {
      counters.ejections_overflow++;
      this.#deps.events.onOverflow(host, cause, this.#numbers.max_ejection_percent);
      return;
    }
    if (stat === "consecutive_5xx" || stat === "success_rate") counters.ejections_total++;
    if (this.#hits(this.#numbers[enforcing])) {
      counters[`ejections_enforced_${stat}`]++;
      this.#eject(host, monitor, cause);
    } else this.#deps.events.onDetected(host, monitor, cause);
  }

  /** Whether one more leaves enough of them. */
  #mayEject(): boolean {
    const active = this.#deps.record.counters.ejections_active;
    if (this.#config.alwaysEjectsOne && active === 0) return true;
    const percentMax = Math.min(100, this.#numbers.max_ejection_percent);
    return (100 * (active + 1)) / this.#hosts.size <= percentMax;
  }

  #eject(host: Host, monitor: OutlierMonitor, cause: EjectionCause): void {
    const { clock, prng, record, events } = this.#deps;
    const nowMs = clock.monotonicMs();
    record.counters.ejections_active++;
    record.counters.ejections_enforced_total++;
    monitor.ejections++;
    monitor.ejection.begin(nowMs, this.#numbers, prng.next());
    host.setFlag(HEALTH_FLAG.failedOutlierCheck, true);
    host.fail();
    events.onEject(host, monitor, cause, this.#time(monitor.ejection, nowMs));
  }

  /** Hosts come back at the end of an interval. */
  #time(term: OutlierTerm, nowMs: number): EjectionTime {
    const lengthMs = term.lengthMs(this.#numbers);
    const nextInMs = Math.max(0, this.#nextMs - nowMs);
    const intervalMs = this.#numbers.interval_ms;
    const intervals = Math.ceil(Math.max(0, lengthMs - nextInMs) / intervalMs);
    return { lengthMs, inMs: nextInMs + intervals * intervalMs };
  }

  #takeBack(host: Host, monitor: OutlierMonitor): void {
    if (!this.#hosts.has(monitor) || !host.hasFlag(HEALTH_FLAG.failedOutlierCheck)) return;
    const { clock, record, events } = this.#deps;
    record.counters.ejections_active--;
    monitor.onReturn(clock.monotonicMs());
    host.setFlag(HEALTH_FLAG.failedOutlierCheck, false);
    events.onReturn(host, monitor);
  }

  #startInterval(): Timer {
    const { clock } = this.#deps;
    const intervalMs = this.#numbers.interval_ms;
    this.#nextMs = clock.monotonicMs() + intervalMs;
    return clock.setTimer(intervalMs, () => this.#onInterval());
  }

  #onInterval(): void {
    this.#deps.events.onInterval();
    const nowMs = this.#deps.clock.monotonicMs();
    for (const [monitor, host] of this.#hosts) {
      if (monitor.ejection.isOver(nowMs, this.#numbers)) this.#takeBack(host, monitor);
      if (monitor.degradation.isOver(nowMs, this.#numbers)) this.#restore(host, monitor, nowMs);
      monitor.external.turn();
      monitor.localOrigin.turn();
    }
    for (const kind of RATE_KINDS) this.#judgeRates(kind);
    this.#relent(nowMs);
    this.#timer = this.#startInterval();
  }

  #judgeRates(kind: RateKind): void {
    const { record } = this.#deps;
    record[kind.of] = NO_SUCCESS_RATES;
    const size = this.#hosts.size;
    const leastForRates = this.#numbers.success_rate_minimum_hosts;
    const leastForPercentage = this.#numbers.failure_percentage_minimum_hosts;
    if (size < leastForRates && size < leastForPercentage) return;
    const volumeForRates = this.#numbers.success_rate_request_volume;
    const volumeForPercentage = this.#numbers.failure_percentage_request_volume;
    const forRates = this.#rated(kind, volumeForRates);
    const forPercentage = this.#rated(kind, volumeForPercentage);
    if (forRates.length > 0 && forRates.length >= leastForRates) {
      this.#judgeSuccessRates(kind, forRates);
    }
    if (forPercentage.length > 0 && forPercentage.length >= leastForPercentage) {
      this.#judgePercentages(kind, forPercentage);
    }
  }

  /** Those in use that had at least so many requests in the interval. */
  #rated({ of }: RateKind, volume: number): readonly Rated[] {
    const rated: Rated[] = [];
    for (const [monitor, host] of this.#hosts) {
      const window: SuccessWindow = monitor[of];
      if (host.hasFlag(HEALTH_FLAG.failedOutlierCheck)) continue;
      if (window.endedTotal === 0 || window.endedTotal < volume) continue;
      window.rate = window.endedRate;
      rated.push({ host, monitor, rate: window.rate });
    }
    return rated;
  }

  #judgeSuccessRates({ of, words, successRate }: RateKind, rated: readonly Rated[]): void {
    const { record } = this.#deps;
    const { type } = successRate;
    const deviations = this.#numbers.success_rate_stdev_factor / 1000;
    const rates = successRates(
      rated.map(({ rate }) => rate),
      deviations,
    );
    record[of] = rates;
    for (const { host, monitor, rate } of rated) {
      if (rate >= rates.threshold) continue;
      record.counters.ejections_success_rate++;
      const why = `${words}success rate ${rate.toFixed(1)} < ${rates.threshold.toFixed(1)}`;
      const details = {
        eject_success_rate_event: {
          host_success_rate: Math.trunc(rate),
          cluster_average_success_rate: Math.trunc(rates.average),
          cluster_success_rate_ejection_threshold: Math.trunc(rates.threshold),
        },
      };
      this.#judge(host, monitor, successRate, { type, why, details });
    }
  }

  #judgePercentages(kind: RateKind, rated: readonly Rated[]): void {
    const { words, failurePercentage } = kind;
    const { type } = failurePercentage;
    const threshold = this.#numbers.failure_percentage_threshold;
    for (const { host, monitor, rate } of rated) {
      const failures = 100 - rate;
      if (failures < threshold) continue;
      const why = `${words}failure percentage ${failures.toFixed(1)} >= ${threshold}`;
      const details = { eject_failure_percentage_event: { host_success_rate: Math.trunc(rate) } };
      this.#judge(host, monitor, failurePercentage, { type, why, details });
    }
  }

  /** Who was in order for an interval is ejected for less the next time. */
  #relent(nowMs: number): void {
    for (const [monitor, host] of this.#hosts) {
      const isEjected = host.hasFlag(HEALTH_FLAG.failedOutlierCheck);
      if (!isEjected) monitor.ejection.relent(nowMs, this.#numbers);
      const isDegraded = host.hasFlag(HEALTH_FLAG.degradedOutlierDetection);
      if (!isDegraded) monitor.degradation.relent(nowMs, this.#numbers);
    }
  }

  #hits(percent: number): boolean {
    return percent >= 100 || (percent > 0 && this.#deps.prng.next() * 100 < percent);
  }
}
