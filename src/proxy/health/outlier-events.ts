import type { Clock } from "../../base/clock.ts";
import type { LogFields, Logger } from "../../telemetry/log.ts";
import type { Host } from "../cluster/host.ts";
import type { OutlierMonitor } from "./outlier-monitor.ts";
import type { OutlierTerm } from "./outlier-term.ts";

/** Why a host was found to be an outlier. */
export interface EjectionCause {
  /** Envoy's `OutlierEjectionType`. */
  readonly type: string;
  /** In words, with the numbers. */
  readonly why: string;
  /** What Envoy's event says of it: one field with what belongs to the type. */
  readonly details: object;
}

/** How long a host is ejected. */
export interface EjectionTime {
  readonly lengthMs: number;
  /** Until the interval ends in which that is over. */
  readonly inMs: number;
}

/** Tells of ejections: to a log in Envoy's JSON where there is one, and to weft's own. */
export class OutlierEvents {
  readonly #cluster: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #write: ((line: string) => void) | undefined;
  /** What was found in this interval and not acted upon, so that it is not said with every request. */
  readonly #told = new Set<string>();

  /** `write` takes a line with its end; `undefined` where no log is configured. */
  constructor(
    cluster: string,
    options: {
      readonly clock: Clock;
      readonly log: Logger;
      readonly write: ((line: string) => void) | undefined;
    },
  ) {
    this.#cluster = cluster;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#write = options.write;
  }

  onEject(host: Host, monitor: OutlierMonitor, cause: EjectionCause, time: EjectionTime): void {
    this.#writeEjection(host, monitor, cause, true);
    this.#log.info("host ejected", {
      cluster: this.#cluster,
      host: host.key,
      reason: cause.why,
      enforced: true,
      ...this.#timeFields(time),
    });
  }

  /** It stays in use: so many percent of such cases are not acted upon. */
  onDetected(host: Host, monitor: OutlierMonitor, cause: EjectionCause): void {
    this.#writeEjection(host, monitor, cause, false);
    const { why: reason } = cause;
    this.#tellOnce("host would be ejected", host, cause, { reason, enforced: false });
  }

  /** It stays in use: too many are ejected already. */
  onOverflow(host: Host, cause: EjectionCause, percentMax: number): void {
    const limit = `max_ejection_percent ${percentMax}`;
    this.#tellOnce("host not ejected", host, cause, { reason: cause.why, limit });
  }

  /** An interval begins: what was said of the one before may be said again. */
  onInterval(): void {
    this.#told.clear();
  }

  #tellOnce(message: string, host: Host, { type }: EjectionCause, fields: LogFields): void {
    const key = `${type} ${host.key}`;
    const all = { cluster: this.#cluster, host: host.key, ...fields };
    if (this.#told.has(key)) return this.#log.debug(message, all);
    this.#told.add(key);
    this.#log.info(message, all);
  }

  onReturn(host: Host, monitor: OutlierMonitor): void {
    this.#writeReturn(host, monitor);
    const after = this.#lengthOf(monitor.ejection);
    this.#log.info("host returned", { cluster: this.#cluster, host: host.key, after });
  }

  /** It is used only where there are not enough others. */
  onDegrade(host: Host, monitor: OutlierMonitor, time: EjectionTime): void {
    const details = { eject_consecutive_event: {} };
    const cause = { type: "DEGRADED", why: "x-envoy-degraded", details };
    this.#writeEjection(host, monitor, cause, true);
    const fields = { cluster: this.#cluster, host: host.key, reason: cause.why };
    this.#log.info("host degraded", { ...fields, ...this.#timeFields(time) });
  }

  onRestore(host: Host, monitor: OutlierMonitor): void {
    this.#writeReturn(host, monitor);
    const after = this.#lengthOf(monitor.degradation);
    this.#log.info("host not degraded", { cluster: this.#cluster, host: host.key, after });
  }

  #timeFields({ lengthMs, inMs }: EjectionTime): { readonly for: string; readonly until: string } {
    const until = new Date(this.#clock.nowMs() + inMs).toISOString();
    return { for: `${lengthMs / 1000}s`, until };
  }

  #lengthOf({ beganAtMs = 0 }: OutlierTerm): string {
    return `${Math.round(this.#clock.monotonicMs() - beganAtMs) / 1000}s`;
  }

  #writeReturn(host: Host, monitor: OutlierMonitor): void {
    this.#writeEvent(host, monitor, {
      type: "CONSECUTIVE_5XX",
      action: "UNEJECT",
      sinceMs: monitor.ejection.beganAtMs,
      enforced: false,
      details: {},
    });
  }

  #writeEjection(
    host: Host,
    monitor: OutlierMonitor,
    { type, details }: EjectionCause,
    enforced: boolean,
  ): void {
    const sinceMs = monitor.ejection.endedAtMs;
    this.#writeEvent(host, monitor, { type, action: "EJECT", sinceMs, enforced, details });
  }

  /** Envoy's `OutlierDetectionEvent`, in the order of its fields; a return has no type of its own. */
  #writeEvent(
    host: Host,
    monitor: OutlierMonitor,
    event: {
      readonly type: string;
      readonly action: "EJECT" | "UNEJECT";
      /** When the last action before it was, on the monotonic clock. */
      readonly sinceMs: number | undefined;
      readonly enforced: boolean;
      readonly details: object;
    },
  ): void {
    if (this.#write === undefined) return;
    const { sinceMs } = event;
    const goneMs = sinceMs === undefined ? undefined : this.#clock.monotonicMs() - sinceMs;
    const line = JSON.stringify({
      type: event.type,
      timestamp: timestampOf(this.#clock.nowMs()),
      ...(goneMs === undefined
        ? {}
        : { secs_since_last_action: String(Math.floor(goneMs / 1000)) }),
      cluster_name: this.#cluster,
      upstream_url: host.key,
      action: event.action,
      num_ejections: monitor.ejections,
      enforced: event.enforced,
      ...event.details,
    });
    this.#write(`${line}\n`);
  }
}

/** As protobuf writes it: without a fraction where that is zero. */
function timestampOf(nowMs: number): string {
  return new Date(nowMs).toISOString().replace(".000Z", "Z");
}
