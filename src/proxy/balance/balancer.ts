import type { Prng } from "../../base/prng.ts";
import type { LbConfig } from "../cluster/cluster-config.ts";
import type { Host } from "../cluster/host.ts";
import type { ClusterLoad } from "../cluster/load.ts";
import { createHashBalancer, type HashTables } from "./hash-balancer.ts";
import { type CountOptions, divideHosts, type HostGroup, type HostSet } from "./host-set.ts";
import { localitySchedule } from "./locality-schedule.ts";
import { createPicker, later, type Picker } from "./picker.ts";
import { type PriorityState, placeDraw, spreadLoad } from "./priority-load.ts";

/** What balancers need from outside. */
export interface BalancerDeps {
  readonly prng: Prng;
  /** Counts what they do. */
  readonly load: ClusterLoad;
  /** For balancers that hash, where what they made can serve the next one. */
  readonly hashTables: HashTables | undefined;
}

/** Chooses among the hosts of one priority, whose draw it is; made anew when hosts change. */
interface PriorityPicker {
  readonly healthy: Picker;
  readonly degraded: Picker;
}

/**
 * Chooses among hosts: first a priority, then what of it (all in panic, else healthy or degraded
 * ones), then a locality where that is asked for, then a host by the policy. Made anew whenever
 * hosts or their health change; so nothing that it keeps is stale.
 */
export function createBalancer(
  config: LbConfig,
  hosts: readonly Host[],
  options: CountOptions,
  deps: BalancerDeps,
): Picker {
  const view = config.locality.kind === "none" ? undefined : { own: undefined };
  const sets = divideHosts(hosts, options, view);
  const state = spreadLoad(sets, config.panicPercent);
  const { hashing } = config;
  if (hashing !== undefined) return createHashBalancer(config, hashing, { sets, state, deps });
  const pickers = sets.map((set) => priorityPicker(set, state, config, deps));
  const [first] = pickers;
  if (first === undefined) return () => undefined;
  const isPlain = pickers.length === 1 && state.load.healthy[0] === 100;
  const { prng } = deps;
  return (context) => {
    const load = context?.priorityLoad?.(state.load) ?? state.load;
    if (isPlain && load === state.load) return first.healthy(context);
    const { priority, isDegraded } = placeDraw(load, Math.floor(prng.next() * 100));
    const picker = pickers[priority];
    return isDegraded ? picker?.degraded(context) : picker?.healthy(context);
  };
}

function priorityPicker(
  set: HostSet,
  state: PriorityState,
  config: LbConfig,
  deps: BalancerDeps,
): PriorityPicker {
  if (state.isPanic[set.priority] === true) {
    const picker = panicPicker(set, config, deps);
    return { healthy: picker, degraded: picker };
  }
  const ofKind = (kind: "healthy" | "degraded"): Picker =>
    config.locality.kind === "weighted"
      ? weightedPicker(set, kind, config, deps)
      : later(() => createPicker(config, set[kind], deps.prng));
  return { healthy: ofKind("healthy"), degraded: ofKind("degraded") };
}

function panicPicker(set: HostSet, config: LbConfig, { prng, load }: BalancerDeps): Picker {
  const { locality } = config;
  const isFailing = locality.kind === "zone_aware" && locality.failsOnPanic;
  const picker = later(() => createPicker(config, set.hosts, prng));
  return (context) => {
    load.panics++;
    return isFailing ? undefined : picker(context);
  };
}

function weightedPicker(
  set: HostSet,
  kind: "healthy" | "degraded",
  config: LbConfig,
  { prng }: BalancerDeps,
): Picker {
  const { localities, overprovisioningPercent } = set;
  const choose = localitySchedule(localities, kind, overprovisioningPercent);
  const ofGroup = (group: HostGroup): Picker => createPicker(config, group[kind], prng);
  // Without weights localities do not count.
  if (choose === undefined) return later(() => ofGroup(set));
  const pickers = localities.map((group) => later(() => ofGroup(group)));
  return (context) => pickers[choose()]?.(context);
}
