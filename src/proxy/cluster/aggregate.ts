import type { Prng } from "../../base/prng.ts";
import type { RuntimeReader } from "../../match/runtime-reader.ts";
import type { HostSet } from "../balance/host-set.ts";
import type { PickContext } from "../balance/pick-context.ts";
import {
  type PriorityLoad,
  type PriorityState,
  panicPercentOf,
  placeDraw,
  spreadLoad,
} from "../balance/priority-load.ts";
import { AimedContext } from "./aimed-context.ts";
import type { Cluster } from "./cluster.ts";
import type { Host } from "./host.ts";

/** What an aggregate cluster needs from outside. */
export interface AggregateDeps {
  readonly prng: Prng;
  readonly runtime: RuntimeReader;
  /** The active cluster of that name. */
  readonly find: (name: string) => Cluster | undefined;
}

const NOWHERE: PriorityLoad = { healthy: [], degraded: [] };

/** One priority of one member, which is one of the aggregate's own. */
interface Target {
  readonly member: Cluster;
  /** The member's load for this priority alone, for healthy and for degraded hosts. */
  readonly healthy: PriorityLoad;
  readonly degraded: PriorityLoad;
}

/** All priorities of all members in a row, and what their health comes down to. */
interface Row {
  readonly targets: readonly Target[];
  readonly state: PriorityState;
  readonly priorityOf: (host: Host) => number | undefined;
}

/**
 * Chooses for a cluster that has no hosts of its own but uses those of others: their priorities one
 * after the other are its priorities, and the member that is chosen chooses the host by its own
 * policy. A member that is not there is passed over; so is one that is an aggregate itself, since
 * it has no hosts of its own, as in Envoy.
 */
export class AggregateHosts {
  readonly #cluster: Cluster;
  readonly #deps: AggregateDeps;
  readonly #aimed = new AimedContext();
  /** Ends the watch over each member. */
  #watches: readonly (() => void)[] = [];
  /** `undefined` after something changed, until somebody asks. */
  #row: Row | undefined = undefined;

  constructor(cluster: Cluster, deps: AggregateDeps) {
    this.#cluster = cluster;
    this.#deps = deps;
    cluster.provideHosts([], this.#pick);
    this.onClusters();
  }

  /** Which clusters there are changed. */
  onClusters(): void {
    this.close();
    this.#watches = this.#members().map((member) => member.watchHosts(this.#forget));
    this.#forget();
  }

  readonly #forget = (): void => {
    this.#row = undefined;
  };

  #members(): readonly Cluster[] {
    return this.#cluster.config.aggregated.flatMap((name) => this.#deps.find(name) ?? []);
  }

  readonly #pick = (context: PickContext | undefined): Host | undefined => {
    this.#row ??= this.#lineUp();
    const { targets, state, priorityOf } = this.#row;
    const load = context?.priorityLoad?.(state, priorityOf) ?? state.load;
    const draw = Math.floor(this.#deps.prng.next() * 100);
    const { priority, isDegraded } = placeDraw(load, draw);
    const target = targets[priority];
    if (target === undefined) return undefined;
    this.#aimed.aim(context, isDegraded ? target.degraded : target.healthy);
    const host = target.member.pick(this.#aimed);
    this.#aimed.release();
    return host;
  };

  #lineUp(): Row {
    const targets: Target[] = [];
    const sets: HostSet[] = [];
    const places = new Map<string, number>();
    for (const member of this.#members()) {
      const own = member.hostSets(undefined);
      const none = own.map(() => 0);
      for (const set of own) {
        if (set.hosts.length === 0) continue;
        places.set(placeName(member.config.name, set.priority), targets.length);
        sets.push({ ...set, priority: targets.length });
        const all = none.with(set.priority, 100);
        targets.push({
          member,
          healthy: { healthy: all, degraded: none },
          degraded: { healthy: none, degraded: all },
        });
      }
    }
    const { panicPercent } = this.#cluster.config.lb;
    const state: PriorityState =
      sets.length === 0
        ? { load: NOWHERE, isPanic: [], availability: NOWHERE }
        : spreadLoad(sets, panicPercentOf(panicPercent, this.#deps.runtime));
    const priorityOf = (host: Host): number | undefined =>
      places.get(placeName(host.load.config.name, host.state.priority));
    return { targets, state, priorityOf };
  }

  close(): void {
    for (const end of this.#watches) end();
    this.#watches = [];
  }
}

function placeName(cluster: string, priority: number): string {
  return `${priority} ${cluster}`;
}
