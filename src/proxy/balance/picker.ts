import type { Prng } from "../../base/prng.ts";
import type { RuntimeReader } from "../../match/runtime-reader.ts";
import type { LbConfig } from "../cluster/cluster-config.ts";
import type { Host } from "../cluster/host.ts";
import { EdfSchedule } from "./edf.ts";
import { fixedSchedule } from "./edf-classes.ts";
import type { PickContext } from "./pick-context.ts";
import type { SlowStart } from "./slow-start.ts";

/** Chooses a host; made anew whenever the hosts change, so it keeps no stale ones. */
export type Picker = (context: PickContext | undefined) => Host | undefined;

/** A picker that is made when it is first asked: many never are. */
export function later(make: () => Picker): Picker {
  let made: Picker | undefined;
  return (context) => {
    made ??= make();
    return made(context);
  };
}

/** A weighted balancer is begun at most so many picks into its order. */
const FIRST_PICKS_MAX = 1000;

/** What pickers need from outside. */
export interface PickerDeps {
  readonly prng: Prng;
  readonly runtime: RuntimeReader;
  /** `undefined` where hosts have their whole weight at once. */
  readonly slowStart: SlowStart | undefined;
}

/** Creates the picker of one set of hosts. All hosts given may be chosen. */
export function createPicker(
  config: LbConfig,
  hosts: readonly Host[],
  { prng, runtime, slowStart }: PickerDeps,
): Picker {
  const [only] = hosts;
  if (only === undefined) return () => undefined;
  if (hosts.length === 1) return () => only;
  const { policy } = config;
  // Envoy's random policy does not look at weights.
  if (policy === "random") return () => hosts[Math.floor(prng.next() * hosts.length)];
  const isWeighted =
    slowStart?.isOver === false || hosts.some((host) => host.state.weight !== only.state.weight);
  const isRoundRobin = policy === "round_robin";
  if (isWeighted) {
    const weigh = isRoundRobin ? undefined : loadWeight(biasOf(config, runtime));
    if (slowStart === undefined) return weighted(hosts, prng, weigh);
    return weighted(hosts, prng, (host, weight) =>
      slowStart.weigh(host, weigh?.(host, weight) ?? weight),
    );
  }
  return isRoundRobin ? roundRobin(hosts, prng) : leastRequest(hosts, config.choiceCount, prng);
}

/** As in Envoy, one that makes no sense counts as 1. */
function biasOf(config: LbConfig, runtime: RuntimeReader): number {
  const bias = runtime.double(config.activeRequestBiasKey) ?? config.activeRequestBias;
  return bias >= 0 ? bias : 1;
}

/** In order, from a random start, so that many proxies do not all begin with the same host. */
function roundRobin(hosts: readonly Host[], prng: Prng): Picker {
  let next = Math.floor(prng.next() * hosts.length);
  return () => {
    if (next >= hosts.length) next = 0;
    return hosts[next++];
  };
}

/** The least busy of `choiceCount` drawn at random, as Envoy does for equal weights. */
function leastRequest(hosts: readonly Host[], choiceCount: number, prng: Prng): Picker {
  return () => {
    let best = hosts[Math.floor(prng.next() * hosts.length)];
    for (let choice = 1; choice < choiceCount; choice++) {
      const other = hosts[Math.floor(prng.next() * hosts.length)];
      if (best === undefined || other === undefined) continue;
      if (other.activeRequests < best.activeRequests) best = other;
    }
    return best;
  };
}

/** What a host weighs now, of its own weight. */
type Weigh = (host: Host, weight: number) => number;

/** Envoy's weight for least request: the more is in flight, the less a host weighs. */
function loadWeight(bias: number): Weigh | undefined {
  if (bias === 0) return undefined;
  if (bias === 1) return (host, weight) => weight / (host.activeRequests + 1);
  return (host, weight) => weight / (host.activeRequests + 1) ** bias;
}

function weighted(hosts: readonly Host[], prng: Prng, weigh: Weigh | undefined): Picker {
  // Kept together: to look for them in the hosts would cost more than the choice.
  const weights = new Float64Array(hosts.length);
  for (let at = 0; at < hosts.length; at++) weights[at] = hosts[at]?.state.weight ?? 1;
  const next = weigh === undefined ? fixedSchedule(weights) : movingSchedule(hosts, weights, weigh);
  // From a random start, or every new picker would begin with the heaviest host.
  const picks = Math.floor(prng.next() * Math.min(hosts.length, FIRST_PICKS_MAX));
  for (let pick = 0; pick < picks; pick++) next();
  return () => hosts[next()];
}

function movingSchedule(hosts: readonly Host[], weights: Float64Array, weigh: Weigh): () => number {
  const schedule = new EdfSchedule(hosts.length, (at) => {
    const host = hosts[at];
    const weight = weights[at] ?? 1;
    return host === undefined ? weight : weigh(host, weight);
  });
  return () => schedule.pick();
}
