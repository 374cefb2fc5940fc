import type { Prng } from "../../base/prng.ts";
import type { Assignment, ClusterConfig, Endpoint } from "./cluster-config.ts";
import type { ClusterTransports } from "./cluster-transports.ts";
import { endpointKey, Host } from "./host.ts";
import { ClusterLoad } from "./load.ts";
import { createPicker, type Picker } from "./load-balancer.ts";
import type { PickContext } from "./pick-context.ts";
import { SubsetBalancer } from "./subset-balancer.ts";

/** Chooses a host with a view to who asks. */
export type ContextPicker = (context: PickContext | undefined) => Host | undefined;

/** A cluster at run time: its hosts, and which of them is next. */
export class Cluster {
  readonly config: ClusterConfig;
  readonly load: ClusterLoad;
  /** Whether it came by CDS. */
  readonly isDynamic: boolean;
  readonly #prng: Prng;
  #hosts: readonly Host[] = [];
  #pick: ContextPicker = () => undefined;
  #isRetired = false;
  readonly #subsets: SubsetBalancer | undefined;

  constructor(
    config: ClusterConfig,
    isDynamic: boolean,
    prng: Prng,
    transports?: ClusterTransports,
  ) {
    this.config = config;
    this.isDynamic = isDynamic;
    this.#prng = prng;
    this.load = new ClusterLoad(config, transports);
    const { subsets } = config.lb;
    this.#subsets = subsets && new SubsetBalancer(subsets, this.load);
  }

  get hosts(): readonly Host[] {
    return this.#hosts;
  }

  /**
   * The host for one request; `undefined` when none may be used. One that the context rejects is
   * taken all the same when no draw brings another.
   */
  pick(context?: PickContext): Host | undefined {
    let host = this.#pick(context);
    if (context === undefined) return host;
    for (let left = context.hostDrawsMax; left > 0; left--) {
      if (host === undefined || !context.rejectsHost(host)) break;
      host = this.#pick(context);
    }
    return host;
  }

  /** Takes new endpoints. Hosts that stay keep their connections, those that went lose them. */
  assign(assignment: Assignment): void {
    if (this.#isRetired) return;
    // An address may stand there twice: then it is two hosts, but for EDS, as in Envoy.
    const isUnique = this.config.type === "EDS";
    const free = new Map<string, Host[]>();
    for (const host of this.#hosts) free.set(host.key, [...(free.get(host.key) ?? []), host]);
    const taken = new Set<string>();
    const hosts: Host[] = [];
    for (const endpoint of assignment.endpoints) {
      const key = endpointKey(endpoint);
      if (isUnique && taken.has(key)) continue;
      taken.add(key);
      hosts.push(this.#reuse(free.get(key)?.shift(), endpoint));
    }
    const before = new Set(this.#hosts);
    const isSame = hosts.length === before.size && hosts.every((host) => before.has(host));
    this.setHosts(hosts, this.#choose(hosts, assignment.overprovisioningPercent));
    if (isSame) this.load.updatesWithoutRebuild++;
    else this.#onMembership();
  }

  #reuse(host: Host | undefined, endpoint: Endpoint): Host {
    if (host === undefined) return new Host(endpoint, this.load);
    host.state = endpoint;
    return host;
  }

  /** Takes hosts, and who chooses among them. Those that it had and are not named are removed. */
  setHosts(hosts: readonly Host[], pick: ContextPicker): void {
    if (this.#isRetired) return;
    const kept = new Set(hosts);
    const gone = this.#hosts.filter((host) => !kept.has(host));
    this.#hosts = hosts;
    this.#pick = pick;
    for (const host of gone) host.remove();
  }

  #onMembership(): void {
    this.load.membershipChanges++;
    if (!this.config.closesOnHostSetChange) return;
    for (const host of this.#hosts) host.drain();
  }

  #choose(hosts: readonly Host[], overprovisioningPercent: number): ContextPicker {
    if (this.#subsets === undefined) return this.#balance(hosts, overprovisioningPercent);
    this.#subsets.update(hosts, (some) => this.#balance(some, overprovisioningPercent));
    return this.#subsets.pick;
  }

  #balance(hosts: readonly Host[], overprovisioningPercent: number): Picker {
    const { lb } = this.config;
    const healthy = hosts.filter(({ state }) => state.isHealthy);
    if (!isPanic(healthy.length, hosts.length, overprovisioningPercent, lb.panicPercent)) {
      return createPicker(lb, healthy, this.#prng);
    }
    const pick = createPicker(lb, hosts, this.#prng);
    return () => {
      this.load.panics++;
      return pick();
    };
  }

  /** Whether it can speak to its hosts: the secrets of its transports have come, or will not. */
  get hasSecrets(): boolean {
    return this.load.transports?.isReady !== false;
  }

  /** The cluster is gone or replaced: requests in flight end, connections are not kept. */
  retire(): void {
    this.#isRetired = true;
    this.load.transports?.close();
    for (const host of this.#hosts) host.remove();
  }
}

/**
 * Whether so few hosts are healthy that they would be overrun, and all are used: below the panic
 * threshold, but not while what is healthy counts as enough, as in Envoy.
 */
function isPanic(
  healthy: number,
  all: number,
  overprovisioningPercent: number,
  panicPercent: number,
): boolean {
  if (all === 0 || Math.floor((overprovisioningPercent * healthy) / all) >= 100) return false;
  return (healthy * 100) / all < panicPercent;
}
