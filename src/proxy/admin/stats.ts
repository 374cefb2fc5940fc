import type { Cluster } from "../cluster/cluster.ts";
import type { ClusterSet } from "../cluster/cluster-set.ts";
import type { CounterGroups } from "../counters.ts";
import type { Listener } from "../listener/listener.ts";
import type { ListenerSet } from "../listener/listener-set.ts";
import { clusterStats } from "./cluster-stats.ts";

type Stat = readonly [name: string, value: number];

/** Where the numbers stand. */
interface StatsState {
  readonly clusters: ClusterSet;
  readonly listeners: ListenerSet;
  readonly counters: CounterGroups;
  readonly isConnected: () => boolean;
}

/** Reads the counters, by Envoy's names. They are plain numbers where they are counted. */
export function collectStats(state: StatsState): readonly Stat[] {
  const { clusters, listeners, counters } = state;
  const active = clusters.active;
  return [
    ["cluster_manager.active_clusters", active.length],
    ["control_plane.connected_state", state.isConnected() ? 1 : 0],
    ["listener_manager.total_listeners_active", listeners.active.length],
    ...active.flatMap(clusterStats),
    ...active.flatMap(clusterClasses),
    ...sumHttp(listeners.active),
    ...counters.entries(),
  ];
}

function clusterClasses({ config, load }: Cluster): Stat[] {
  return classStats(`cluster.${config.statName}.upstream_rq`, load.classes);
}

function classStats(prefix: string, classes: readonly number[]): Stat[] {
  return [1, 2, 3, 4, 5].map((digit) => [`${prefix}_${digit}xx`, classes[digit] ?? 0] as const);
}

/** Connection managers of the same prefix count together. */
function sumHttp(listeners: readonly Listener[]): readonly Stat[] {
  const sums = new Map<string, number>();
  const add = (name: string, value: number): void => {
    sums.set(name, (sums.get(name) ?? 0) + value);
  };
  for (const { config, stats } of listeners.flatMap(({ services }) => services)) {
    const prefix = `http.${config.statPrefix}`;
    add(`${prefix}.downstream_cx_active`, stats.connectionsActive);
    add(`${prefix}.downstream_cx_total`, stats.connectionsTotal);
    add(`${prefix}.downstream_rq_active`, stats.requestsActive);
    add(`${prefix}.downstream_rq_total`, stats.requestsTotal);
    for (const [name, value] of classStats(`${prefix}.downstream_rq`, stats.classes)) {
      add(name, value);
    }
  }
  return [...sums];
}
