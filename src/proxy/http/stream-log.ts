import type { StreamInfo } from "../../match/stream-info.ts";
import { type AccessLog, logToAll } from "../access-log/access-log.ts";
import type { ProxyContext } from "../context.ts";
import { Deadline } from "../net/deadlines.ts";
import { ByteMeter } from "./byte-meter.ts";
import type { HttpService } from "./http-config.ts";

/** When entries are written besides the one at a stream's end. */
export interface LogMoments {
  /** When its head is here and its route is found. */
  readonly onRequest: boolean;
  /** When the upstream has opened a tunnel. */
  readonly onTunnel: boolean;
  /** While it lasts; 0 for never. */
  readonly everyMs: number;
}

/** What is logged, which says when that is. */
interface LoggedInfo extends StreamInfo {
  logType: string;
}

/** The access logs of one stream after the other, and what is counted for them. */
export class StreamLog {
  /** What goes over the wire on the client's side, and on the upstream's. */
  readonly meter = new ByteMeter();
  readonly upstreamMeter = new ByteMeter();
  readonly #logs: readonly AccessLog[];
  readonly #moments: LogMoments | undefined;
  readonly #info: LoggedInfo;
  readonly #context: ProxyContext;
  #interval: Deadline | undefined = undefined;

  private constructor(service: HttpService, info: LoggedInfo, context: ProxyContext) {
    this.#logs = service.accessLogs;
    this.#moments = service.config.logMoments;
    this.#info = info;
    this.#context = context;
  }

  /** `undefined` where there is no log, neither here nor in the router. */
  static of(service: HttpService, info: LoggedInfo, context: ProxyContext): StreamLog | undefined {
    const { accessLogs, attemptLogs } = service;
    if (accessLogs.length + attemptLogs.length === 0) return undefined;
    return new StreamLog(service, info, context);
  }

  onRequest(): void {
    const moments = this.#moments;
    if (moments === undefined) return;
    if (moments.onRequest) this.#write("DownstreamStart");
    if (moments.everyMs !== 0) this.#arm(moments.everyMs);
  }

  onTunnel(): void {
    if (this.#moments?.onTunnel === true) this.#write("DownstreamTunnelSuccessfullyEstablished");
  }

  end(): void {
    this.#interval?.cancel();
    this.#write("DownstreamEnd");
    this.meter.reset();
    this.upstreamMeter.reset();
  }

  #write(logType: string): void {
    this.#info.logType = logType;
    logToAll(this.#logs, this.#info, this.#context.faults.note);
  }

  #arm(everyMs: number): void {
    this.#interval ??= new Deadline({
      onDeadline: () => {
        this.#arm(everyMs);
        this.#write("DownstreamPeriodic");
      },
    });
    const { clock, deadlines } = this.#context;
    deadlines.set(this.#interval, everyMs, clock.monotonicMs());
  }
}
