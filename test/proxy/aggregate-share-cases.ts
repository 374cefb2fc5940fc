import { at, NO_HEALTHY, panic, type ShareCase } from "./host-share-cases.ts";
import { hostsOf } from "./host-shares.ts";

/** Clusters made of clusters: their priorities one after the other. */
export const AGGREGATE_CASES: readonly ShareCase[] = [
  {
    name: "the first is healthy",
    members: [[at(0, hostsOf(0, 3))], [at(0, hostsOf(3, 3))]],
    shares: { "0-2": 100 },
  },
  {
    name: "the first is half healthy",
    members: [[at(0, hostsOf(0, 2, 0, 2))], [at(0, hostsOf(4, 2))]],
    shares: { "0-1": 70, "4-5": 30 },
  },
  {
    name: "the first is a quarter healthy and does not panic",
    members: [[at(0, hostsOf(0, 1, 0, 3))], [at(0, hostsOf(4, 2))]],
    // It panics by itself, whose business that is: the aggregate only gives it less.
    shares: { "0-3": 35, "4-5": 65 },
  },
  {
    name: "nobody of the first is healthy",
    members: [[at(0, hostsOf(0, 0, 0, 2))], [at(0, hostsOf(2, 2))]],
    shares: { "2-3": 100 },
  },
  {
    name: "priorities within members",
    members: [[at(0, hostsOf(0, 1, 0, 3)), at(1, hostsOf(4, 1, 0, 3))], [at(0, hostsOf(8, 2))]],
    cluster: panic(0),
    memberCluster: panic(0),
    shares: { 0: 35, 4: 35, "8-9": 30 },
  },
  {
    name: "degraded hosts after all members",
    members: [[at(0, hostsOf(0, 1, 1, 2))], [at(0, hostsOf(4, 1, 0, 3))]],
    memberCluster: panic(0),
    shares: { 0: 35, 4: 35, 1: 30 },
  },
  {
    name: "panic everywhere, by number of hosts",
    members: [[at(0, hostsOf(0, 0, 0, 2))], [at(0, hostsOf(2, 0, 0, 6))]],
    shares: { "0-1": 25, "2-7": 75 },
  },
  {
    name: "nobody, and no panic",
    members: [[at(0, hostsOf(0, 0, 0, 2))], [at(0, hostsOf(2, 0, 0, 6))]],
    cluster: panic(0),
    memberCluster: panic(0),
    shares: { [NO_HEALTHY]: 100 },
    counters: { upstream_cx_none_healthy: 100 },
  },
  {
    name: "a member that is not there",
    members: [undefined, [at(0, hostsOf(0, 2))]],
    shares: { "0-1": 100 },
  },
  {
    name: "no member is there",
    members: [undefined, undefined],
    shares: { [NO_HEALTHY]: 100 },
    counters: { upstream_cx_none_healthy: 100 },
  },
  {
    name: "a member without hosts",
    members: [[], [at(1, hostsOf(0, 2))]],
    shares: { "0-1": 100 },
  },
  {
    name: "the members' own weights and policies",
    members: [
      [
        at(0, [
          { host: 0, weight: 3 },
          { host: 1, weight: 1 },
          { host: 2, health: "UNHEALTHY" },
          { host: 3, health: "UNHEALTHY" },
        ]),
      ],
      [at(0, hostsOf(4, 2))],
    ],
    shares: { 0: 52.5, 1: 17.5, "4-5": 30 },
  },
];

const PRIORITY = {
  name: "previous",
  typed_config: {
    "@type":
      "type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
    update_frequency: 1,
  },
};
const HOST = {
  name: "previous",
  typed_config: {
    "@type":
      "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
  },
};

function retries(count: number, options: object = {}): object {
  return {
    retry_policy: {
      retry_on: "5xx",
      num_retries: count,
      retry_back_off: { base_interval: "0.001s" },
      retry_priority: PRIORITY,
      ...options,
    },
  };
}

function every(frequency: number): object {
  const typed = { ...PRIORITY.typed_config, update_frequency: frequency };
  return { retry_priority: { ...PRIORITY, typed_config: typed } };
}

const THREE = [at(0, hostsOf(0, 1)), at(1, hostsOf(1, 1)), at(2, hostsOf(2, 1))];
const TWO = [at(0, hostsOf(0, 1)), at(1, hostsOf(1, 1))];

/** Where the last attempt goes. */
export const RETRY_CASES: readonly ShareCase[] = [
  {
    name: "the same priority, when nothing else is asked for",
    places: TWO,
    fails: "0",
    route: retries(1, { retry_priority: undefined }),
    shares: { "500 0": 100 },
  },
  { name: "another priority", places: TWO, fails: "0", route: retries(1), shares: { 1: 100 } },
  { name: "a third one", places: THREE, fails: "0,1", route: retries(2), shares: { 2: 100 } },
  {
    name: "after every second attempt",
    places: TWO,
    fails: "0",
    route: retries(1, every(2)),
    shares: { "500 0": 100 },
  },
  {
    name: "after the second attempt",
    places: TWO,
    fails: "0",
    route: retries(2, every(2)),
    shares: { 1: 100 },
  },
  {
    name: "from the beginning, when all were tried",
    places: TWO,
    fails: "0,1",
    route: retries(2),
    shares: { "500 0": 100 },
  },
  {
    name: "and on again",
    places: TWO,
    fails: "0,1",
    route: retries(3),
    shares: { "500 1": 100 },
  },
  {
    name: "not where nobody is healthy",
    places: [at(0, hostsOf(0, 1)), at(1, hostsOf(1, 0, 0, 1)), at(2, hostsOf(2, 1))],
    fails: "0",
    route: retries(1),
    shares: { 2: 100 },
  },
  {
    name: "where others are degraded",
    places: [at(0, hostsOf(0, 1)), at(1, hostsOf(1, 0, 1))],
    fails: "0",
    route: retries(1),
    shares: { 1: 100 },
  },
  {
    name: "to several, as far as each can",
    places: [at(0, hostsOf(0, 1)), at(1, hostsOf(1, 1, 0, 1)), at(2, hostsOf(3, 1))],
    fails: "0",
    route: retries(1),
    shares: { 1: 70, 3: 30 },
  },
  {
    name: "with hosts of the same priority in between",
    places: [at(0, hostsOf(0, 2)), at(1, hostsOf(2, 1))],
    fails: "0,1",
    route: retries(2, {
      ...every(2),
      retry_host_predicate: [HOST],
      host_selection_retry_max_attempts: "10",
    }),
    shares: { 2: 100 },
  },
  {
    name: "to the next cluster of an aggregate",
    members: [[at(0, hostsOf(0, 2))], [at(0, hostsOf(2, 2))]],
    fails: "0,1",
    route: retries(1),
    shares: { "2-3": 100 },
  },
  {
    name: "to the next cluster of an aggregate only when asked for",
    members: [[at(0, hostsOf(0, 1))], [at(0, hostsOf(2, 2))]],
    fails: "0",
    route: retries(1, { retry_priority: undefined }),
    shares: { "500 0": 100 },
  },
];
