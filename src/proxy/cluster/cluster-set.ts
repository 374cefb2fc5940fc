import type { Clock } from "../../base/clock.ts";
import type { Prng } from "../../base/prng.ts";
import { Cluster } from "./cluster.ts";
import type { Assignment, ClusterConfig } from "./cluster-config.ts";
import { type NameResolver, StrictDns } from "./strict-dns.ts";

/** How long an EDS cluster waits for its first endpoints (Envoy's initial fetch timeout). */
const FIRST_ANSWER_MS = 15_000;

/** What clusters need from outside. */
export interface ClusterDeps {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly resolveName: NameResolver;
}

/** The clusters of a proxy: a new one serves when its endpoints are known, an old one until then. */
export class ClusterSet {
  readonly #deps: ClusterDeps;
  readonly #active = new Map<string, Cluster>();
  readonly #warming = new Map<string, Cluster>();
  readonly #resolvers = new Map<Cluster, StrictDns>();
  /** The last assignment of every EDS name in use, for clusters that change under them. */
  readonly #assignments = new Map<string, Assignment>();
  #onChange: () => void = () => undefined;

  constructor(deps: ClusterDeps) {
    this.#deps = deps;
  }

  /** Called when a cluster became active. */
  setOnChange(onChange: () => void): void {
    this.#onChange = onChange;
  }

  find(name: string): Cluster | undefined {
    return this.#active.get(name);
  }

  get active(): readonly Cluster[] {
    return [...this.#active.values()];
  }

  get isWarming(): boolean {
    return this.#warming.size > 0;
  }

  /** The names to ask EDS for. */
  edsNames(): ReadonlySet<string> {
    const all = [...this.#active.values(), ...this.#warming.values()];
    return new Set(all.flatMap(({ config }) => (config.type === "EDS" ? config.edsName : [])));
  }

  /** Takes a cluster, new or changed. One that did not change is left alone. */
  put(config: ClusterConfig, isDynamic: boolean): void {
    const { name } = config;
    const current = this.#warming.get(name) ?? this.#active.get(name);
    if (current !== undefined && Buffer.compare(current.config.body, config.body) === 0) return;
    this.#dropWarming(name);
    const cluster = new Cluster(config, isDynamic, this.#deps.prng);
    if (config.type === "STATIC") {
      if (config.assignment !== undefined) cluster.assign(config.assignment);
      this.#activate(cluster);
    } else if (config.type === "EDS") {
      const assignment = this.#assignments.get(config.edsName);
      this.#warming.set(name, cluster);
      if (assignment !== undefined) this.#assign(cluster, assignment);
      else this.#deps.clock.setTimer(FIRST_ANSWER_MS, () => this.#giveUpWaiting(cluster));
    } else {
      this.#warming.set(name, cluster);
      this.#resolvers.set(
        cluster,
        new StrictDns(config, this.#deps, (assignment) => this.#assign(cluster, assignment)),
      );
    }
  }

  /** Takes an EDS answer. */
  assign(assignment: Assignment): void {
    this.#assignments.set(assignment.name, assignment);
    for (const cluster of [...this.#active.values(), ...this.#warming.values()]) {
      const { type, edsName } = cluster.config;
      if (type === "EDS" && edsName === assignment.name) this.#assign(cluster, assignment);
    }
  }

  #assign(cluster: Cluster, assignment: Assignment): void {
    cluster.assign(assignment);
    if (this.#warming.get(cluster.config.name) === cluster) this.#activate(cluster);
  }

  /** Nobody answers for it: it serves without hosts rather than hold everything up. */
  #giveUpWaiting(cluster: Cluster): void {
    if (this.#warming.get(cluster.config.name) === cluster) this.#activate(cluster);
  }

  #activate(cluster: Cluster): void {
    const { name } = cluster.config;
    const old = this.#active.get(name);
    this.#warming.delete(name);
    this.#active.set(name, cluster);
    if (old !== undefined) this.#retire(old);
    this.#onChange();
  }

  remove(name: string): void {
    this.#dropWarming(name);
    const cluster = this.#active.get(name);
    if (cluster === undefined) return;
    this.#active.delete(name);
    this.#retire(cluster);
    const inUse = this.edsNames();
    for (const edsName of this.#assignments.keys()) {
      if (!inUse.has(edsName)) this.#assignments.delete(edsName);
    }
  }

  #dropWarming(name: string): void {
    const cluster = this.#warming.get(name);
    if (cluster === undefined) return;
    this.#warming.delete(name);
    this.#retire(cluster);
  }

  #retire(cluster: Cluster): void {
    this.#resolvers.get(cluster)?.close();
    this.#resolvers.delete(cluster);
    cluster.retire();
  }

  close(): void {
    for (const name of [...this.#active.keys(), ...this.#warming.keys()]) this.remove(name);
  }
}
