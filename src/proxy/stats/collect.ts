import type { FileStats } from "../access-log/log-file.ts";
import type { ClusterSet } from "../cluster/cluster-set.ts";
import type { CounterGroups } from "../counters.ts";
import type { LayeredRuntime } from "../layered-runtime.ts";
import type { ListenerSet } from "../listener/listener-set.ts";
import type { PeerNumbers, ProcessInfo } from "../process/process-info.ts";
import { clusterStats } from "./cluster-stats.ts";
import { type Histogram, type HistogramView, mergeRecorded } from "./histogram.ts";
import { mergeStats } from "./merge.ts";

/** One counter or gauge. */
export interface Stat {
  readonly name: string;
  readonly value: number;
  readonly isGauge: boolean;
}

/** Where the numbers stand. */
export interface StatSources {
  readonly clusters: ClusterSet;
  readonly listeners: ListenerSet;
  readonly counters: CounterGroups;
  readonly fileStats: FileStats;
  readonly runtime: LayeredRuntime;
  /** `undefined` without a control plane. */
  readonly isConnected: () => boolean | undefined;
  /** How far the process has come, as Envoy's `server.state` counts it. */
  readonly state: () => string;
  readonly uptimeS: () => number;
  /** Numbers of other processes of the same proxy, which count as its own. */
  readonly peers: () => readonly PeerNumbers[];
  readonly processes: ProcessInfo;
  /** A counter without what it had when counters were reset. */
  readonly sinceReset: (stat: Stat) => Stat;
}

/** Reads every counter and gauge, by Envoy's names; they are plain numbers where they count. */
export function collectStats(sources: StatSources): Stat[] {
  const stats: Stat[] = [];
  const add = (name: string, value: number): void => {
    stats.push({ name, value, isGauge: isGauge(name) });
  };
  const { clusters, listeners, counters } = sources;
  for (const cluster of clusters.active) {
    for (const [name, value] of clusterStats(cluster)) add(name, value);
    const prefix = `cluster.${cluster.config.statName}`;
    addResponses(`${prefix}.upstream_rq`, cluster.load.responses, add);
    addResponses(`${prefix}.retry.upstream_rq`, cluster.load.retriedResponses, add);
  }
  add("cluster_manager.active_clusters", clusters.active.length);
  add("cluster_manager.warming_clusters", clusters.warming.length);
  const isConnected = sources.isConnected();
  if (isConnected !== undefined) add("control_plane.connected_state", isConnected ? 1 : 0);
  for (const [name, value] of Object.entries(sources.fileStats)) add(`filesystem.${name}`, value);
  add("listener_manager.total_listeners_active", listeners.active.length);
  add("listener_manager.total_listeners_draining", listeners.drainingCount);
  add("listener_manager.total_listeners_warming", listeners.warming.length);
  for (const [name, value] of counters.entries()) add(name, value);
  for (const [name, value] of Object.entries(sources.runtime.stats)) add(`runtime.${name}`, value);
  addServer(sources, add);
  return mergeStats(
    stats,
    sources.peers().map((peer) => peer.stats),
  );
}

type Add = (name: string, value: number) => void;

/** Like Envoy, a status has a counter once there was one. */
function addResponses(prefix: string, responses: Readonly<Record<number, number>>, add: Add): void {
  const classes = new Map<string, number>();
  let all = 0;
  for (const [status, count] of Object.entries(responses)) {
    add(`${prefix}_${status}`, count);
    const name = `${prefix}_${status[0] ?? ""}xx`;
    classes.set(name, (classes.get(name) ?? 0) + count);
    all += count;
  }
  for (const [name, count] of classes) add(name, count);
  if (all > 0) add(`${prefix}_completed`, all);
}

const STATES = ["LIVE", "DRAINING", "PRE_INITIALIZING", "INITIALIZING"];

function addServer({ state, uptimeS, counters, processes }: StatSources, add: Add): void {
  const { heapUsed, heapTotal, rss } = process.memoryUsage();
  let connections = 0;
  for (const [name, value] of counters.entries()) {
    if (/^listener\..*\.downstream_cx_active$/.test(name)) connections += value;
  }
  add("server.concurrency", processes.concurrency);
  add("server.hot_restart_epoch", processes.epoch);
  add("server.live", state() === "LIVE" ? 1 : 0);
  add("server.memory_allocated", heapUsed);
  add("server.memory_heap_size", heapTotal);
  add("server.memory_physical_size", rss);
  add("server.parent_connections", 0);
  add("server.state", Math.max(0, STATES.indexOf(state())));
  add("server.total_connections", connections);
  add("server.uptime", uptimeS());
}

/** Names that go up and down; every other one only goes up. */
const GAUGE =
  /(?:_active|_open|\.(?:membership_(?:degraded|excluded|healthy|total)|health_check\.(?:degraded|healthy)|max_host_weight|remaining_\w+|connected_state|write_total_buffered)|^listener_manager\.total_\w+|^cluster_manager\.(?:active|warming)_clusters|\.vhds\..*\.(?:hosts_asked|rq_waiting)|\.active_(?:connections|faults)|\bhttp2\.pending_send_bytes|\.(?:ring_hash|maglev)_lb\.\w+|^overload\..+\.(?:active|pressure|scale_percent)|^runtime\.(?:admin|num)_\w+|^server\.(?:concurrency|hot_restart_epoch|live|memory_\w+|parent_connections|state|total_connections|uptime))$/;

function isGauge(name: string): boolean {
  return GAUGE.test(name);
}

/** Every histogram by its name, those of other processes included. */
export function collectHistograms(sources: StatSources): Map<string, HistogramView> {
  const merged = new Map<string, HistogramView>(ownHistograms(sources));
  for (const { name, interval, cumulative } of sources.peers().flatMap((peer) => peer.histograms)) {
    const own = merged.get(name);
    const all = own === undefined ? [cumulative] : [own.cumulative(), cumulative];
    const recent = own === undefined ? [interval] : [own.interval(), interval];
    merged.set(name, {
      isEmpty: false,
      interval: () => mergeRecorded(recent),
      cumulative: () => mergeRecorded(all),
    });
  }
  return merged;
}

/** Every histogram of this process by its name. */
export function ownHistograms({ clusters, counters }: StatSources): Map<string, Histogram> {
  const histograms = new Map(counters.histograms);
  for (const { config, load } of clusters.active) {
    const prefix = `cluster.${config.statName}`;
    histograms.set(`${prefix}.upstream_cx_connect_ms`, load.connectTime);
    histograms.set(`${prefix}.upstream_cx_length_ms`, load.connectionLength);
    // Like Envoy's, this one is there once there was a request.
    if (!load.requestTime.isEmpty) {
      histograms.set(`${prefix}.upstream_rq_time`, load.requestTime);
    }
  }
  return histograms;
}
