import { aggregateCluster } from "./bootstrap-json.ts";
import { bootstrap, fixed, policies, ROUND_ROBIN, typed } from "./cluster-bootstraps.ts";
import type { RefusedBootstrap } from "./refused-bootstraps.ts";

const SLOW_START = {
  slow_start_window: "10s",
  aggression: { default_value: 2, runtime_key: "x" },
  min_weight_percent: { value: 5 },
};
/** The proxy belongs to a cluster. */
function ownCluster(name: string): object {
  return { ...fixed({}), cluster_manager: { local_cluster_name: name } };
}

/** Localities, slow start and aggregates that are fit to run, in both proxies' eyes. */
export const ACCEPTED_BALANCING: readonly (readonly [name: string, bootstrap: object])[] = [
  [
    "localities by zone, slow start",
    fixed({
      common_lb_config: {
        zone_aware_lb_config: {
          routing_enabled: { value: 50 },
          min_cluster_size: 2,
          fail_traffic_on_panic: true,
        },
      },
      least_request_lb_config: { slow_start_config: SLOW_START },
    }),
  ],
  [
    "localities by weight, slow start",
    fixed({
      common_lb_config: { locality_weighted_lb_config: {} },
      round_robin_lb_config: { slow_start_config: SLOW_START },
    }),
  ],
  [
    "typed localities by zone, slow start",
    typed([
      "round_robin.v3.RoundRobin",
      { slow_start_config: SLOW_START, locality_lb_config: { zone_aware_lb_config: {} } },
    ]),
  ],
  ["an aggregate of clusters that are not there", bootstrap(aggregateCluster("up", ["a", "b"]))],
  [
    "an aggregate with its typed policy",
    bootstrap(
      aggregateCluster("up", ["up", "up"], {
        lb_policy: "ROUND_ROBIN",
        load_balancing_policy: policies(["cluster_provided.v3.ClusterProvided", {}]),
      }),
    ),
  ],
  ["a cluster of the proxy's own", ownCluster("up")],
];

function drops(...shares: readonly object[]): object {
  const policy = {
    drop_overloads: shares.map((share) => ({ category: "a", drop_percentage: share })),
  };
  return fixed({ load_assignment: { cluster_name: "up", policy } });
}

const TABLE: readonly (readonly [string, object, string])[] = [
  [
    "weights of localities in subsets, and none otherwise",
    fixed({
      lb_subset_config: { subset_selectors: [{ keys: ["a"] }], locality_weight_aware: true },
    }),
    "Locality weight aware subset LB requires that a locality_weighted_lb_config be set in up",
  ],
  [
    "drops for two reasons",
    drops({ numerator: 1 }, { numerator: 1 }),
    "Cluster drop_overloads config has 2 categories. Envoy only support one.",
  ],
  [
    "drops of more than all",
    drops({ numerator: 150 }),
    "Cluster drop_overloads config is invalid. drop_ratio=1.5(Numerator 150 / Denominator 100). The valid range is 0~1.",
  ],
  [
    "typed hosts from nowhere",
    typed(["cluster_provided.v3.ClusterProvided", {}]),
    "cluster provided LB specified but cluster 'up' did not provide one",
  ],
  [
    "an aggregate that does not choose itself",
    bootstrap(aggregateCluster("up", ["a"], { lb_policy: "ROUND_ROBIN" })),
    "cluster provided LB not specified but cluster 'up' provided one",
  ],
  [
    "an aggregate with another typed policy",
    bootstrap(aggregateCluster("up", ["a"], { load_balancing_policy: policies(ROUND_ROBIN) })),
    "cluster provided LB not specified but cluster 'up' provided one",
  ],
  ["an aggregate of nothing", bootstrap(aggregateCluster("up", [])), "clusters"],
  [
    "an aggregate without its configuration",
    bootstrap(aggregateCluster("up", [], { cluster_type: { name: "envoy.clusters.aggregate" } })),
    "clusters",
  ],
  [
    "an aggregate with subsets",
    bootstrap(
      aggregateCluster("up", ["a"], { lb_subset_config: { subset_selectors: [{ keys: ["a"] }] } }),
    ),
    "lb_subset_config: cannot be combined with lb_policy CLUSTER_PROVIDED",
  ],
  [
    "weights of localities over a policy that has none",
    typed(["wrr_locality.v3.WrrLocality", { endpoint_picking_policy: policies(ROUND_ROBIN) }]),
    "Currently WrrLocalityLoadBalancer only supports ClientSideWeightedRoundRobinLoadBalancer as its endpoint picking policy.",
  ],
  [
    "weights of localities over nothing",
    typed(["wrr_locality.v3.WrrLocality", { endpoint_picking_policy: {} }]),
    "No supported endpoint picking policy.",
  ],
  [
    "a typed policy beside localities in the old place",
    fixed({
      load_balancing_policy: policies(ROUND_ROBIN),
      common_lb_config: { locality_weighted_lb_config: {} },
    }),
    "cannot be combined with partial fields (zone_aware_lb_config, locality_weighted_lb_config",
  ],
  [
    "zones for more than all",
    fixed({ common_lb_config: { zone_aware_lb_config: { routing_enabled: { value: 101 } } } }),
    "routing_enabled.value: must be at most 100",
  ],
  [
    "a cluster of the proxy's own that is not there",
    ownCluster("other"),
    "local cluster 'other' must be defined",
  ],
];

/** Those that neither proxy takes. */
export const REFUSED_BALANCING: readonly RefusedBootstrap[] = TABLE.map(
  ([name, refused, message]) => ({ name, bootstrap: refused, message }),
);
