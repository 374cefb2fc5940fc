import type { Prng } from "../../base/prng.ts";
import { NO_RUNTIME, type RuntimeReader } from "../../match/runtime-reader.ts";
import { createBalancer } from "../balance/balancer.ts";
import type { HashTables } from "../balance/hash-balancer.ts";
import {
  type CountOptions,
  divideHosts,
  type HostSet,
  type LocalityView,
} from "../balance/host-set.ts";
import { PickAhead } from "../balance/pick-ahead.ts";
import type { PickContext } from "../balance/pick-context.ts";
import type { Picker } from "../balance/picker.ts";
import { SlowStart } from "../balance/slow-start.ts";
import { SubsetBalancer } from "../balance/subset-balancer.ts";
import { countPlaces } from "../balance/subset-weights.ts";
import type { LocalZone } from "../balance/zone-routing.ts";
import { updateCheckedHosts } from "./checked-hosts.ts";
import type { Assignment, ClusterConfig, Endpoint, LocalityMode } from "./cluster-config.ts";
import type { ClusterTransports } from "./cluster-transports.ts";
import { Host } from "./host.ts";
import { HEALTH_FLAG } from "./host-health.ts";
import { type HostList, type HostUpdate, updateHosts } from "./host-update.ts";
import { ClusterLoad } from "./load.ts";

/** Envoy's default: hosts count as enough while 72 of 100 are healthy. */
export const OVERPROVISIONING_PERCENT = 140;

/** Follows the hosts of a cluster: health checks, outlier detection. */
export interface HostObserver {
  /** Before any of the added is chosen; the removed ones get no new requests. */
  onHosts(added: readonly Host[], removed: readonly Host[]): void;
  /** An active health check found a host to be well. */
  onHostWell?(host: Host): void;
  /** The cluster is gone or replaced. */
  close(): void;
}

/** What the choice of a host depends on besides the cluster. */
export interface ClusterSurroundings {
  readonly runtime: RuntimeReader;
  /** `undefined` where the proxy does not know where it stands, and for its own cluster. */
  readonly localZone: LocalZone | undefined;
  /** The monotonic clock. */
  readonly nowMs: () => number;
}

const NO_LOCALITY: LocalityMode = { kind: "none" };

const NO_SURROUNDINGS: ClusterSurroundings = {
  runtime: NO_RUNTIME,
  localZone: undefined,
  nowMs: () => 0,
};

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
  /** For those who want one host above all; made when somebody does. */
  #byAddress: ReadonlyMap<string, Host> | undefined = undefined;
  #options: CountOptions = {
    overprovisioningPercent: OVERPROVISIONING_PERCENT,
    weighsPriorityHealth: false,
  };
  #dropShare = 0;
  /** Who chooses; `undefined` after hosts or their health changed, until somebody asks. */
  #pick: Picker | undefined = undefined;
  /** Who chooses where hosts are made as they are asked for. */
  #ownPick: Picker | undefined = undefined;
  /** Where hosts are connected to before they are chosen. */
  readonly #ahead: PickAhead | undefined;
  #isRetired = false;
  readonly #subsets: SubsetBalancer | undefined;
  readonly #hashTables: HashTables = [];
  readonly #observers: HostObserver[] = [];
  readonly #surroundings: ClusterSurroundings;
  readonly #slowStart: SlowStart | undefined;
  /**
   * Where hosts are looked up as they are asked for: calls back when the one that the context wants
   * can be chosen or is known not to exist, until what it returns is called; `undefined` when there
   * is nothing to wait for.
   */
  awaitHost: ((context: PickContext, onReady: () => void) => (() => void) | undefined) | undefined =
    undefined;
  /** Told after hosts or their health changed. */
  readonly #watchers = new Set<() => void>();

  constructor(
    config: ClusterConfig,
    isDynamic: boolean,
    prng: Prng,
    transports?: ClusterTransports,
    surroundings = NO_SURROUNDINGS,
    processes = 1,
  ) {
    this.config = config;
    this.isDynamic = isDynamic;
    this.#prng = prng;
    this.load = new ClusterLoad(config, transports, processes);
    this.#byKey = config.type === "EDS" ? new Map() : undefined;
    const { subsets, slowStart } = config.lb;
    this.#subsets = subsets && new SubsetBalancer(subsets, this.load);
    this.#surroundings = surroundings;
    const ahead = PickAhead.for(config);
    this.#ahead = ahead;
    if (ahead !== undefined) this.load.peekHost = () => ahead.peek(this.#picker, this.#hosts);
    const { runtime, nowMs } = surroundings;
    this.#slowStart = slowStart && new SlowStart(slowStart, runtime, nowMs);
  }

  get hosts(): readonly Host[] {
    return this.#hosts;
  }

  /** Its hosts by priority, and by locality where that is asked for. */
  hostSets(view: LocalityView): readonly HostSet[] {
    return divideHosts(this.#hosts, this.#options, view);
  }

  /** The share of its requests that are dropped rather than sent, 0 to 1. */
  get dropShare(): number {
    return this.#dropShare;
  }

  #limitDrops(share: number): number {
    const limit = this.#surroundings.runtime.integer("load_balancing_policy.drop_overload_limit");
    return limit === undefined ? share : Math.min(share, limit / 100);
  }

  /** Calls back after hosts or their health changed, until what it returns is called. */
  watchHosts(onChange: () => void): () => void {
    this.#watchers.add(onChange);
    return () => this.#watchers.delete(onChange);
  }

  /** Something that the choice depends on changed: whoever is next is worked out anew. */
  forgetPicker(): void {
    this.#pick = undefined;
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
    const wanted = context?.overrideHost;
    if (wanted !== undefined) {
      const host = this.#findOverride(wanted.key);
      if (host !== undefined || wanted.isStrict) return host;
    }
    if (this.#ownPick !== undefined) return this.#ownPick(context);
    const pick = this.#picker;
    let host = this.#ahead?.take(pick) ?? pick(context);
    // By hash there is an order in which others come, which the balancer knows.
    if (context === undefined || this.config.lb.hashing !== undefined) return host;
    for (let left = context.hostDrawsMax; left > 0; left--) {
      if (host === undefined || !context.rejectsHost(host)) break;
      host = pick(context);
    }
    return host;
  }

  /** The host of that key, unless its status speaks against it. */
  #findOverride(key: string): Host | undefined {
    this.#byAddress ??= new Map(this.#hosts.map((host) => [host.key, host]));
    const host = this.#byAddress.get(key);
    return host && this.config.overrideStatuses.has(host.status) ? host : undefined;
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
    const { runtime, localZone } = this.#surroundings;
    const weights = lb.subsets?.localityWeights;
    const deps = {
      prng: this.#prng,
      load: this.load,
      runtime,
      localZone,
      slowStart: this.#slowStart,
      placeCounts: weights === "scaled" ? countPlaces(this.#hosts) : undefined,
      // Subsets have little in common with each other.
      hashTables: this.#subsets === undefined ? this.#hashTables : undefined,
    };
    // Unless a subset is told of the weights of localities it has none.
    const isUnaware = weights === "none" && lb.locality.kind === "weighted";
    const config = isUnaware ? { ...lb, locality: NO_LOCALITY } : lb;
    const balance = (hosts: readonly Host[]): Picker =>
      createBalancer(config, hosts, this.#options, deps);
    if (this.#subsets === undefined) return balance(this.#hosts);
    this.#subsets.update(this.#hosts, balance);
    return this.#subsets.pick;
  }

  /** Takes new endpoints. Hosts that stay keep their connections, those that went lose them. */
  assign(assignment: Assignment): void {
    if (this.#isRetired) return;
    const { overprovisioningPercent, weighsPriorityHealth } = this.#options;
    this.#options = assignment;
    this.#dropShare = this.#limitDrops(assignment.dropShare);
    const isCountedAnew =
      assignment.overprovisioningPercent !== overprovisioningPercent ||
      assignment.weighsPriorityHealth !== weighsPriorityHealth;
    const update = this.#update(assignment.endpoints);
    if (!update.isChanged) this.load.updatesWithoutRebuild++;
    if (update.isChanged || isCountedAnew) this.#setHosts(update);
    if (update.added.length > 0 || update.removed.length > 0) this.#onMembership();
  }

  #update(endpoints: readonly Endpoint[]): HostUpdate {
    const { type } = this.config;
    const list: HostList = {
      hosts: this.#hosts,
      byKey: this.#byKey,
      create: this.#createHost,
      // With other addresses behind it a logical host is another one, as in Envoy.
      ...(type === "LOGICAL_DNS" && { isSame: (host, endpoint) => host.state === endpoint }),
    };
    if (this.config.healthCheck === undefined) return updateHosts(list, endpoints);
    return updateCheckedHosts(list, this.config, endpoints);
  }

  readonly #createHost = (endpoint: Endpoint): Host => new Host(endpoint, this.load);

  /** A host was found to be bad: no connection to it is kept for later. */
  onHostFailed(host: Host): void {
    if (host.hasFlag(HEALTH_FLAG.pendingDynamicRemoval)) {
      if (this.#byKey?.get(host.key) === host) this.#byKey.delete(host.key);
      const hosts = this.#hosts.filter((other) => other !== host);
      this.#setHosts({ hosts, added: [], removed: [host] });
      this.#onMembership();
    }
    host.fail();
  }

  /** A check found a host to be well. */
  onHostWell(host: Host): void {
    for (const observer of this.#observers) observer.onHostWell?.(host);
  }

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
    this.#byAddress = undefined;
    this.#pick = undefined;
    for (const host of added) host.onHealthChange = this.#onHealthChange;
    if (added.length > 0 || removed.length > 0) {
      for (const observer of this.#observers) observer.onHosts(added, removed);
    }
    for (const host of removed) host.remove();
    this.#slowStart?.begin(added);
    for (const onChange of this.#watchers) onChange();
    // What subsets there are is to be seen in statistics.
    if (this.#subsets !== undefined) this.#pick = this.#createPicker();
  }

  /** Whoever is next is worked out when somebody asks: many may change at once. */
  readonly #onHealthChange = (host: Host, before: number): void => {
    this.#pick = undefined;
    this.#slowStart?.onHealthChange(host, before);
    for (const onChange of this.#watchers) onChange();
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
