import type { LbConfig } from "../cluster/cluster-config.ts";
import type { Host } from "../cluster/host.ts";
import type { ClusterLoad } from "../cluster/load.ts";
import { createHashBalancer, type HashTables } from "./hash-balancer.ts";
import { type CountOptions, divideHosts, type HostGroup, type HostSet } from "./host-set.ts";
import { localitySchedule } from "./locality-schedule.ts";
import { createPicker, later, type Picker, type PickerDeps } from "./picker.ts";
import { type PriorityState, panicPercentOf, placeDraw, spreadLoad } from "./priority-load.ts";
import { type PlaceCounts, scaleWeights } from "./subset-weights.ts";
import {
  createZoneRouting,
  type LocalZone,
  ZONE,
  ZONE_AWARE_DEFAULTS,
  type ZoneRoutingDeps,
} from "./zone-routing.ts";

/** What balancers need from outside. */
export interface BalancerDeps extends PickerDeps {
  /** Counts what they do. */
  readonly load: ClusterLoad;
  /** For balancers that hash, where what they made can serve the next one. */
  readonly hashTables: HashTables | undefined;
  /** Where weights of localities count by how many of their hosts these are. */
  readonly placeCounts: PlaceCounts | undefined;
  /** `undefined` where the proxy does not know where it stands. */
  readonly localZone: LocalZone | undefined;
}

function priorityOf(host: Host): number {
  return host.state.priority;
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
  const { localZone, prng, runtime, load: counters } = deps;
  const { hashing } = config;
  // Balancers that hash do not look at zones.
  const local = hashing === undefined ? localZone : undefined;
  const usesPlaces = config.locality.kind !== "none" || local !== undefined;
  const divided = divideHosts(hosts, options, usesPlaces ? { own: local?.own } : undefined);
  const { placeCounts } = deps;
  const sets = placeCounts === undefined ? divided : scaleWeights(divided, placeCounts);
  const panicPercent = panicPercentOf(config.panicPercent, runtime);
  const state = spreadLoad(sets, panicPercent);
  if (hashing !== undefined) return createHashBalancer(config, hashing, { sets, state, deps });
  const zone = local && { local, prng, runtime, load: counters, panicPercent };
  const pickers = sets.map((set) => priorityPicker(set, { config, state, zone, deps }));
  const [first] = pickers;
  if (first === undefined) return () => undefined;
  const isPlain = pickers.length === 1 && state.load.healthy[0] === 100;
  return (context) => {
    const load = context?.priorityLoad?.(state, priorityOf) ?? state.load;
    if (isPlain && load === state.load) return first.healthy(context);
    const { priority, isDegraded } = placeDraw(load, Math.floor(prng.next() * 100));
    const picker = pickers[priority];
    return isDegraded ? picker?.degraded(context) : picker?.healthy(context);
  };
}

/** What the pickers of all priorities have in common. */
interface Common {
  readonly config: LbConfig;
  readonly state: PriorityState;
  readonly zone: ZoneRoutingDeps | undefined;
  readonly deps: BalancerDeps;
}

function priorityPicker(set: HostSet, common: Common): PriorityPicker {
  const { config, state, zone } = common;
  const { locality } = config;
  const zoneConfig = locality.kind === "zone_aware" ? locality : ZONE_AWARE_DEFAULTS;
  // Further priorities are for when the first is not enough: there nobody looks at zones.
  const chooseZone =
    zone !== undefined && set.priority === 0 ? createZoneRouting(set, zoneConfig, zone) : undefined;
  if (state.isPanic[set.priority] === true) {
    const picker = panicPicker(set, common);
    return { healthy: picker, degraded: picker };
  }
  return {
    healthy: kindPicker(set, "healthy", chooseZone, common),
    degraded: kindPicker(set, "degraded", chooseZone, common),
  };
}

function panicPicker(set: HostSet, { config, deps }: Common): Picker {
  const { locality } = config;
  const { load } = deps;
  const isFailing = locality.kind === "zone_aware" && locality.failsOnPanic;
  const picker = later(() => createPicker(config, set.hosts, deps));
  return (context) => {
    load.panics++;
    return isFailing ? undefined : picker(context);
  };
}

/** Chooses among the hosts of one kind: in a locality by its weight or its zone, or in all. */
function kindPicker(
  set: HostSet,
  kind: "healthy" | "degraded",
  chooseZone: (() => number) | undefined,
  { config, deps }: Common,
): Picker {
  const { localities, overprovisioningPercent } = set;
  const ofGroup = (group: HostGroup): Picker =>
    later(() => createPicker(config, group[kind], deps));
  const ofAll = ofGroup(set);
  const chooseWeighted =
    config.locality.kind === "weighted"
      ? localitySchedule(localities, kind, overprovisioningPercent)
      : undefined;
  // Without any weight localities count as if nobody had asked for weights.
  const choose = chooseWeighted ?? chooseZone;
  if (choose === undefined) return ofAll;
  const pickers = localities.map(ofGroup);
  return (context) => {
    const at = choose();
    if (at === ZONE.any) return ofAll(context);
    return at === ZONE.nobody ? undefined : pickers[at]?.(context);
  };
}
