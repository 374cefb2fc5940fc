import type { Prng } from "../../base/prng.ts";
import type { LbPolicy } from "./cluster-config.ts";
import type { Host } from "./host.ts";

/** Chooses a host; made anew whenever the hosts change, so it keeps no stale ones. */
export type Picker = () => Host | undefined;

/** Creates the picker of one set of hosts. All hosts given may be chosen. */
export function createPicker(
  policy: LbPolicy,
  choiceCount: number,
  hosts: readonly Host[],
  prng: Prng,
): Picker {
  const [only] = hosts;
  if (only === undefined) return () => undefined;
  if (hosts.length === 1) return () => only;
  // Envoy's random policy does not look at weights.
  if (policy === "random") return () => hosts[Math.floor(prng.next() * hosts.length)];
  const isWeighted = hosts.some((host) => host.state.weight !== only.state.weight);
  if (policy === "round_robin") {
    return isWeighted ? weightedRoundRobin(hosts, prng, plainWeight) : roundRobin(hosts, prng);
  }
  if (isWeighted) return weightedRoundRobin(hosts, prng, loadWeight);
  return leastRequest(hosts, choiceCount, prng);
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

function plainWeight(host: Host): number {
  return host.state.weight;
}

/** Envoy's weight for least request: the more is in flight, the less a host weighs. */
function loadWeight(host: Host): number {
  return host.state.weight / (host.activeRequests + 1);
}

/**
 * Earliest deadline first: each host is due again after the reciprocal of its weight. Linear in
 * the hosts, which is paid only where weights differ.
 */
function weightedRoundRobin(
  hosts: readonly Host[],
  prng: Prng,
  weightOf: (host: Host) => number,
): Picker {
  // A random start for each, or every new picker would begin with the heaviest host.
  const due = hosts.map((host) => prng.next() / weightOf(host));
  return () => {
    let first = 0;
    for (let at = 1; at < due.length; at++) {
      if ((due[at] ?? 0) < (due[first] ?? 0)) first = at;
    }
    const host = hosts[first];
    if (host === undefined) return undefined;
    due[first] = (due[first] ?? 0) + 1 / weightOf(host);
    return host;
  };
}
