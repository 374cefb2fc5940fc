import type { Clock, Timer } from "../../base/clock.ts";
import type { Prng } from "../../base/prng.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { CounterGroups } from "../counters.ts";
import type { OnFault } from "../fault-log.ts";
import type { FilterStream } from "../http/http-filter.ts";
import type { LocalReply } from "../http/local-reply.ts";
import { type DeadlineSetter, ResizableDeadlines } from "../net/deadlines.ts";
import { shareOf } from "../process/share.ts";
import type { Histogram } from "../stats/histogram.ts";
import type { HttpCounters } from "../stats/http-stats.ts";
import { collectGarbage } from "./collect-garbage.ts";
import { Level, percentOf } from "./level.ts";
import { ConnectionMonitor, FileMonitor, heapMonitor, type Monitor } from "./monitors.ts";
import {
  ACTION,
  type ActionName,
  CONNECTIONS_MONITOR,
  type MonitorConfig,
  type OverloadConfig,
  SHED_POINT,
  type ShedPointName,
  type TimeoutKind,
  type TimeoutMinimum,
} from "./overload-config.ts";

const OVERLOADED: LocalReply = {
  status: 503,
  body: "envoy overloaded",
  flag: "",
  details: "overload",
};

/** What an overload manager needs from outside. */
export interface OverloadDeps {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Logger;
  readonly counters: CounterGroups;
  readonly onFault: OnFault;
  /** How many processes share what is limited. */
  readonly processes: number;
}

/** Envoy's: how often the heap is shrunk while there is too much of it. */
const SHRINK_MS = 10_000;

interface WatchedResource {
  readonly name: string;
  readonly monitor: Monitor;
  readonly counters: { failed_updates: number; pressure: number };
}

/** A level with the gauges that show it. */
interface ShownLevel {
  readonly level: Level;
  readonly show: (asked: number) => void;
}

/** A load shed point with its count. */
interface ShedPoint {
  readonly level: Level;
  readonly counters: { scale_percent: number; shed_load_count: number };
}

/**
 * Looks at resources from time to time, and says how much of what comes is to be turned away.
 * Who asks it does so by what is decided already: nothing is measured for a request.
 */
export class OverloadManager {
  readonly #config: OverloadConfig;
  readonly #deps: OverloadDeps;
  readonly #resources: readonly WatchedResource[];
  readonly #connections: ConnectionMonitor | undefined;
  readonly #actions = new Map<ActionName, Level>();
  readonly #shown: ShownLevel[] = [];
  readonly #points = new Map<ShedPointName, ShedPoint>();
  readonly #timeouts = new Map<TimeoutKind, ResizableDeadlines>();
  readonly #refreshDelay: Histogram;
  readonly #heap: { shrink_count: number } | undefined;
  #timer: Timer | undefined = undefined;
  #shrinkTimer: Timer | undefined = undefined;
  #refreshedMs = 0;
  #isOpen = true;
  /** Told when `stop_accepting_connections` begins to hold or holds no more. */
  onAccepting: (() => void) | undefined = undefined;

  constructor(config: OverloadConfig, deps: OverloadDeps) {
    this.#config = config;
    this.#deps = deps;
    const { counters, clock } = deps;
    this.#resources = config.monitors.map((monitor) => ({
      name: monitor.name,
      monitor: createMonitor(monitor, clock, deps.processes),
      counters: counters.get(`overload.${monitor.name}`, {
        failed_updates: 0,
        pressure: 0,
        // What is asked for one by one is never late.
        ...(monitor.kind === "connections" ? {} : { skipped_updates: 0 }),
      }),
    }));
    this.#connections = this.#resources
      .map(({ monitor }) => monitor)
      .find((monitor) => monitor instanceof ConnectionMonitor);
    for (const action of config.actions) this.#addAction(new Level(action), action.name);
    for (const point of config.shedPoints) {
      const zero = { scale_percent: 0, shed_load_count: 0 };
      const own = counters.get(`overload.${point.name}`, zero);
      this.#points.set(point.name, { level: new Level(point), counters: own });
    }
    for (const kind of config.timeoutMinima.keys()) {
      this.#timeouts.set(kind, new ResizableDeadlines(clock, deps.onFault));
    }
    this.#refreshDelay = counters.histogram("overload.refresh_interval_delay");
    this.#heap = this.#actions.has(ACTION.shrinkHeap)
      ? counters.get(`overload.${ACTION.shrinkHeap}`, { shrink_count: 0 })
      : undefined;
  }

  #addAction(level: Level, name: ActionName): void {
    const zero = { active: 0, scale_percent: 0 };
    const gauges = this.#deps.counters.get(`overload.${name}`, zero);
    this.#actions.set(name, level);
    const show = (asked: number): void => {
      // As in Envoy, what the trigger that changed last asks for.
      gauges.active = asked >= 1 ? 1 : 0;
      gauges.scale_percent = percentOf(asked);
    };
    this.#shown.push({ level, show });
  }

  /** Begins to look at resources, a first time after one interval. */
  start(): void {
    this.#refreshedMs = this.#deps.clock.monotonicMs();
    this.#refreshLater();
    if (this.#heap !== undefined) this.#shrinkLater(this.#heap);
  }

  #refreshLater(): void {
    this.#timer = this.#deps.clock.setTimer(this.#config.refreshMs, () => {
      this.#refresh();
      this.#refreshLater();
    });
  }

  #refresh(): void {
    for (const resource of this.#resources) this.#measure(resource);
    this.#resizeTimeouts();
    const isOpen = this.isAccepting;
    if (isOpen !== this.#isOpen) {
      this.#isOpen = isOpen;
      this.onAccepting?.();
    }
    const nowMs = this.#deps.clock.monotonicMs();
    this.#refreshDelay.add(Math.floor(nowMs - this.#refreshedMs));
    this.#refreshedMs = nowMs;
  }

  #measure({ name, monitor, counters }: WatchedResource): void {
    let pressure: number;
    try {
      pressure = monitor.measure();
    } catch (error) {
      counters.failed_updates++;
      const cause = error instanceof Error ? error.message : String(error);
      this.#deps.log.debug("cannot update resource", { name, cause });
      return;
    }
    counters.pressure = Math.trunc(pressure * 100);
    for (const { level, show } of this.#shown) {
      const change = level.update(name, pressure);
      if (change !== undefined) show(change.asked);
    }
    for (const point of this.#points.values()) {
      if (point.level.update(name, pressure) === undefined) continue;
      point.counters.scale_percent = percentOf(point.level.value);
    }
  }

  #resizeTimeouts(): void {
    const level = this.#actions.get(ACTION.reduceTimeouts);
    if (level === undefined) return;
    const share = 1 - level.value;
    for (const [kind, minimum] of this.#config.timeoutMinima) {
      this.#timeouts.get(kind)?.resize((delayMs) => shorten(delayMs, minimum, share));
    }
  }

  #shrinkLater(counters: { shrink_count: number }): void {
    this.#shrinkTimer = this.#deps.clock.setTimer(SHRINK_MS, () => {
      if (this.#actions.get(ACTION.shrinkHeap)?.isSaturated === true) {
        counters.shrink_count++;
        collectGarbage();
      }
      this.#shrinkLater(counters);
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#shrinkTimer?.cancel();
    for (const { monitor } of this.#resources) monitor.close();
  }

  /** The deadlines of one kind; `undefined` when nothing ever makes them shorter. */
  timeouts(kind: TimeoutKind): DeadlineSetter | undefined {
    return this.#timeouts.get(kind);
  }

  /** Whether new connections are taken; if not, they wait. */
  get isAccepting(): boolean {
    return this.#actions.get(ACTION.stopConnections)?.isSaturated !== true;
  }

  /** Whether this new connection is turned away. */
  refusesConnection(): boolean {
    return (
      this.#sheds(SHED_POINT.accept) ||
      this.#actions.get(ACTION.rejectConnections)?.strikes(this.#deps.prng) === true
    );
  }

  /** Counts a connection from a client; false when there are as many as may be. */
  takeConnection(): boolean {
    const monitor = this.#connections;
    if (monitor === undefined || monitor.take()) return true;
    const resource = this.#resources.find(({ name }) => name === CONNECTIONS_MONITOR);
    if (resource !== undefined) resource.counters.failed_updates++;
    return false;
  }

  releaseConnection(): void {
    this.#connections?.release();
  }

  get countsConnections(): boolean {
    return this.#connections !== undefined;
  }

  /** Whether a request that begins is not even read. */
  refusesDispatch(counters: HttpCounters): boolean {
    if (!this.#sheds(SHED_POINT.dispatch)) return false;
    counters.downstream_rq_overload_close++;
    return true;
  }

  /** What a request is answered whose head has come; `undefined` to go on. */
  replyToHead(counters: HttpCounters): LocalReply | undefined {
    const isRefused =
      this.#sheds(SHED_POINT.head) ||
      this.#actions.get(ACTION.stopRequests)?.strikes(this.#deps.prng) === true;
    if (!isRefused) return undefined;
    counters.downstream_rq_overload_close++;
    return OVERLOADED;
  }

  /** What a request is answered that the router would send to a cluster. */
  replyAtRouter(
    { choice, context }: Pick<FilterStream, "choice" | "context">,
    counters: HttpCounters,
  ): LocalReply | undefined {
    if (choice === undefined || context.findCluster(choice.name) === undefined) return undefined;
    if (!this.#sheds(SHED_POINT.router)) return undefined;
    counters.rq_overload_local_reply++;
    return OVERLOADED;
  }

  /** Whether a connection ends with the answer that is about to be sent. */
  endsKeepAlive(counters: HttpCounters): boolean {
    const level = this.#actions.get(ACTION.disableKeepAlive);
    if (level?.strikes(this.#deps.prng) !== true) return false;
    counters.downstream_cx_overload_disable_keepalive++;
    return true;
  }

  #sheds(name: ShedPointName): boolean {
    const point = this.#points.get(name);
    if (point?.level.strikes(this.#deps.prng) !== true) return false;
    point.counters.shed_load_count++;
    return true;
  }
}

/** Of what is limited in all, this process has its share. */
function createMonitor(config: MonitorConfig, clock: Clock, processes: number): Monitor {
  if (config.kind === "heap") return heapMonitor(shareOf(config.bytesMax, processes));
  if (config.kind === "file") return new FileMonitor(config.path, clock);
  return new ConnectionMonitor(shareOf(config.connectionsMax, processes));
}

/** What is above the minimum is scaled. */
function shorten(delayMs: number, minimum: TimeoutMinimum, share: number): number {
  const leastMs = "ms" in minimum ? Math.min(minimum.ms, delayMs) : delayMs * minimum.share;
  return leastMs + (delayMs - leastMs) * share;
}
