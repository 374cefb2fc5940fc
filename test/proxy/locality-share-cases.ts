import { NO_HEALTHY, type ShareCase } from "./host-share-cases.ts";
import { hostsOf, type PlaceSpec } from "./host-shares.ts";

/** A place by its zone, with the weight of the locality. */
function zone(name: string, hosts: PlaceSpec["hosts"], weight?: number, priority = 0): PlaceSpec {
  return { zone: name, hosts, priority, ...(weight === undefined ? {} : { weight }) };
}

const WEIGHTED = { common_lb_config: { locality_weighted_lb_config: {} } };

function typed(policy: string, options: object): object {
  const type = `type.googleapis.com/envoy.extensions.load_balancing_policies.${policy}`;
  return {
    load_balancing_policy: {
      policies: [
        {
          typed_extension_config: {
            name: policy,
            typed_config: { "@type": type, ...options },
          },
        },
      ],
    },
  };
}

/** Localities by their weights, where the proxy does not know its own. */
export const WEIGHT_CASES: readonly ShareCase[] = [
  {
    name: "weights count whatever the number of hosts",
    places: [zone("a", hostsOf(0, 3), 1), zone("b", hostsOf(3, 1), 3)],
    cluster: WEIGHTED,
    shares: { "0-2": 25, 3: 75 },
  },
  {
    name: "weights that nobody asked for",
    places: [zone("a", hostsOf(0, 3), 1), zone("b", hostsOf(3, 1), 3)],
    shares: { "0-3": 100 },
  },
  {
    name: "weights asked for, and none given",
    places: [zone("a", hostsOf(0, 3)), zone("b", hostsOf(3, 1))],
    cluster: WEIGHTED,
    shares: { "0-3": 100 },
  },
  {
    name: "a locality without a weight",
    places: [zone("a", hostsOf(0, 3)), zone("b", hostsOf(3, 1), 3)],
    cluster: WEIGHTED,
    shares: { 3: 100 },
  },
  {
    name: "a weight of what is no locality",
    places: [{ weight: 3, hosts: hostsOf(0, 2) }, zone("b", hostsOf(3, 1), 1)],
    cluster: WEIGHTED,
    shares: { 3: 100 },
  },
  {
    name: "a locality with half of its hosts",
    places: [zone("a", hostsOf(0, 1, 0, 1), 1), zone("b", hostsOf(2, 2), 1)],
    cluster: WEIGHTED,
    shares: { 0: 41.2, "2-3": 58.8 },
  },
  {
    name: "a locality with three quarters of its hosts",
    places: [zone("a", hostsOf(0, 3, 0, 1), 1), zone("b", hostsOf(4, 2), 1)],
    cluster: WEIGHTED,
    shares: { "0-2": 50, "4-5": 50 },
  },
  {
    name: "a locality with half of its hosts, overprovisioning 100",
    places: [zone("a", hostsOf(0, 1, 0, 1), 1), zone("b", hostsOf(2, 2), 1)],
    cluster: WEIGHTED,
    policy: { overprovisioning_factor: 100 },
    shares: { 0: 33.3, "2-3": 66.7 },
  },
  {
    name: "a locality of which nobody is left",
    places: [zone("a", hostsOf(0, 0, 0, 2), 5), zone("b", hostsOf(2, 4), 1)],
    cluster: WEIGHTED,
    shares: { "2-5": 100 },
  },
  {
    name: "a locality that drains in part",
    places: [
      zone("a", [{ host: 0 }, { host: 1, health: "DRAINING" }], 1),
      zone("b", hostsOf(2, 2), 1),
    ],
    cluster: WEIGHTED,
    shares: { 0: 50, "2-3": 50 },
  },
  {
    name: "a locality that is named twice",
    places: [zone("a", hostsOf(0, 1), 1), zone("b", hostsOf(2, 1), 1), zone("a", hostsOf(1, 1), 3)],
    cluster: WEIGHTED,
    shares: { "0-1": 75, 2: 25 },
  },
  {
    name: "panic does not look at localities",
    places: [zone("a", hostsOf(0, 1, 0, 2), 1), zone("b", hostsOf(3, 0, 0, 1), 9)],
    cluster: WEIGHTED,
    shares: { "0-3": 100 },
    counters: { lb_healthy_panic: 100 },
  },
  {
    name: "degraded hosts by locality",
    places: [zone("a", hostsOf(0, 0, 1), 1), zone("b", hostsOf(1, 0, 3), 4)],
    cluster: WEIGHTED,
    shares: { 0: 20, "1-3": 80 },
  },
  {
    name: "weights within each priority",
    places: [
      zone("a", hostsOf(0, 1, 0, 1), 1),
      zone("b", hostsOf(2, 1, 0, 1), 1),
      zone("a", hostsOf(4, 2), 1, 1),
      zone("b", hostsOf(6, 1), 4, 1),
    ],
    cluster: WEIGHTED,
    // 70 % stay, halved; 30 % go on, 1 to 4.
    shares: { 0: 35, 2: 35, "4-5": 6, 6: 24 },
  },
  {
    name: "weights of hosts within a locality",
    places: [
      zone(
        "a",
        [
          { host: 0, weight: 1 },
          { host: 1, weight: 4 },
        ],
        1,
      ),
      zone("b", hostsOf(2, 1), 1),
    ],
    cluster: WEIGHTED,
    shares: { 0: 10, 1: 40, 2: 50 },
  },
  ...["round_robin.v3.RoundRobin", "least_request.v3.LeastRequest", "random.v3.Random"].map(
    (policy): ShareCase => ({
      name: `weights by ${policy}`,
      places: [zone("a", hostsOf(0, 3), 1), zone("b", hostsOf(3, 1), 3)],
      cluster: typed(policy, { locality_lb_config: { locality_weighted_lb_config: {} } }),
      shares: { "0-2": 25, 3: 75 },
    }),
  ),
  {
    name: "weights by the old random policy",
    places: [zone("a", hostsOf(0, 3), 1), zone("b", hostsOf(3, 1), 3)],
    cluster: { ...WEIGHTED, lb_policy: "RANDOM" },
    shares: { "0-2": 25, 3: 75 },
  },
  ...[
    ["maglev.v3.Maglev", {}] as const,
    ["ring_hash.v3.RingHash", { minimum_ring_size: 65_536 }] as const,
  ].map(
    ([policy, options]): ShareCase => ({
      name: `weights by ${policy}`,
      places: [zone("a", hostsOf(0, 3), 1), zone("b", hostsOf(3, 1), 3)],
      cluster: typed(policy, { ...options, locality_weighted_lb_config: {} }),
      shares: { "0-2": 25, 3: 75 },
    }),
  ),
  {
    name: "zones without a cluster of the proxy's own",
    places: [zone("a", hostsOf(0, 3)), zone("b", hostsOf(3, 5))],
    cluster: { common_lb_config: { zone_aware_lb_config: {} } },
    shares: { "0-7": 100 },
  },
  {
    name: "no traffic in panic, and there is none",
    places: [zone("a", hostsOf(0, 1, 0, 2))],
    cluster: { common_lb_config: { zone_aware_lb_config: { fail_traffic_on_panic: true } } },
    shares: { [NO_HEALTHY]: 100 },
    counters: { lb_healthy_panic: 100, upstream_cx_none_healthy: 100 },
  },
];

/** Half of zone a and all of zone b say that they are in the subset; zone a weighs more. */
const SUBSET_PLACES: readonly PlaceSpec[] = [
  zone(
    "a",
    [
      { host: 0, metadata: { in: "yes" } },
      { host: 1, metadata: { in: "no" } },
    ],
    4,
  ),
  zone(
    "b",
    [
      { host: 2, metadata: { in: "yes" } },
      { host: 3, metadata: { in: "yes" } },
      { host: 4, metadata: { in: "yes" } },
    ],
    1,
  ),
];

function subsetCase(name: string, options: object, shares: ShareCase["shares"]): ShareCase {
  return {
    name,
    places: SUBSET_PLACES,
    cluster: {
      ...WEIGHTED,
      lb_subset_config: { subset_selectors: [{ keys: ["in"] }], ...options },
    },
    route: { metadata_match: { filter_metadata: { "envoy.lb": { in: "yes" } } } },
    shares,
  };
}

/** Localities by their weights, within a subset. */
export const SUBSET_CASES: readonly ShareCase[] = [
  subsetCase("without a word about weights there are none", {}, { 0: 25, "2-4": 75 }),
  subsetCase("scaled, and not asked for", { scale_locality_weight: true }, { 0: 25, "2-4": 75 }),
  subsetCase("whole weights", { locality_weight_aware: true }, { 0: 80, "2-4": 20 }),
  subsetCase(
    "weights by how much of a locality is in the subset",
    { locality_weight_aware: true, scale_locality_weight: true },
    { 0: 66.67, "2-4": 33.33 },
  ),
  {
    ...subsetCase("no weights for whoever asks for no subset", {}, { "0-4": 100 }),
    cluster: {
      ...WEIGHTED,
      lb_subset_config: { fallback_policy: "ANY_ENDPOINT", subset_selectors: [{ keys: ["in"] }] },
    },
    route: {},
  },
];

function zoneAware(config: object): object {
  return { common_lb_config: { zone_aware_lb_config: config } };
}

/** The proxy stands in zone a, and so does half of its own cluster. */
export const ZONE_CASES: readonly ShareCase[] = [
  {
    name: "as many here as elsewhere",
    places: [zone("b", hostsOf(3, 3)), zone("a", hostsOf(0, 3))],
    shares: { "0-2": 100 },
    counters: { lb_zone_routing_all_directly: 100 },
  },
  {
    name: "fewer here than elsewhere",
    places: [zone("a", hostsOf(0, 2)), zone("b", hostsOf(2, 4))],
    shares: { "0-1": 66.66, "2-5": 33.34 },
    counters: { lb_zone_routing_sampled: 66.66, lb_zone_routing_cross_zone: 33.34 },
  },
  {
    name: "three zones: only those that have room get more",
    places: [zone("a", hostsOf(0, 1)), zone("b", hostsOf(1, 3)), zone("c", hostsOf(4, 3))],
    shares: { 0: 28.56, "4-6": 71.44 },
    counters: { lb_zone_routing_sampled: 28.56, lb_zone_routing_cross_zone: 71.44 },
  },
  {
    name: "nobody here",
    places: [zone("b", hostsOf(0, 4)), zone("c", hostsOf(4, 2))],
    // 66.66 - 50 and 33.33 - 0 are left.
    shares: { "0-3": 33.33, "4-5": 66.67 },
    counters: { lb_zone_routing_cross_zone: 100 },
  },
  {
    name: "nobody healthy here",
    places: [zone("a", hostsOf(0, 0, 0, 2)), zone("b", hostsOf(2, 6))],
    shares: { "2-7": 100 },
    counters: { lb_zone_routing_cross_zone: 100 },
  },
  {
    name: "some unhealthy here",
    places: [zone("a", hostsOf(0, 2, 0, 2)), zone("b", hostsOf(4, 4))],
    shares: { "0-1": 66.66, "4-7": 33.34 },
    counters: { lb_zone_routing_sampled: 66.66, lb_zone_routing_cross_zone: 33.34 },
  },
  {
    name: "too few hosts in all",
    places: [zone("a", hostsOf(0, 3)), zone("b", hostsOf(3, 2))],
    shares: { "0-4": 100 },
  },
  {
    name: "few hosts that are said to be enough",
    places: [zone("a", hostsOf(0, 3)), zone("b", hostsOf(3, 2))],
    cluster: zoneAware({ min_cluster_size: 5 }),
    shares: { "0-2": 100 },
    counters: { lb_zone_routing_all_directly: 100 },
  },
  {
    name: "for half of the requests",
    places: [zone("a", hostsOf(0, 3)), zone("b", hostsOf(3, 3))],
    cluster: zoneAware({ routing_enabled: { value: 50 } }),
    shares: { "0-2": 75, "3-5": 25 },
    counters: { lb_zone_routing_all_directly: 50 },
  },
  {
    name: "for no request",
    places: [zone("a", hostsOf(0, 3)), zone("b", hostsOf(3, 3))],
    cluster: zoneAware({ routing_enabled: { value: 0.4 } }),
    shares: { "0-5": 100 },
  },
  {
    name: "only one zone",
    places: [zone("b", hostsOf(0, 8))],
    shares: { "0-7": 100 },
  },
  {
    name: "panic does not look at zones",
    places: [zone("a", hostsOf(0, 3)), zone("b", hostsOf(3, 0, 0, 9))],
    shares: { "0-11": 100 },
    counters: { lb_healthy_panic: 100 },
  },
  {
    name: "further priorities do not look at zones",
    places: [
      zone("b", hostsOf(0, 0, 0, 2)),
      zone("a", hostsOf(2, 3), undefined, 1),
      zone("b", hostsOf(5, 6), undefined, 1),
    ],
    shares: { "2-10": 100 },
  },
  {
    name: "degraded hosts by zone",
    places: [zone("a", hostsOf(0, 3, 3)), zone("b", hostsOf(6, 3, 3))],
    // 70 % healthy, 30 % degraded.
    shares: { "0-2": 70, "3-5": 30 },
    counters: { lb_zone_routing_all_directly: 100 },
  },
  {
    name: "weights of localities before zones",
    places: [zone("a", hostsOf(0, 3), 1), zone("b", hostsOf(3, 3), 3)],
    cluster: WEIGHTED,
    shares: { "0-2": 25, "3-5": 75 },
  },
  {
    name: "zones where weights were asked for and there are none",
    places: [zone("a", hostsOf(0, 3)), zone("b", hostsOf(3, 3))],
    cluster: WEIGHTED,
    shares: { "0-2": 100 },
    counters: { lb_zone_routing_all_directly: 100 },
  },
  ...["round_robin.v3.RoundRobin", "least_request.v3.LeastRequest", "random.v3.Random"].map(
    (policy): ShareCase => ({
      name: `zones by ${policy}`,
      places: [zone("a", hostsOf(0, 1)), zone("b", hostsOf(1, 3))],
      cluster: typed(policy, {
        locality_lb_config: { zone_aware_lb_config: { min_cluster_size: 1 } },
      }),
      shares: { 0: 50, "1-3": 50 },
      counters: { lb_zone_routing_sampled: 50, lb_zone_routing_cross_zone: 50 },
    }),
  ),
];

const TEN = [zone("a", hostsOf(0, 3)), zone("b", hostsOf(3, 3))];

/** The proxy's own cluster has nobody in zone a, where it stands. */
export const ELSEWHERE_CASES: readonly ShareCase[] = [
  { name: "nobody of the own cluster here", places: TEN, shares: { "0-5": 100 } },
];

/** Half of the proxy's own cluster is unhealthy, and more: it panics. */
export const OWN_PANIC_CASES: readonly ShareCase[] = [
  {
    name: "the own cluster panics",
    places: TEN,
    shares: { "0-5": 100 },
    counters: { lb_local_cluster_not_ok: 100 },
  },
  {
    name: "the own cluster panics, and there is to be no traffic then",
    places: TEN,
    cluster: zoneAware({ fail_traffic_on_panic: true }),
    shares: { [NO_HEALTHY]: 100 },
    counters: { lb_local_cluster_not_ok: 100, upstream_cx_none_healthy: 100 },
  },
  {
    name: "the own cluster does not panic at that threshold",
    places: TEN,
    cluster: { common_lb_config: { healthy_panic_threshold: { value: 20 } } },
    // Of what is healthy of it, all is in zone b.
    shares: { "0-2": 100 },
    counters: { lb_zone_routing_all_directly: 100 },
  },
];

/** Zones as only the typed policies know them. */
function typedZones(options: object): object {
  const zones = { min_cluster_size: 1, ...options };
  return typed("round_robin.v3.RoundRobin", {
    locality_lb_config: { zone_aware_lb_config: zones },
  });
}

const FEW_HERE = [zone("a", hostsOf(0, 1)), zone("b", hostsOf(1, 3))];

/** The whole of the proxy's own cluster is here. */
export const ALL_HERE_CASES: readonly ShareCase[] = [
  {
    name: "nobody elsewhere to be fair to",
    places: FEW_HERE,
    cluster: typedZones({}),
    shares: { "0-3": 100 },
  },
  {
    name: "the own zone by force",
    places: FEW_HERE,
    cluster: typedZones({ force_local_zone: {} }),
    shares: { 0: 100 },
    counters: { lb_zone_routing_all_directly: 100 },
  },
  {
    name: "the own zone by force, which has nobody",
    places: [zone("c", hostsOf(0, 1)), zone("b", hostsOf(1, 3))],
    cluster: typedZones({ force_local_zone: {} }),
    shares: { 0: 25, "1-3": 75 },
    counters: { lb_zone_routing_cross_zone: 100 },
  },
];

/** Three quarters of the proxy's own cluster are here. */
export const CROWDED_CASES: readonly ShareCase[] = [
  {
    name: "the own zone by force where it is too small",
    places: FEW_HERE,
    cluster: typedZones({ force_local_zone: { min_size: 1 } }),
    shares: { 0: 100 },
    counters: { lb_zone_routing_all_directly: 100 },
  },
  {
    name: "the own zone by force in the older way",
    places: FEW_HERE,
    cluster: typedZones({ force_locality_direct_routing: true }),
    shares: { 0: 100 },
    counters: { lb_zone_routing_all_directly: 100 },
  },
  {
    name: "no force with fewer hosts than it takes",
    places: FEW_HERE,
    cluster: typedZones({ force_local_zone: { min_size: 2 } }),
    // 25 of 75 stay.
    shares: { 0: 33.33, "1-3": 66.67 },
    counters: { lb_zone_routing_sampled: 33.33, lb_zone_routing_cross_zone: 66.67 },
  },
  {
    name: "the own zone by force, however few it has",
    places: FEW_HERE,
    cluster: typedZones({ force_local_zone: { min_size: 0 } }),
    shares: { 0: 100 },
    counters: { lb_zone_routing_all_directly: 100 },
  },
  {
    name: "zones by what their hosts weigh",
    places: [zone("a", [{ host: 0, weight: 6 }]), zone("b", hostsOf(1, 2))],
    cluster: typedZones({ locality_basis: "HEALTHY_HOSTS_WEIGHT" }),
    shares: { 0: 100 },
    counters: { lb_zone_routing_all_directly: 100 },
  },
  {
    name: "more of the own cluster here than there is room for",
    places: TEN,
    // 50 of 75 stay.
    shares: { "0-2": 66.66, "3-5": 33.34 },
    counters: { lb_zone_routing_sampled: 66.66, lb_zone_routing_cross_zone: 33.34 },
  },
];

/** Under a runtime without panic, with zones for half of the requests and of two hosts or more. */
export const RUNTIME_CASES: readonly ShareCase[] = [
  {
    name: "no panic, by the runtime",
    places: [zone("a", hostsOf(0, 0, 0, 2))],
    shares: { [NO_HEALTHY]: 100 },
    counters: { upstream_cx_none_healthy: 100 },
  },
  {
    name: "zones for half of the requests, of few hosts, by the runtime",
    places: [zone("a", hostsOf(0, 1)), zone("b", hostsOf(1, 1))],
    cluster: zoneAware({ min_cluster_size: 5, routing_enabled: { value: 100 } }),
    shares: { 0: 75, 1: 25 },
    counters: { lb_zone_routing_all_directly: 50 },
  },
  {
    name: "no force with fewer hosts than the runtime says",
    places: [zone("a", hostsOf(0, 1)), zone("b", hostsOf(1, 3))],
    cluster: typedZones({ force_local_zone: {} }),
    // 25 of 50 stay, of half of the requests.
    shares: { 0: 37.5, "1-3": 62.5 },
    counters: { lb_zone_routing_sampled: 25, lb_zone_routing_cross_zone: 25 },
  },
];
