import type { Prng } from "../../base/prng.ts";
import { createBalancer } from "../balance/balancer.ts";
import type { CountOptions } from "../balance/host-set.ts";
import type { PickContext } from "../balance/pick-context.ts";
import type { Picker } from "../balance/picker.ts";
import { SubsetBalancer } from "../balance/subset-balancer.ts";
import type { Assignment, ClusterConfig, Endpoint } from "./cluster-config.ts";
import type { ClusterTransports } from "./cluster-transports.ts";
import { endpointKey, Host } from "./host.ts";
import { ClusterLoad } from "./load.ts";

/** Envoy's default: hosts count as enough while 72 of 100 are healthy. */
export const OVERPROVISIONING_PERCENT = 140;

/** Follows the hosts of a cluster: health checks, outlier detection. */
export interface HostObserver {
  /** Before any of the added is chosen; the removed ones get no new requests. */
  onHosts(added: readonly Host[], removed: readonly Host[]): void;
  /** The cluster is gone or replaced. */
  close(): void;
}

/** A cluster at run time: its hosts, and which of them is next. */
export class Cluster {
  readonly config: ClusterConfig;
  readonly load: ClusterLoad;
  /** Whether it came by CDS. */
  readonly isDynamic: boolean;
  readonly #prng: Prng;
  #hosts: readonly Host[] = [];
  #options: CountOptions = {
    overprovisioningPercent: OVERPROVISIONING_PERCENT,
    weighsPriorityHealth: false,
  };
  /** Who chooses; `undefined` after hosts or their health changed, until somebody asks. */
  #pick: Picker | undefined = undefined;
  /** Who chooses where hosts are made as they are asked for. */
  #ownPick: Picker | undefined = undefined;
  #isRetired = false;
  readonly #subsets: SubsetBalancer | undefined;
  readonly #observers: HostObserver[] = [];

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

  /** Begins to follow the hosts; those that are there are told at once. Closed with the cluster. */
  observe(observer: HostObserver): void {
    this.#observers.push(observer);
    if (this.#hosts.length > 0) observer.onHosts(this.#hosts, []);
  }

  /**
   * The host for one request; `undefined` when none may be used. One that the context rejects is
   * taken all the same when no draw brings another.
   */
  pick(context?: PickContext): Host | undefined {
    const pick = this.#picker;
    let host = pick(context);
    if (context === undefined) return host;
    for (let left = context.hostDrawsMax; left > 0; left--) {
      if (host === undefined || !context.rejectsHost(host)) break;
      host = pick(context);
    }
    return host;
  }

  get #picker(): Picker {
    this.#pick ??= this.#createPicker();
    return this.#pick;
  }

  #createPicker(): Picker {
    if (this.#ownPick !== undefined) return this.#ownPick;
    const { lb } = this.config;
    const deps = { prng: this.#prng, load: this.load };
    const balance = (hosts: readonly Host[]): Picker =>
      createBalancer(lb, hosts, this.#options, deps);
    if (this.#subsets === undefined) return balance(this.#hosts);
    this.#subsets.update(this.#hosts, balance);
    return this.#subsets.pick;
  }

  /** Takes new endpoints. Hosts that stay keep their connections, those that went lose them. */
  assign(assignment: Assignment): void {
    if (this.#isRetired) return;
    this.#options = assignment;
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
    this.#setHosts(hosts);
    if (isSame) this.load.updatesWithoutRebuild++;
    else this.#onMembership();
  }

  #reuse(host: Host | undefined, endpoint: Endpoint): Host {
    if (host === undefined) return new Host(endpoint, this.load);
    host.state = endpoint;
    return host;
  }

  /** Takes hosts that are made as they are asked for, and who chooses and makes them. */
  provideHosts(hosts: readonly Host[], pick: Picker): void {
    if (this.#isRetired) return;
    this.#ownPick = pick;
    this.#setHosts(hosts);
  }

  /** Those that it had and are not named are removed. */
  #setHosts(hosts: readonly Host[]): void {
    const kept = new Set(hosts);
    const had = new Set(this.#hosts);
    const removed = this.#hosts.filter((host) => !kept.has(host));
    const added = hosts.filter((host) => !had.has(host));
    this.#hosts = hosts;
    this.#pick = undefined;
    for (const host of added) host.onHealthChange = this.#onHealthChange;
    if (added.length > 0 || removed.length > 0) {
      for (const observer of this.#observers) observer.onHosts(added, removed);
    }
    for (const host of removed) host.remove();
    // What subsets there are is to be seen in statistics.
    if (this.#subsets !== undefined) this.#pick = this.#createPicker();
  }

  /** Whoever is next is worked out when somebody asks: many may change at once. */
  readonly #onHealthChange = (): void => {
    this.#pick = undefined;
  };

  #onMembership(): void {
    this.load.membershipChanges++;
    if (!this.config.closesOnHostSetChange) return;
    for (const host of this.#hosts) host.drain();
  }

  /** Whether it can speak to its hosts: the secrets of its transports have come, or will not. */
  get hasSecrets(): boolean {
    return this.load.transports?.isReady !== false;
  }

  /** The cluster is gone or replaced: requests in flight end, connections are not kept. */
  retire(): void {
    this.#isRetired = true;
    for (const observer of this.#observers) observer.close();
    this.load.transports?.close();
    for (const host of this.#hosts) host.remove();
  }
}
