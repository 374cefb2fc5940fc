import type { ClientNode } from "../ads/snapshot-source.ts";
import type { Clock, Timer } from "../base/clock.ts";
import {
  automaticScopeOf,
  type CallingWorkload,
  callingWorkload,
} from "../model/automatic-scope.ts";
import { type CalledHosts, parseCalledHost } from "../model/called-hosts.ts";
import { cutToCalls } from "../model/called-view.ts";
import type { Mesh } from "../model/mesh.ts";
import type { ProxyNode } from "../model/proxy.ts";
import { buildProxyView, type ProxyView } from "../model/proxy-view.ts";
import type { Logger } from "../telemetry/log.ts";
import type { MetricRegistry } from "../telemetry/metrics.ts";
import type { ResourceKind } from "../xds/snapshot.ts";
import { CalledHostsKeeper } from "./called-hosts-keeper.ts";
import { CalledHostsStore, type WorkloadCalls } from "./called-hosts-store.ts";
import { onDemandObstacle } from "./on-demand-obstacle.ts";

/** How often hosts are looked for that nobody asked for in a long time. */
const EXPIRY_MS = 10 * 60_000;

/** A workload that asks for more hosts is no client of a few services: it gets all that it may see. */
const HOSTS_OF_FEW_MAX = 400;

/** How long its proxies have to take the answers to their last questions before. */
const WIDEN_MS = 2000;

/** What scopes need. */
export interface ProxyScopesOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricRegistry;
  /** Where what was seen outlives the process; absent: nowhere. */
  readonly file: string | undefined;
  readonly mesh: () => Mesh;
  /** These clients are to have another configuration. */
  readonly refresh: (clientIds: readonly string[]) => void;
}

/** The scope of one proxy that is connected. */
export interface ProxyScope {
  readonly clientId: string;
  readonly node: ProxyNode;
  readonly workload: CallingWorkload;
  /** Whether what it has follows from what its workload calls. */
  readonly isAutomatic: boolean;
  /** Why not, although it is asked for. */
  readonly obstacle: string | undefined;
  /** Hosts that its workload asked for and that are no service's. */
  readonly unknown: ReadonlySet<string>;
  /** The others, with the host of a service or of a rule that each of them means. */
  readonly known: ReadonlyMap<string, string>;
  /** Clusters of services that it might see and does not have. */
  readonly omitted: number;
}

interface Client extends ProxyScope {
  isAutomatic: boolean;
  obstacle: string | undefined;
  unknown: ReadonlySet<string>;
  known: ReadonlyMap<string, string>;
  omitted: number;
  /** Why its proxy cannot ask on demand. */
  readonly inability: string | undefined;
  /**
   * All that it was given since it connected. Envoy does not ask again for what it asked for and
   * lost: so nothing is taken away from who is there, whatever is forgotten.
   */
  given: CalledHosts;
  /** The routes that it asks for hosts of. */
  demanded: ReadonlySet<string>;
}

const NONE: ReadonlySet<string> = new Set();
const NOTHING: ReadonlyMap<string, string> = new Map();

/**
 * Who sees what in automatic scope: notes what proxies ask for on demand, and cuts what each of them
 * is to have to what its workload asked for so far. The owner calls `start` once and `stop` once.
 */
export class ProxyScopes {
  readonly #options: ProxyScopesOptions;
  readonly #store = new CalledHostsStore();
  readonly #keeper: CalledHostsKeeper;
  readonly #clients = new Map<string, Client>();
  /** `namespace/name` of workloads that asked for more hosts than are kept. */
  readonly #wide = new Set<string>();
  /** Those that are about to. */
  readonly #widening = new Set<string>();
  readonly #timers = new Set<Timer>();
  #isStopped = false;

  constructor(options: ProxyScopesOptions) {
    this.#options = options;
    const { file: path, log } = options;
    this.#keeper = new CalledHostsKeeper({ store: this.#store, path, log });
  }

  /** Everything that is known of workloads that called something. */
  get workloads(): readonly WorkloadCalls[] {
    return this.#store.workloads;
  }

  /** Those of the proxies that are connected. */
  get proxies(): readonly ProxyScope[] {
    return [...this.#clients.values()];
  }

  async start(): Promise<void> {
    await this.#keeper.load();
    this.#count();
    this.#setTimer(EXPIRY_MS, () => this.#expire());
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    await this.#keeper.save();
  }

  /** A proxy comes, before anything is built for it. */
  connect(clientId: string, client: ClientNode, node: ProxyNode): void {
    this.#clients.set(clientId, {
      clientId,
      node,
      workload: callingWorkload(this.#options.mesh(), node),
      inability: onDemandObstacle(client, node),
      isAutomatic: false,
      obstacle: undefined,
      unknown: NONE,
      known: NOTHING,
      omitted: 0,
      given: NONE,
      demanded: NONE,
    });
  }

  disconnect(clientId: string): void {
    const client = this.#clients.get(clientId);
    if (client === undefined) return;
    this.#clients.delete(clientId);
    // Who comes back with all its pods gone may have mended its ways.
    const key = keyOf(client.workload);
    const isLast = ![...this.#clients.values()].some(({ workload }) => keyOf(workload) === key);
    if (isLast) this.#wide.delete(key);
  }

  /** What a proxy is to see. */
  viewOf(clientId: string, node: ProxyNode): ProxyView {
    const mesh = this.#options.mesh();
    const whole = buildProxyView(mesh, node);
    const client = this.#clients.get(clientId);
    if (client === undefined) return whole;
    const { isAsked, obstacle } = automaticScopeOf(mesh, node);
    this.#setObstacle(client, isAsked, isAsked ? this.#obstacleOf(client, obstacle) : undefined);
    if (!client.isAutomatic) return whole;
    const { hosts } = this.#store.callsOf(client.workload);
    client.given = union(hosts, union(new Set(node.calledHosts), client.given));
    if (client.given.size > HOSTS_OF_FEW_MAX) this.#widen(client);
    const { view, ...facts } = cutToCalls(whole, client.given);
    Object.assign(client, facts);
    return view;
  }

  /** See `SnapshotSource.want`. */
  want(clientId: string, kind: ResourceKind, names: readonly string[]): boolean {
    const client = this.#clients.get(clientId);
    if (kind !== "virtualHost" || client?.isAutomatic !== true) return false;
    const accepted = names.filter((name) => this.#note(client, name));
    if (accepted.length === 0) return false;
    this.#count();
    void this.#publish(client.workload);
    return true;
  }

  /** Whether there will be an answer to a question. */
  #note({ clientId, workload, demanded }: Client, name: string): boolean {
    const routes = parseCalledHost(name)?.routes;
    if (routes === undefined || !demanded.has(routes)) return false;
    const { clock, metrics, log } = this.#options;
    const noted = this.#store.note(workload, name, clock.nowMs());
    metrics.add("weft_scope_asked", { noted });
    if (noted === "new") {
      log.info("a workload calls a host for the first time", {
        workload: keyOf(workload),
        host: name,
        client: clientId,
      });
    }
    return noted !== "too many";
  }

  /** What a proxy is given is on disk before. */
  async #publish(workload: CallingWorkload): Promise<void> {
    await this.#keeper.save();
    if (!this.#isStopped) this.#refresh(workload);
  }

  #refresh(workload: CallingWorkload): void {
    const key = keyOf(workload);
    const replicas = [...this.#clients.values()].filter((one) => keyOf(one.workload) === key);
    this.#options.refresh(replicas.map(({ clientId }) => clientId));
  }

  #obstacleOf({ inability, workload }: Client, obstacle: string | undefined): string | undefined {
    if (obstacle !== undefined) return obstacle;
    if (inability !== undefined) return inability;
    return this.#wide.has(keyOf(workload))
      ? "its workload asked for more hosts than automatic scope keeps"
      : undefined;
  }

  #setObstacle(client: Client, isAsked: boolean, obstacle: string | undefined): void {
    const isNews = obstacle !== undefined && client.obstacle !== obstacle;
    client.obstacle = obstacle;
    client.isAutomatic = isAsked && obstacle === undefined;
    if (client.isAutomatic) return;
    Object.assign(client, { unknown: NONE, known: NOTHING, demanded: NONE, omitted: 0 });
    if (!isNews) return;
    const { log } = this.#options;
    log.info("automatic scope is asked for and not done: the proxy gets all that it may see", {
      client: client.clientId,
      reason: obstacle,
    });
  }

  /** A workload that calls everything gets everything; not before it has the answers that are due. */
  #widen({ workload }: Client): void {
    const key = keyOf(workload);
    if (this.#widening.has(key)) return;
    this.#widening.add(key);
    this.#options.metrics.add("weft_scope_widened");
    this.#options.log.warn("a workload asks for too many hosts: it gets all that it may see", {
      workload: key,
    });
    this.#setTimer(WIDEN_MS, () => {
      this.#widening.delete(key);
      this.#wide.add(key);
      this.#refresh(workload);
    });
  }

  #expire(): void {
    const { clock, metrics } = this.#options;
    const forgotten = this.#store.expire(clock.nowMs());
    if (forgotten > 0) {
      metrics.add("weft_scope_forgotten", {}, forgotten);
      void this.#keeper.save();
    }
    this.#count();
    this.#setTimer(EXPIRY_MS, () => this.#expire());
  }

  #count(): void {
    const { metrics } = this.#options;
    const workloads = this.#store.workloads;
    metrics.set("weft_scope_workloads", workloads.length);
    metrics.set(
      "weft_scope_hosts",
      workloads.reduce((sum, { hosts }) => sum + hosts.size, 0),
    );
  }

  #setTimer(delayMs: number, work: () => void): void {
    const timer = this.#options.clock.setTimer(delayMs, () => {
      this.#timers.delete(timer);
      if (!this.#isStopped) work();
    });
    this.#timers.add(timer);
  }
}

/** The first when it holds all of the second, so that replicas have the same. */
function union(first: CalledHosts, second: CalledHosts): CalledHosts {
  if (first === second || second.size === 0) return first;
  for (const name of second) if (!first.has(name)) return new Set([...first, ...second]);
  return first;
}

function keyOf({ namespace, name }: CallingWorkload): string {
  return `${namespace}/${name}`;
}
