/** One way to choose hosts, as Envoy's JSON says it; the endpoints are made by the number of each. */
export interface BalanceCase {
  readonly title: string;
  /** Of the cluster. */
  readonly options: object;
  /** Of the endpoint with this number, beside its address. */
  readonly endpoint?: (at: number) => object;
  /** So many localities, and what each says. */
  readonly places?: number;
  readonly place?: (at: number) => object;
  /** What a request asks of a host's metadata. */
  readonly criteria?: (
    request: number,
  ) => readonly { readonly key: string; readonly value: string }[];
}

/** Seven weights, none of which divides another evenly. */
function weight(at: number): object {
  return { load_balancing_weight: 1 + (at % 7) };
}

function zone(at: number): object {
  return { locality: { region: "r", zone: `z${at}` }, load_balancing_weight: 1 + at };
}

const SUBSETS = 10;

export const BALANCE_CASES: readonly BalanceCase[] = [
  { title: "round robin", options: { lb_policy: "ROUND_ROBIN" } },
  { title: "round robin, weighted", options: { lb_policy: "ROUND_ROBIN" }, endpoint: weight },
  { title: "least request", options: { lb_policy: "LEAST_REQUEST" } },
  { title: "least request, weighted", options: { lb_policy: "LEAST_REQUEST" }, endpoint: weight },
  { title: "random", options: { lb_policy: "RANDOM" } },
  { title: "ring hash", options: { lb_policy: "RING_HASH" } },
  { title: "Maglev", options: { lb_policy: "MAGLEV" } },
  {
    title: "3 localities by weight",
    options: { common_lb_config: { locality_weighted_lb_config: {} } },
    places: 3,
    place: zone,
  },
  {
    title: "2 priorities, half unhealthy",
    options: {},
    endpoint: (at) => ({ health_status: at % 2 === 0 ? "UNHEALTHY" : "HEALTHY" }),
    places: 2,
    place: (at) => ({ priority: at }),
  },
  {
    title: `${SUBSETS} subsets`,
    options: { lb_subset_config: { subset_selectors: [{ keys: ["v"] }] } },
    endpoint: (at) => ({
      metadata: { filter_metadata: { "envoy.lb": { v: `v${at % SUBSETS}` } } },
    }),
    criteria: (request) => [{ key: "v", value: `"v${request % SUBSETS}"` }],
  },
];
