import type { Prng } from "../../base/prng.ts";
import type { RuntimeReader } from "../../match/runtime-reader.ts";
import type { ZoneAwareConfig } from "../cluster/cluster-config.ts";
import type { ClusterLoad } from "../cluster/load.ts";
import { type HostSet, type LocalityHosts, localityName, type Place } from "./host-set.ts";
import { isInPanic } from "./priority-load.ts";

/** Where the proxy itself stands, and the others that send to the same upstreams as it does. */
export interface LocalZone {
  readonly own: Place | undefined;
  /** The hosts of the proxy's own cluster. */
  hosts(): HostSet;
}

/** What decides about zones for one cluster. */
export interface ZoneRoutingDeps {
  readonly local: LocalZone;
  readonly prng: Prng;
  readonly runtime: RuntimeReader;
  readonly load: ClusterLoad;
  readonly panicPercent: number;
}

/** Of a cluster that says nothing of zones, where the proxy knows its own: Envoy's defaults. */
export const ZONE_AWARE_DEFAULTS: ZoneAwareConfig = {
  enabledPercent: 100,
  clusterSizeMin: 6,
  failsOnPanic: false,
  forceLocalMin: undefined,
  basis: "number",
};

/** Shares are counted in hundredths of a percent. */
const WHOLE = 10_000;

/** What is chosen where that is not one of the localities. */
export const ZONE = {
  /** Zones do not count for this request. */
  any: -1,
  /** Nobody may have it. */
  nobody: -2,
} as const;

/**
 * Chooses localities of a first priority so that requests stay in the proxy's own zone as far as
 * that keeps the load of all upstreams even, when every proxy of the own cluster does the same
 * (Envoy, "Zone aware routing"). Each call is one request: the index of a locality, or one of `ZONE`.
 * `undefined` where zones never count.
 */
export function createZoneRouting(
  set: HostSet,
  config: ZoneAwareConfig,
  deps: ZoneRoutingDeps,
): (() => number) | undefined {
  const { prng, runtime, load, panicPercent } = deps;
  const own = deps.local.hosts();
  load.zoneRecalculations++;
  const forceMin = forceMinOf(config, runtime);
  if (!isWorthwhile(set, own, { config, forceMin }, deps)) return undefined;
  const choose = chooserOf(set, { shares: sharesOf(set, own, config.basis), forceMin }, deps);
  const enabled = Math.min(
    100,
    runtime.integer("upstream.zone_routing.enabled") ?? config.enabledPercent,
  );
  const isOwnInPanic = isInPanic(own, panicPercent);
  return () => {
    if (enabled < 100 && prng.next() * 100 >= enabled) return ZONE.any;
    if (!isOwnInPanic) return choose();
    load.zoneLocalNotOk++;
    return config.failsOnPanic ? ZONE.nobody : ZONE.any;
  };
}

/** How many hosts in the own zone are enough whatever that means for others; `undefined` for none. */
function forceMinOf(
  { forceLocalMin }: ZoneAwareConfig,
  runtime: RuntimeReader,
): number | undefined {
  const key = "upstream.zone_routing.force_local_zone.min_size";
  return forceLocalMin === undefined ? undefined : (runtime.integer(key) ?? forceLocalMin);
}

function isWorthwhile(
  set: HostSet,
  own: HostSet,
  { config, forceMin }: { config: ZoneAwareConfig; forceMin: number | undefined },
  { runtime, load }: ZoneRoutingDeps,
): boolean {
  if (set.localities.length < 2) return false;
  if (forceMin === undefined && own.localities.length < 2) return false;
  // Nobody of the own cluster is here: what it says of itself is not to be relied on.
  if (!own.hasOwnLocality) {
    load.zoneLocalNotOk++;
    return false;
  }
  const sizeMin =
    runtime.integer("upstream.zone_routing.min_cluster_size") ?? config.clusterSizeMin;
  if (set.healthy.length >= sizeMin) return true;
  load.zoneClusterTooSmall++;
  return false;
}

/** How much of all a locality has of the own cluster's healthy hosts, and of the upstream's. */
interface Shares {
  readonly own: number;
  readonly upstream: number;
}

function sharesOf(set: HostSet, own: HostSet, basis: ZoneAwareConfig["basis"]): readonly Shares[] {
  const measure = ({ healthy }: LocalityHosts): number =>
    basis === "number"
      ? healthy.length
      : healthy.reduce((total, { state }) => total + state.weight, 0);
  const sum = (localities: readonly LocalityHosts[]): number =>
    localities.reduce((total, one) => total + measure(one), 0);
  const ownTotal = sum(own.localities);
  const total = sum(set.localities);
  const ownCounts = new Map(
    own.localities.map((one) => [localityName(one.locality), measure(one)]),
  );
  const share = (count: number, of: number): number =>
    of === 0 ? 0 : Math.floor((WHOLE * count) / of);
  return set.localities.map((one) =>
    one.healthy.length === 0
      ? { own: 0, upstream: 0 }
      : {
          own: share(ownCounts.get(localityName(one.locality)) ?? 0, ownTotal),
          upstream: share(measure(one), total),
        },
  );
}

function chooserOf(
  set: HostSet,
  { shares, forceMin }: { shares: readonly Shares[]; forceMin: number | undefined },
  { prng, load }: ZoneRoutingDeps,
): () => number {
  const [first = { own: 0, upstream: 0 }] = shares;
  const isEnough = first.upstream > 0 && first.upstream >= first.own;
  const isForced = forceMin !== undefined && (set.localities[0]?.healthy.length ?? 0) >= forceMin;
  if (set.hasOwnLocality && (isEnough || isForced)) {
    return () => {
      load.zoneAllDirectly++;
      return 0;
    };
  }
  const stays =
    set.hasOwnLocality && first.own > 0 ? Math.floor((first.upstream * WHOLE) / first.own) : 0;
  const { bounds, total } = restOf(shares, set.hasOwnLocality);
  return () => {
    if (Math.floor(prng.next() * WHOLE) < stays) {
      load.zoneSampled++;
      return 0;
    }
    load.zoneCrossZone++;
    if (total === 0) {
      load.zoneNoCapacityLeft++;
      return Math.floor(prng.next() * shares.length);
    }
    const draw = Math.floor(prng.next() * total);
    return bounds.findIndex((bound) => draw < bound);
  };
}

/** What other localities can take beyond what comes to them from their own proxies, added up. */
function restOf(
  shares: readonly Shares[],
  hasOwn: boolean,
): { readonly bounds: readonly number[]; readonly total: number } {
  let total = 0;
  const bounds = shares.map(({ own, upstream }, at) => {
    if (at > 0 || !hasOwn) total += Math.max(0, upstream - own);
    return total;
  });
  return { bounds, total };
}
