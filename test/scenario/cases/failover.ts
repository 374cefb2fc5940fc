import type { JsonObject } from "@bufbuild/protobuf";
import { type Scenario, send } from "../scenario.ts";

const NO_HOST = "503 UH no_healthy_upstream";
const SICK = { health: "UNHEALTHY" };

function at(...upstreams: readonly number[]): string[] {
  return upstreams.map((one) => `200 - via_upstream @${one}`);
}

function times(count: number, lines: readonly string[]): string[] {
  return Array.from({ length: count }, () => lines)
    .flat()
    .toSorted();
}

function panic(percent: number): JsonObject {
  return { common_lb_config: { healthy_panic_threshold: { value: percent } } };
}

const COUNTERS = [
  "lb_healthy_panic",
  "membership_healthy",
  "membership_degraded",
  "membership_total",
  "upstream_cx_none_healthy",
];

/** Who is chosen by health, priority, weight and place. */
export const FAILOVER: readonly Scenario[] = [
  {
    name: "the first priority takes all while it is healthy",
    upstreams: [{}, {}, { priority: 1 }],
    steps: [send(6)],
    isDrawn: true,
    counters: COUNTERS,
    expect: times(3, at(0, 1)),
  },
  {
    name: "three of four are healthy enough for all",
    upstreams: [{}, {}, {}, SICK, { priority: 1 }],
    steps: [send(6)],
    isDrawn: true,
    counters: COUNTERS,
    expect: times(2, at(0, 1, 2)),
  },
  {
    name: "the second priority, when nobody of the first is left",
    upstreams: [SICK, SICK, { priority: 1 }],
    steps: [send(3)],
    isDrawn: true,
    counters: COUNTERS,
    expect: at(2, 2, 2),
  },
  {
    name: "the third priority, when nobody of the others is left",
    upstreams: [SICK, { ...SICK, priority: 1 }, { priority: 2 }],
    steps: [send(3)],
    counters: COUNTERS,
    expect: at(2, 2, 2),
  },
  {
    name: "nobody is healthy, and panic uses all",
    upstreams: [SICK, SICK],
    steps: [send(4)],
    isDrawn: true,
    counters: COUNTERS,
    expect: times(2, at(0, 1)),
  },
  {
    name: "nobody is healthy, and there is no panic",
    cluster: panic(0),
    upstreams: [SICK, SICK],
    steps: [send(2)],
    counters: COUNTERS,
    expect: [NO_HOST, NO_HOST],
  },
  {
    name: "one of three is healthy: panic",
    upstreams: [{}, SICK, SICK],
    steps: [send(6)],
    isDrawn: true,
    counters: COUNTERS,
    expect: times(2, at(0, 1, 2)),
  },
  {
    name: "one of three is healthy, and panic begins below that",
    cluster: panic(30),
    upstreams: [{}, SICK, SICK],
    steps: [send(3)],
    counters: COUNTERS,
    expect: at(0, 0, 0),
  },
  {
    name: "half are healthy: no panic yet",
    upstreams: [{}, {}, SICK, SICK],
    steps: [send(4)],
    isDrawn: true,
    counters: COUNTERS,
    expect: times(2, at(0, 1)),
  },
  {
    name: "draining and timed-out hosts are not healthy",
    upstreams: [{ health: "DRAINING" }, { health: "TIMEOUT" }, {}, {}, {}],
    steps: [send(6)],
    isDrawn: true,
    counters: COUNTERS,
    expect: times(2, at(2, 3, 4)),
  },
  {
    name: "degraded hosts come after healthy ones",
    upstreams: [{ health: "DEGRADED" }, {}, {}, {}, {}],
    steps: [send(8)],
    isDrawn: true,
    counters: COUNTERS,
    expect: times(2, at(1, 2, 3, 4)),
  },
  {
    name: "degraded hosts alone are used",
    upstreams: [{ health: "DEGRADED" }, { health: "DEGRADED" }],
    steps: [send(4)],
    isDrawn: true,
    counters: COUNTERS,
    expect: times(2, at(0, 1)),
  },
  {
    name: "healthy hosts of the second priority before degraded ones of the first",
    upstreams: [{ health: "DEGRADED" }, { priority: 1 }],
    steps: [send(3)],
    counters: COUNTERS,
    expect: at(1, 1, 1),
  },
  {
    name: "no priority is healthy: panic by the number of hosts",
    upstreams: [SICK, { ...SICK, priority: 1 }],
    cluster: panic(0),
    steps: [send(2)],
    counters: COUNTERS,
    expect: [NO_HOST, NO_HOST],
  },
  {
    name: "more overprovisioning needs fewer healthy hosts",
    policy: { overprovisioning_factor: 200 },
    upstreams: [{}, {}, SICK, SICK, { priority: 1 }],
    steps: [send(4)],
    isDrawn: true,
    counters: COUNTERS,
    expect: times(2, at(0, 1)),
  },
  {
    name: "weights of hosts",
    upstreams: [{ weight: 4 }, { weight: 1 }],
    steps: [send(10)],
    isDrawn: true,
    counters: COUNTERS,
    expect: times(2, at(0, 0, 0, 0, 1)),
  },
  {
    name: "weights of healthy hosts only",
    upstreams: [{ weight: 3 }, { weight: 1 }, { weight: 100, ...SICK }],
    steps: [send(8)],
    isDrawn: true,
    counters: COUNTERS,
    expect: times(2, at(0, 0, 0, 1)),
  },
  {
    name: "health of a priority by weight",
    policy: { weighted_priority_health: true },
    cluster: panic(0),
    upstreams: [{ weight: 100 }, { weight: 1, ...SICK }, { weight: 1, ...SICK }, { priority: 1 }],
    steps: [send(4)],
    counters: COUNTERS,
    expect: at(0, 0, 0, 0),
  },
  {
    name: "an empty first priority",
    upstreams: [{ priority: 1 }],
    steps: [send(2)],
    counters: COUNTERS,
    expect: at(0, 0),
  },
  {
    name: "no hosts at all",
    upstreams: [],
    steps: [send()],
    counters: COUNTERS,
    expect: [NO_HOST],
  },
];
