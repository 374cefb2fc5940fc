import type { RuntimeReader } from "../../match/runtime-reader.ts";
import type { HostGroup, HostSet } from "./host-set.ts";

/** How the load is spread over priorities, in whole percent; together they are 100. */
export interface PriorityLoad {
  /** By priority, of healthy hosts. */
  readonly healthy: readonly number[];
  /** By priority, of degraded hosts. */
  readonly degraded: readonly number[];
}

/** What the health of all priorities comes down to. */
export interface PriorityState {
  readonly load: PriorityLoad;
  /** By priority: whether its hosts are used without a look at their health. */
  readonly isPanic: readonly boolean[];
  /** By priority: how much of its load its hosts could take, healthy or degraded, 0 to 100. */
  readonly availability: PriorityLoad;
}

/**
 * Spreads the load over priorities as Envoy does ("Priority levels", "Panic threshold", "Degraded
 * endpoints"): each takes what its healthy hosts can, times the overprovisioning factor, and the
 * next what is left; degraded hosts come after all healthy ones. Below `panicPercent` of hosts that
 * can be used a priority is in panic; 0 is never.
 */
export function spreadLoad(sets: readonly HostSet[], panicPercent: number): PriorityState {
  const availability = availabilityOf(sets);
  const total = totalAvailability(availability);
  const isPanic = sets.map(() => false);
  // Where nobody can take anything and there is no panic, the first priority gets it all in vain.
  if (total < 100 && (total > 0 || panicPercent > 0)) {
    for (const [at, set] of sets.entries()) isPanic[at] = isInPanic(set, panicPercent);
    if (isPanic.every(Boolean)) return { load: loadByNumber(sets), isPanic, availability };
  }
  return { load: loadByAvailability(availability), isPanic, availability };
}

/** Below which share of usable hosts there is panic: what a cluster says, or the runtime. */
export function panicPercentOf(configured: number, runtime: RuntimeReader): number {
  return Math.min(100, runtime.integer("upstream.healthy_panic_threshold") ?? configured);
}

function availabilityOf(sets: readonly HostSet[]): PriorityLoad {
  return {
    healthy: sets.map((set) => shareOf(set, set.healthy)),
    degraded: sets.map((set) => shareOf(set, set.degraded)),
  };
}

/** How much of the load some of the hosts can take, in whole percent. */
function shareOf(set: HostSet, part: HostSet["hosts"]): number {
  const measure = (hosts: HostSet["hosts"]): number =>
    set.weighsPriorityHealth
      ? hosts.reduce((total, { state }) => total + state.weight, 0)
      : hosts.length;
  const all = measure(set.hosts) - measure(set.excluded);
  if (all <= 0) return 0;
  return Math.min(100, Math.floor((set.overprovisioningPercent * measure(part)) / all));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function totalAvailability({ healthy, degraded }: PriorityLoad): number {
  return Math.min(100, sum(healthy) + sum(degraded));
}

/** Each priority what it can take, until all is placed. What rounding leaves goes to the first. */
export function loadByAvailability(availability: PriorityLoad): PriorityLoad {
  const total = totalAvailability(availability);
  const zeros = availability.healthy.map(() => 0);
  if (total === 0) return { healthy: zeros.with(0, 100), degraded: zeros };
  let left = 100;
  const take = (available: number): number => {
    const load = Math.min(left, Math.floor((available * 100) / total));
    left -= load;
    return load;
  };
  const healthy = availability.healthy.map(take);
  const degraded = availability.degraded.map(take);
  if (left === 0) return { healthy, degraded };
  const firstHealthy = availability.healthy.findIndex((available) => available > 0);
  const firstDegraded = availability.degraded.findIndex((available) => available > 0);
  if (firstHealthy !== -1) healthy[firstHealthy] = (healthy[firstHealthy] ?? 0) + left;
  else degraded[firstDegraded] = (degraded[firstDegraded] ?? 0) + left;
  return { healthy, degraded };
}

/** In panic everywhere: by the number of hosts, whatever their health. */
function loadByNumber(sets: readonly HostSet[]): PriorityLoad {
  const all = sum(sets.map(({ hosts }) => hosts.length));
  const zeros = sets.map(() => 0);
  if (all === 0) return { healthy: zeros.with(0, 100), degraded: zeros };
  const healthy = sets.map(({ hosts }) => Math.floor((hosts.length * 100) / all));
  const first = sets.findIndex(({ hosts }) => hosts.length > 0);
  healthy[first] = (healthy[first] ?? 0) + 100 - sum(healthy);
  return { healthy, degraded: zeros };
}

/** Whether too few of the hosts can be used, whatever other priorities have. */
export function isInPanic(set: HostGroup, panicPercent: number): boolean {
  const counted = set.hosts.length - set.excluded.length;
  const usable = set.healthy.length + set.degraded.length;
  const usablePercent = counted <= 0 ? 0 : (usable * 100) / counted;
  return usablePercent < panicPercent;
}

/** Where one draw from 0 to 99 falls. */
export function placeDraw(
  { healthy, degraded }: PriorityLoad,
  draw: number,
): { readonly priority: number; readonly isDegraded: boolean } {
  let passed = 0;
  for (let priority = 0; priority < healthy.length; priority++) {
    passed += healthy[priority] ?? 0;
    if (draw < passed) return { priority, isDegraded: false };
  }
  for (let priority = 0; priority < degraded.length; priority++) {
    passed += degraded[priority] ?? 0;
    if (draw < passed) return { priority, isDegraded: true };
  }
  return { priority: 0, isDegraded: false };
}
