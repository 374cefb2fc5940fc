import { hostsOf, type PlaceSpec } from "./host-shares.ts";

/** What a cluster's hosts are, and who of them must get how much. */
export interface ShareCase {
  readonly name: string;
  readonly places?: readonly PlaceSpec[];
  /** In place of `places`: those of each cluster of an aggregate; `undefined` is one that is not there. */
  readonly members?: readonly (readonly PlaceSpec[] | undefined)[];
  /** Further fields of each of them. */
  readonly memberCluster?: object;
  /** Further fields of the route. */
  readonly route?: object;
  /** The hosts that answer 500, with commas between them. */
  readonly fails?: string;
  /** Further fields of the cluster. */
  readonly cluster?: object;
  /** `load_assignment.policy`. */
  readonly policy?: object;
  /**
   * Per cent of the requests by answer: a host's number, numbers such as "0-3" for hosts that get
   * the same each, or the status and body of something else. Whoever is not named gets nothing.
   */
  readonly shares: Readonly<Record<string, number>>;
  /** Per cent of the requests that must be counted, by counter; those not named must be 0. */
  readonly counters?: Readonly<Record<string, number>>;
}

/** Of a request that nobody may have. */
export const NO_HEALTHY = "503 no healthy upstream";
/** A cluster with this threshold of panic. */
export const panic = (value: number): object => ({
  common_lb_config: { healthy_panic_threshold: { value } },
});
/** The hosts of a priority. */
export const at = (priority: number, hosts: PlaceSpec["hosts"]): PlaceSpec => ({ priority, hosts });

/** Failover, degraded hosts and panic over priorities. */
export const PRIORITY_CASES: readonly ShareCase[] = [
  {
    name: "all healthy",
    places: [at(0, hostsOf(0, 4)), at(1, hostsOf(4, 2))],
    shares: { "0-3": 100 },
  },
  {
    name: "enough healthy",
    places: [at(0, hostsOf(0, 3, 0, 1)), at(1, hostsOf(4, 2))],
    shares: { "0-2": 100 },
  },
  {
    name: "half healthy",
    places: [at(0, hostsOf(0, 2, 0, 2)), at(1, hostsOf(4, 2))],
    shares: { "0-1": 70, "4-5": 30 },
  },
  {
    name: "a quarter healthy",
    places: [at(0, hostsOf(0, 1, 0, 3)), at(1, hostsOf(4, 2))],
    shares: { 0: 35, "4-5": 65 },
  },
  {
    name: "none healthy",
    places: [at(0, hostsOf(0, 0, 0, 3)), at(1, hostsOf(4, 2))],
    shares: { "4-5": 100 },
  },
  {
    name: "both weak, together enough",
    places: [at(0, hostsOf(0, 2, 0, 2)), at(1, hostsOf(4, 1, 0, 3))],
    shares: { "0-1": 70, 4: 30 },
  },
  {
    name: "panic in one of two",
    places: [at(0, hostsOf(0, 1, 0, 4)), at(1, hostsOf(5, 2, 0, 2))],
    shares: { "0-4": 29, "5-6": 71 },
    counters: { lb_healthy_panic: 29 },
  },
  {
    name: "panic in both, by number of hosts",
    places: [at(0, hostsOf(0, 1, 0, 2)), at(1, hostsOf(3, 1, 0, 4))],
    shares: { "0-2": 38, "3-7": 62 },
    counters: { lb_healthy_panic: 100 },
  },
  {
    name: "nobody is healthy",
    places: [at(0, hostsOf(0, 0, 0, 2)), at(1, hostsOf(2, 0, 0, 6))],
    shares: { "0-1": 25, "2-7": 75 },
    counters: { lb_healthy_panic: 100 },
  },
  {
    name: "nobody is healthy, and there is no panic",
    places: [at(0, hostsOf(0, 0, 0, 2)), at(1, hostsOf(2, 0, 0, 6))],
    cluster: panic(0),
    shares: { [NO_HEALTHY]: 100 },
    counters: { upstream_cx_none_healthy: 100 },
  },
  {
    name: "both too weak, and there is no panic",
    places: [at(0, hostsOf(0, 1, 0, 3)), at(1, hostsOf(4, 1, 0, 3))],
    cluster: panic(0),
    shares: { 0: 50, 4: 50 },
  },
  {
    name: "panic at once, and enough healthy",
    places: [at(0, hostsOf(0, 3, 0, 1))],
    cluster: panic(100),
    shares: { "0-2": 100 },
  },
  {
    name: "panic at once, and not enough",
    places: [at(0, hostsOf(0, 2, 0, 2))],
    cluster: panic(100),
    shares: { "0-3": 100 },
    counters: { lb_healthy_panic: 100 },
  },
  {
    name: "one priority at the threshold",
    places: [at(0, hostsOf(0, 2, 0, 2))],
    shares: { "0-1": 100 },
  },
  {
    name: "degraded hosts take what is left",
    places: [at(0, hostsOf(0, 2, 2))],
    shares: { "0-1": 70, "2-3": 30 },
  },
  {
    name: "the next priority before degraded hosts",
    places: [at(0, hostsOf(0, 1, 3)), at(1, hostsOf(4, 4))],
    shares: { 0: 35, "4-7": 65 },
  },
  {
    name: "degraded hosts after both priorities",
    places: [at(0, hostsOf(0, 1, 1, 2)), at(1, hostsOf(4, 1, 0, 3))],
    shares: { 0: 35, 4: 35, 1: 30 },
  },
  { name: "only degraded hosts", places: [at(0, hostsOf(0, 0, 4))], shares: { "0-3": 100 } },
  {
    name: "degraded hosts count against panic",
    places: [at(0, hostsOf(0, 1, 1, 2))],
    shares: { 0: 50, 1: 50 },
  },
  {
    name: "too few degraded hosts",
    places: [at(0, hostsOf(0, 0, 1, 3))],
    shares: { "0-3": 100 },
    counters: { lb_healthy_panic: 100 },
  },
  {
    name: "degraded hosts of two priorities",
    places: [at(0, hostsOf(0, 0, 1, 1)), at(1, hostsOf(2, 0, 4))],
    shares: { 0: 70, "2-5": 30 },
  },
  {
    name: "overprovisioning 100",
    places: [at(0, hostsOf(0, 2, 0, 2)), at(1, hostsOf(4, 2))],
    policy: { overprovisioning_factor: 100 },
    shares: { "0-1": 50, "4-5": 50 },
  },
  {
    name: "overprovisioning 200",
    places: [at(0, hostsOf(0, 2, 0, 2)), at(1, hostsOf(4, 2))],
    policy: { overprovisioning_factor: 200 },
    shares: { "0-1": 100 },
  },
  {
    name: "health by weight",
    places: [
      at(0, [
        { host: 0, weight: 1 },
        { host: 1, weight: 3, health: "UNHEALTHY" },
      ]),
      at(1, hostsOf(2, 2)),
    ],
    policy: { weighted_priority_health: true },
    shares: { 0: 35, "2-3": 65 },
  },
  {
    name: "health by weight, degraded",
    places: [
      at(0, [
        { host: 0, weight: 1 },
        { host: 1, weight: 3, health: "DEGRADED" },
      ]),
    ],
    policy: { weighted_priority_health: true },
    shares: { 0: 35, 1: 65 },
  },
  {
    name: "weights without health by weight",
    places: [
      at(0, [
        { host: 0, weight: 1 },
        { host: 1, weight: 3, health: "UNHEALTHY" },
      ]),
      at(1, [
        { host: 2, weight: 1 },
        { host: 3, weight: 4 },
      ]),
    ],
    shares: { 0: 70, 2: 6, 3: 24 },
  },
  {
    name: "three priorities",
    places: [at(0, hostsOf(0, 1, 0, 4)), at(1, hostsOf(5, 2, 0, 3)), at(2, hostsOf(10, 1, 0, 4))],
    shares: { 0: 28, "5-6": 56, 10: 16 },
  },
  {
    name: "three priorities, the middle one empty",
    places: [at(0, hostsOf(0, 1, 0, 3)), at(2, hostsOf(4, 2))],
    shares: { 0: 35, "4-5": 65 },
  },
  {
    name: "three priorities in panic, the middle one empty",
    places: [at(0, hostsOf(0, 0, 0, 1)), at(2, hostsOf(4, 0, 0, 3))],
    shares: { 0: 25, "4-6": 75 },
    counters: { lb_healthy_panic: 100 },
  },
  {
    name: "three priorities, only the last is too weak",
    places: [at(0, hostsOf(0, 1, 0, 3)), at(1, hostsOf(4, 1, 1, 2)), at(2, hostsOf(8, 0, 1, 3))],
    // 35 + 35 healthy, 35 + 35 degraded are more than enough.
    shares: { 0: 35, 4: 35, 5: 30 },
  },
  {
    name: "nothing in the first priority",
    places: [at(1, hostsOf(4, 2))],
    shares: { "4-5": 100 },
  },
  {
    name: "draining and timed out",
    places: [
      at(0, [{ host: 0 }, { host: 1, health: "DRAINING" }, { host: 2, health: "TIMEOUT" }]),
      at(1, hostsOf(4, 1)),
    ],
    // One that drains counts for nothing at all.
    shares: { 0: 70, 4: 30 },
  },
  {
    name: "draining, health by weight",
    places: [
      at(0, [
        { host: 0, weight: 2 },
        { host: 1, weight: 5, health: "DRAINING" },
        { host: 2, weight: 6, health: "UNHEALTHY" },
      ]),
      at(1, hostsOf(4, 1)),
    ],
    policy: { weighted_priority_health: true },
    shares: { 0: 35, 4: 65 },
  },
  {
    name: "all draining",
    places: [
      at(0, [
        { host: 0, health: "DRAINING" },
        { host: 1, health: "DRAINING" },
      ]),
    ],
    shares: { "0-1": 100 },
    counters: { lb_healthy_panic: 100 },
  },
];
