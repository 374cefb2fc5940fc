import type { Prng } from "../../base/prng.ts";
import { createBalancer } from "../balance/balancer.ts";
import type { HashTables } from "../balance/hash-balancer.ts";
import type { CountOptions } from "../balance/host-set.ts";
import type { PickContext } from "../balance/pick-context.ts";
import type { Picker } from "../balance/picker.ts";
import { SubsetBalancer } from "../balance/subset-balancer.ts";
import type { Assignment, ClusterConfig, Endpoint } from "./cluster-config.ts";
import type { ClusterTransports } from "./cluster-transports.ts";
import { Host } from "./host.ts";
import { type HostUpdate, updateHosts } from "./host-update.ts";
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
  /** An address may stand there twice: then it is two hosts, but for EDS, as in Envoy. */
  readonly #byKey: Map<string, Host> | undefined;
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
  readonly #hashTables: HashTables = [];
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
    this.#byKey = config.type === "EDS" ? new Map() : undefined;
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
    // By hash there is an order in which others come, which the balancer knows.
    if (context === undefined || this.config.lb.hashing !== undefined) return host;
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

  /** Works out who chooses now instead of when somebody asks: what statistics tell of it is true. */
  settle(): void {
    this.#pick ??= this.#createPicker();
  }

  #createPicker(): Picker {
    if (this.#ownPick !== undefined) return this.#ownPick;
    const { lb } = this.config;
    // Subsets have little in common with each other.
    const hashTables = this.#subsets === undefined ? this.#hashTables : undefined;
    const deps = { prng: this.#prng, load: this.load, hashTables };
    const balance = (hosts: readonly Host[]): Picker =>
      createBalancer(lb, hosts, this.#options, deps);
    if (this.#subsets === undefined) return balance(this.#hosts);
    this.#subsets.update(this.#hosts, balance);
    return this.#subsets.pick;
  }

  /** Takes new endpoints. Hosts that stay keep their connections, those that went lose them. */
  assign(assignment: Assignment): void {
    if (this.#isRetired) return;
    const { overprovisioningPercent, weighsPriorityHealth } = this.#options;
    this.#options = assignment;
    const isCountedAnew =
      assignment.overprovisioningPercent !== overprovisioningPercent ||
      assignment.weighsPriorityHealth !== weighsPriorityHealth;
    const list = { hosts: this.#hosts, byKey: this.#byKey, create: this.#createHost };
    const update = updateHosts(list, assignment.endpoints);
    if (!update.isChanged) this.load.updatesWithoutRebuild++;
    if (update.isChanged || isCountedAnew) this.#setHosts(update);
    if (update.added.length > 0 || update.removed.length > 0) this.#onMembership();
  }

  readonly #createHost = (endpoint: Endpoint): Host => new Host(endpoint, this.load);

  /** Takes hosts that are made as they are asked for, and who chooses and makes them. */
  provideHosts(hosts: readonly Host[], pick: Picker): void {
    if (this.#isRetired) return;
    this.#ownPick = pick;
    const kept = new Set(hosts);
    const had = new Set(this.#hosts);
    const removed = this.#hosts.filter((host) => !kept.has(host));
    const added = hosts.filter((host) => !had.has(host));
    this.#setHosts({ hosts, added, removed });
  }

  #setHosts({ hosts, added, removed }: Omit<HostUpdate, "isChanged">): void {
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
