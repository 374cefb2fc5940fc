import type { Clock, Timer } from "../../base/clock.ts";
import type { Prng } from "../../base/prng.ts";

import type { RuntimeReader } from "../../match/runtime-reader.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { Place } from "../balance/host-set.ts";
import type { DnsCaches } from "../dns-cache/dns-caches.ts";
import { HealthChecker, type HealthDeps } from "../health/health-checker.ts";
import { OutlierDetector } from "../health/outlier-detector.ts";
import { OutlierEvents } from "../health/outlier-events.ts";

import type { UpstreamTlsDeps } from "../tls/upstream-tls.ts";
import { AggregateHosts } from "./aggregate.ts";
import { Cluster, type ClusterSurroundings } from "./cluster.ts";
import type { Assignment, ClusterConfig, DnsConfig } from "./cluster-config.ts";
import { ClusterTransports } from "./cluster-transports.ts";
import { DnsDiscovery } from "./dns-discovery.ts";
import { DynamicHosts } from "./dynamic-hosts.ts";
import type { NameResolver } from "./name-resolver.ts";
import { OriginalDst } from "./original-dst.ts";
import { OwnZone } from "./own-zone.ts";

/** What clusters need from outside. */
export interface ClusterDeps {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly runtime: RuntimeReader;
  /** Is told of hosts that go out of use and come back. */
  readonly log: Logger;
  /** Takes a line for the log of ejections; `undefined` where there is none. */
  readonly writeEjection: ((line: string) => void) | undefined;
  /** The proxy's own cluster and where it stands; `undefined` where nobody says. */
  readonly own: OwnPlace | undefined;
  /** How many processes share the circuit breakers. */
  readonly processes: number;
  readonly tls: UpstreamTlsDeps;
  readonly health: HealthDeps;
  /** The names that dynamic forward proxies have been asked for. */
  readonly dnsCaches: DnsCaches;
  /** A resolver for one cluster, which closes it. */
  readonly createResolver: (config: DnsConfig) => NameResolver;
}

/** What the bootstrap says of the proxy itself. */
export interface OwnPlace {
  readonly clusterName: string;
  readonly locality: Place | undefined;
}

/** Whatever finds a cluster's hosts, and waits for something. */
interface Discovery {
  close(): void;
}

/** The clusters of a proxy: a new one serves when its endpoints are known, an old one until then. */
export class ClusterSet {
  readonly #deps: ClusterDeps;
  readonly #active = new Map<string, Cluster>();
  readonly #warming = new Map<string, Cluster>();
  /** Those that have their hosts, and wait for secrets only. */
  readonly #withoutSecrets = new Set<Cluster>();
  /** Those that check their hosts, from when they could speak to them. */
  readonly #checkers = new Map<Cluster, HealthChecker>();
  /** Clusters, active or warming, by the EDS name that they use. */
  readonly #edsUsers = new Map<string, Set<Cluster>>();
  readonly #discoveries = new Map<Cluster, Discovery>();
  /** Their names; another set whenever they are others. */
  #edsNames: ReadonlySet<string> | undefined = undefined;
  /** The last assignment of every EDS name in use, for clusters that change under them. */
  readonly #assignments = new Map<string, Assignment>();
  /** By EDS name: when what was assigned is too old to be used. */
  readonly #staleTimers = new Map<string, Timer>();
  /** The hosts of clusters that are made of others. */
  readonly #aggregates = new Set<AggregateHosts>();
  #onChange: () => void = () => undefined;
  #onWarm: (() => void) | undefined = undefined;

  readonly #ownZone: OwnZone | undefined;

  constructor(deps: ClusterDeps) {
    this.#deps = deps;
    const { own } = deps;
    this.#ownZone = own && new OwnZone(own.clusterName, own.locality, (name) => this.find(name));
  }

  /** Called when a cluster became active. */
  setOnChange(onChange: () => void): void {
    this.#onChange = onChange;
  }

  find(name: string): Cluster | undefined {
    return this.#active.get(name);
  }

  /** The newest of that name: the one that waits, or else the one that serves. */
  newestOf(name: string): Cluster | undefined {
    return this.#warming.get(name) ?? this.#active.get(name);
  }

  get warming(): readonly Cluster[] {
    return [...this.#warming.values()];
  }

  get active(): readonly Cluster[] {
    return [...this.#active.values()];
  }

  /** Calls back once, when every cluster that does not come by CDS serves; perhaps at once. */
  whenStaticWarm(onWarm: () => void): void {
    this.#onWarm = onWarm;
    this.#tellWarm();
  }

  #tellWarm(): void {
    if ([...this.#warming.values()].some(({ isDynamic }) => !isDynamic)) return;
    const onWarm = this.#onWarm;
    this.#onWarm = undefined;
    onWarm?.();
  }

  /** The names to ask EDS for. */
  edsNames(): ReadonlySet<string> {
    this.#edsNames ??= new Set(this.#edsUsers.keys());
    return this.#edsNames;
  }

  /** Takes a cluster, new or changed. One that did not change is left alone. */
  put(config: ClusterConfig, isDynamic: boolean): void {
    const { name } = config;
    const current = this.newestOf(name);
    if (current !== undefined && Buffer.compare(current.config.body, config.body) === 0) return;
    const { prng, tls } = this.#deps;
    const { transport, statName } = config;
    const transports = transport && new ClusterTransports(transport, `cluster.${statName}`, tls);
    const cluster = new Cluster(
      config,
      isDynamic,
      prng,
      transports,
      this.#surroundings(name),
      this.#deps.processes,
    );
    if (name === this.#ownZone?.clusterName) cluster.watchHosts(() => this.#onOwnChange());
    this.#observe(cluster);
    // Before the one that it replaces goes: what is known of their endpoints stays known.
    this.#addEdsUser(cluster);
    this.#dropWarming(name);
    this.#warming.set(name, cluster);
    this.#discover(cluster);
  }

  /** Whoever follows the cluster's hosts does so from the first one on. */
  #observe(cluster: Cluster): void {
    const { config, load } = cluster;
    if (config.outlier === undefined || load.outlier === undefined) return;
    const { clock, prng, runtime, log, writeEjection } = this.#deps;
    const events = new OutlierEvents(config.name, { clock, log, write: writeEjection });
    const deps = { clock, prng, runtime, record: load.outlier, events };
    cluster.observe(new OutlierDetector(config.outlier, deps));
  }

  #surroundings(name: string): ClusterSurroundings {
    const { clock, runtime } = this.#deps;
    const zone = this.#ownZone;
    return {
      runtime,
      localZone: name === zone?.clusterName ? undefined : zone,
      nowMs: () => clock.monotonicMs(),
    };
  }

  /** The hosts of the proxy's own cluster are not what they were. */
  #onOwnChange(): void {
    this.#ownZone?.forget();
    for (const cluster of [...this.#active.values(), ...this.#warming.values()]) {
      cluster.forgetPicker();
    }
  }

  #discover(cluster: Cluster): void {
    const { config } = cluster;
    switch (config.type) {
      case "STATIC":
        if (config.assignment !== undefined) cluster.assign(config.assignment);
        this.#activate(cluster);
        break;
      case "ORIGINAL_DST":
        this.#makeHosts(cluster);
        this.#activate(cluster);
        break;
      case "DYNAMIC_FORWARD_PROXY":
        this.#lookUpHosts(cluster);
        this.#activate(cluster);
        break;
      case "AGGREGATE":
        this.#aggregate(cluster);
        this.#activate(cluster);
        break;
      case "EDS":
        this.#awaitEndpoints(cluster);
        break;
      case "STRICT_DNS":
      case "LOGICAL_DNS":
        this.#resolveNames(cluster);
        break;
    }
  }

  #makeHosts(cluster: Cluster): void {
    const { originalDst } = cluster.config;
    if (originalDst === undefined) return;
    this.#discoveries.set(cluster, new OriginalDst(originalDst, cluster, this.#deps.clock));
  }

  #lookUpHosts(cluster: Cluster): void {
    const { dnsCache } = cluster.config;
    if (dnsCache === undefined) return;
    const hosts = new DynamicHosts(cluster, this.#deps.dnsCaches.get(dnsCache));
    cluster.awaitHost = (context, onReady) => hosts.await(context, onReady);
    this.#discoveries.set(cluster, hosts);
  }

  #aggregate(cluster: Cluster): void {
    const { prng, runtime } = this.#deps;
    const find = (name: string): Cluster | undefined => this.find(name);
    const hosts = new AggregateHosts(cluster, { prng, runtime, find });
    this.#aggregates.add(hosts);
    const close = (): void => {
      hosts.close();
      this.#aggregates.delete(hosts);
    };
    this.#discoveries.set(cluster, { close });
  }

  /** Which clusters there are changed: some may be parts of others. */
  #onClusters(): void {
    for (const hosts of this.#aggregates) hosts.onClusters();
  }

  #awaitEndpoints(cluster: Cluster): void {
    const { edsName, edsFirstAnswerMs } = cluster.config;
    const assignment = this.#assignments.get(edsName);
    if (assignment !== undefined) return this.#assign(cluster, assignment);
    if (edsFirstAnswerMs === 0) return;
    // Nobody answers for it: it serves without hosts rather than hold everything up.
    const timer = this.#deps.clock.setTimer(edsFirstAnswerMs, () => {
      cluster.load.firstAnswerTimeouts++;
      this.#activateWarm(cluster);
    });
    this.#discoveries.set(cluster, { close: () => timer.cancel() });
  }

  #resolveNames(cluster: Cluster): void {
    const { dns, assignment, type } = cluster.config;
    if (dns === undefined || assignment === undefined) return;
    const { clock, prng, createResolver } = this.#deps;
    const discovery = new DnsDiscovery(
      {
        config: dns,
        assignment,
        isLogical: type === "LOGICAL_DNS",
        load: cluster.load,
        onAssignment: (resolved) => cluster.assign(resolved),
        onLookup: () => this.#activateWarm(cluster),
      },
      { clock, prng, resolver: createResolver(dns) },
    );
    this.#discoveries.set(cluster, discovery);
    if (!dns.waitsForWarm) this.#activate(cluster);
    discovery.start();
  }

  /** The last EDS answer of a name that is in use. */
  assignmentOf(edsName: string): Assignment | undefined {
    return this.#assignments.get(edsName);
  }

  /** An EDS answer for that name could not be taken. */
  refuse(edsName: string): void {
    for (const { load } of this.#usersOf(edsName)) {
      load.updateAttempts++;
      load.updatesRejected++;
    }
  }

  /**
   * EDS says that it has nothing under that name. What it had before stays in use, as in Envoy;
   * whoever waits for it waits no longer.
   */
  onUnassigned(edsName: string): void {
    for (const cluster of this.#usersOf(edsName)) {
      cluster.load.updateAttempts++;
      cluster.load.updateSuccesses++;
      cluster.load.updatesEmpty++;
      this.#activateWarm(cluster);
    }
  }

  /** Takes an EDS answer. One for a name that no cluster has was not asked for, and is dropped. */
  assign(assignment: Assignment): void {
    const { name, staleAfterMs } = assignment;
    if (!this.#edsUsers.has(name)) return;
    this.#assignments.set(name, assignment);
    this.#staleTimers.get(name)?.cancel();
    this.#staleTimers.delete(name);
    const users = this.#usersOf(name);
    for (const cluster of users) {
      cluster.load.updateAttempts++;
      cluster.load.updateSuccesses++;
      if (staleAfterMs > 0) cluster.load.assignmentTimeouts++;
      this.#assign(cluster, assignment);
    }
    if (staleAfterMs === 0) return;
    const timer = this.#deps.clock.setTimer(staleAfterMs, () => this.#onStale(assignment));
    this.#staleTimers.set(name, timer);
  }

  #usersOf(edsName: string): Iterable<Cluster> {
    return this.#edsUsers.get(edsName) ?? [];
  }

  #addEdsUser(cluster: Cluster): void {
    const { type, edsName } = cluster.config;
    if (type !== "EDS") return;
    const users = this.#edsUsers.get(edsName) ?? new Set();
    if (users.size === 0) this.#edsNames = undefined;
    this.#edsUsers.set(edsName, users.add(cluster));
    cluster.load.updateAttempts++;
  }

  /** With its last user a name is forgotten. */
  #removeEdsUser(cluster: Cluster): void {
    const { edsName } = cluster.config;
    const users = this.#edsUsers.get(edsName);
    if (users?.delete(cluster) !== true || users.size > 0) return;
    this.#edsUsers.delete(edsName);
    this.#edsNames = undefined;
    this.#assignments.delete(edsName);
    this.#staleTimers.get(edsName)?.cancel();
    this.#staleTimers.delete(edsName);
  }

  /** Nobody renewed it: where the endpoints are now is not known. */
  #onStale(assignment: Assignment): void {
    this.#staleTimers.delete(assignment.name);
    const none = { ...assignment, endpoints: [] };
    this.#assignments.set(assignment.name, none);
    for (const cluster of this.#usersOf(assignment.name)) {
      cluster.load.assignmentsStale++;
      this.#assign(cluster, none);
    }
  }

  #assign(cluster: Cluster, assignment: Assignment): void {
    cluster.assign(assignment);
    this.#activateWarm(cluster);
  }

  #activateWarm(cluster: Cluster): void {
    if (this.#warming.get(cluster.config.name) === cluster) this.#activate(cluster);
  }

  /** Secrets came: clusters that wait for nothing else serve. */
  activateReady(): void {
    for (const cluster of this.#withoutSecrets) this.#activateWarm(cluster);
  }

  #activate(cluster: Cluster): void {
    const { name, type } = cluster.config;
    if (!cluster.hasSecrets) {
      this.#withoutSecrets.add(cluster);
      return;
    }
    this.#withoutSecrets.delete(cluster);
    if (!this.#isChecked(cluster)) return;
    const old = this.#active.get(name);
    this.#warming.delete(name);
    this.#active.set(name, cluster);
    if (name === this.#ownZone?.clusterName) this.#onOwnChange();
    if (type === "EDS") this.#closeDiscovery(cluster);
    if (old !== undefined) this.#retire(old);
    this.#onClusters();
    this.#onChange();
    this.#tellWarm();
  }

  /** Whether its hosts have been checked once, where they are checked; begins that. */
  #isChecked(cluster: Cluster): boolean {
    const { healthCheck } = cluster.config;
    if (healthCheck === undefined) return true;
    let checker = this.#checkers.get(cluster);
    if (checker === undefined) {
      checker = new HealthChecker(cluster, healthCheck, this.#deps.health);
      this.#checkers.set(cluster, checker);
      checker.start(() => this.#activateWarm(cluster));
      // Without hosts it has served from that call on.
      return false;
    }
    return checker.isWarm;
  }

  remove(name: string): void {
    this.#dropWarming(name);
    const cluster = this.#active.get(name);
    if (cluster === undefined) return;
    this.#active.delete(name);
    this.#retire(cluster);
    this.#onClusters();
  }

  #dropWarming(name: string): void {
    const cluster = this.#warming.get(name);
    if (cluster === undefined) return;
    this.#warming.delete(name);
    this.#retire(cluster);
  }

  #retire(cluster: Cluster): void {
    this.#withoutSecrets.delete(cluster);
    this.#removeEdsUser(cluster);
    this.#closeDiscovery(cluster);
    this.#checkers.delete(cluster);
    cluster.retire();
  }

  #closeDiscovery(cluster: Cluster): void {
    this.#discoveries.get(cluster)?.close();
    this.#discoveries.delete(cluster);
  }

  close(): void {
    for (const name of [...this.#active.keys(), ...this.#warming.keys()]) this.remove(name);
  }
}
