import type { Server } from "node:net";
import { networkInterfaces } from "node:os";
import type { Clock } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Rejection, ResourceUpdate } from "../xdsclient/resource-type.ts";
import { AccessLogs } from "./access-log/access-logs.ts";
import { LogFiles, type StreamWriter } from "./access-log/log-file.ts";
import { AdminServer } from "./admin/admin-server.ts";
import type { ProxyBootstrap } from "./bootstrap.ts";
import { ClusterSet } from "./cluster/cluster-set.ts";
import { createNameResolver } from "./cluster/name-resolver.ts";
import type { ProxyContext } from "./context.ts";
import { CounterGroups } from "./counters.ts";
import { Discovery } from "./discovery.ts";
import { DnsCaches } from "./dns-cache/dns-caches.ts";
import { FaultLog } from "./fault-log.ts";
import { DateHeader } from "./http/date-header.ts";
import { RequestIds } from "./http/request-ids.ts";
import { LayeredRuntime } from "./layered-runtime.ts";
import { type DrainStrategy, ServerDrain } from "./listener/drain.ts";
import { ListenerSet } from "./listener/listener-set.ts";
import { LogLevels } from "./log-levels.ts";
import { Deadlines } from "./net/deadlines.ts";
import { DirectWriter } from "./net/direct-write.ts";
import { FlushQueue } from "./net/flush-queue.ts";
import { createReadBuffer, type ReadBuffer } from "./net/socket.ts";
import { TurnClock } from "./net/turn-clock.ts";
import { OverloadManager } from "./overload/overload-manager.ts";
import { timeoutsOf } from "./overload/timeouts.ts";
import {
  type AdminCommand,
  ALONE,
  type PeerNumbers,
  type ProxyPeers,
} from "./process/process-info.ts";
import { SharedBuckets } from "./rate-limit/shared-buckets.ts";
import { RouteSet } from "./route-set.ts";
import { SecretStore } from "./secret/secret-store.ts";
import { SecretStreams } from "./secret/secret-streams.ts";
import type { Stat } from "./stats/collect.ts";
import { Taps } from "./tap/taps.ts";
import { ContextCache } from "./tls/secure-context.ts";
import { TracerSet } from "./tracing/tracer-set.ts";

/** Envoy's `--drain-time-s`, when nobody says otherwise. */
const DRAIN_MS = 600_000;

/** What a proxy needs from outside. */
export interface ProxyDeps {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Logger;
  /** What `log` asks for its level, so that the admin port can change it. */
  readonly logLevels?: LogLevels;
  /** Access logs to `/dev/stdout` and `/dev/stderr`. */
  readonly writeStream: StreamWriter;
  /** How long connections of a listener that was replaced or removed get; Envoy's when absent. */
  readonly drainMs?: number;
  /** How they end meanwhile; gradually when absent. */
  readonly drainStrategy?: DrainStrategy;
  /** Other processes of the same proxy; absent where it stands alone. */
  readonly peers?: ProxyPeers;
  /** Somebody asked the admin port to end the process. */
  readonly onQuit: () => void;
}

/** What both sides of a proxy share. */
type Basics = Pick<ProxyContext, "tlsContexts" | "deadlines" | "flushQueue">;

/** Envoy's names of how far a proxy has come. */
export type ProxyState = "LIVE" | "DRAINING" | "PRE_INITIALIZING" | "INITIALIZING";

/**
 * A proxy: an Envoy bootstrap in, listeners out. Many may live in one process.
 *
 * A connection goes listener → filter chain → network filter; a request then connection manager →
 * virtual host → route → router → cluster → host → pool. Configuration comes from the bootstrap
 * and over ADS, is decoded whole before anything is changed, and is immutable from then on: what
 * began under one version ends under it.
 */
export class Proxy {
  readonly #bootstrap: ProxyBootstrap;
  readonly #deps: ProxyDeps;
  readonly #clusters: ClusterSet;
  readonly #counters = new CounterGroups();
  readonly #routes: RouteSet;
  readonly #listeners: ListenerSet;
  readonly #logFiles: LogFiles;
  readonly #taps = new Taps();
  readonly #accessLogs: AccessLogs;
  readonly #admin: AdminServer;
  readonly #readBuffer: ReadBuffer;
  readonly #faults: FaultLog;
  readonly #stopping = new AbortController();
  readonly #secrets: SecretStore;
  readonly #secretStreams: SecretStreams;
  readonly #overload: OverloadManager | undefined;
  readonly #dnsCaches: DnsCaches;
  readonly #tracers = new TracerSet();
  readonly #runtime: LayeredRuntime;
  readonly #drain: ServerDrain;
  readonly #discovery: Discovery;
  #adsDone: Promise<void> = Promise.resolve();
  #isStarted = false;
  /** Whether static listeners wait for static clusters. */
  #isWaiting = false;
  #connectionIds = 0;

  constructor(bootstrap: ProxyBootstrap, deps: ProxyDeps) {
    const { clock, prng, log } = deps;
    this.#bootstrap = bootstrap;
    this.#runtime = new LayeredRuntime(bootstrap.runtimeLayers);
    this.#deps = deps;
    this.#faults = new FaultLog(clock, log, this.#counters);
    const { note: onFault } = this.#faults;
    const processes = deps.peers?.info.concurrency ?? 1;
    this.#readBuffer = createReadBuffer(onFault);
    this.#logFiles = new LogFiles(clock, log.scope("file"), deps.writeStream);
    this.#secrets = new SecretStore({
      clock,
      log,
      statics: bootstrap.secrets,
      onNames: () => this.#askForSecrets(),
      onProgress: () => this.#onSecrets(),
    });
    this.#routes = new RouteSet({
      counters: this.#counters,
      clock,
      onHostNames: () => this.#discovery.askForHosts(),
      onReady: () => this.#activateListeners(),
    });
    const { node, clusters } = bootstrap;
    this.#secretStreams = new SecretStreams({ clock, prng, log, node, clusters });
    this.#dnsCaches = new DnsCaches({
      clock,
      prng,
      counters: this.#counters,
      createResolver: createNameResolver,
    });
    const tlsContexts = new ContextCache();
    const deadlines = new Deadlines(clock, onFault);
    const flushQueue = new FlushQueue(DirectWriter.create(), onFault);
    this.#clusters = this.#createClusters({ tlsContexts, deadlines, flushQueue });
    const { overload } = bootstrap;
    this.#overload =
      overload &&
      new OverloadManager(overload, {
        clock,
        prng,
        log,
        counters: this.#counters,
        onFault,
        processes,
      });
    const context = this.#createContext({ tlsContexts, deadlines, flushQueue });
    const { drainMs = DRAIN_MS, drainStrategy: strategy = "gradual" } = deps;
    this.#drain = new ServerDrain({ clock, prng, durationMs: drainMs, strategy });
    this.#accessLogs = new AccessLogs(this.#logFiles, context, node);
    this.#listeners = this.#createListeners(context, drainMs);
    this.#discovery = new Discovery({
      bootstrap,
      clock,
      prng,
      log,
      peers: deps.peers,
      clusters: this.#clusters,
      secrets: this.#secrets,
      routes: this.#routes,
      listeners: this.#listeners,
    });
    this.#admin = this.#createAdmin(drainMs, strategy);
  }

  #createContext({ tlsContexts, deadlines, flushQueue }: Basics): ProxyContext {
    const { clock, prng, log, peers } = this.#deps;
    const { node } = this.#bootstrap;
    const requestIds = new RequestIds();
    return {
      clock: new TurnClock(clock, flushQueue),
      prng,
      runtime: this.#runtime,
      log,
      processes: peers?.info.concurrency ?? 1,
      faults: this.#faults,
      readBuffer: this.#readBuffer,
      flushQueue,
      deadlines,
      timeouts: timeoutsOf(this.#overload, deadlines),
      overload: this.#overload,
      date: new DateHeader(clock),
      counters: this.#counters,
      dnsCaches: this.#dnsCaches,
      secrets: this.#secrets,
      tlsContexts,
      findCluster: (name) => this.#clusters.find(name),
      ...describeNode(node),
      isHealthCheckFailed: () => this.#drain.isHealthCheckFailed,
      tracers: this.#tracers,
      sharedBuckets: new SharedBuckets(),
      taps: this.#taps,
      nextConnectionId: () => ++this.#connectionIds,
      createRequestId: () => requestIds.next(),
    };
  }

  #createListeners(context: ProxyContext, drainMs: number): ListenerSet {
    return new ListenerSet(
      {
        context,
        logs: this.#accessLogs,
        routeSource: (name, statPrefix) => this.#routes.source(name, statPrefix),
        drainMs,
        drain: this.#drain,
        onDrained: () => this.#discovery.askForNames(),
      },
      this.#deps.peers?.sockets,
    );
  }

  #createAdmin(drainMs: number, drainStrategy: DrainStrategy): AdminServer {
    const { clock, logLevels = new LogLevels("info"), onQuit, peers } = this.#deps;
    return new AdminServer({
      clock,
      bootstrap: this.#bootstrap,
      state: () => this.state,
      clusters: this.#clusters,
      listeners: this.#listeners,
      routes: this.#routes,
      counters: this.#counters,
      secrets: this.#secrets,
      adsStatus: () => this.#discovery.status(),
      isConnected: () => this.#discovery.isConnected,
      logFiles: this.#logFiles,
      logLevels,
      runtime: this.#runtime,
      taps: this.#taps,
      drain: this.#drain,
      drainMs,
      drainStrategy,
      processes: peers?.info ?? ALONE,
      peers: peers?.numbers ?? NOBODY,
      refreshPeers: peers?.refresh ?? NOTHING,
      tellPeers: peers?.tell ?? NOTHING,
      onQuit,
    });
  }

  #createClusters({ tlsContexts, deadlines, flushQueue }: Basics): ClusterSet {
    const { clock, prng, log } = this.#deps;
    const { clusterManager, node } = this.#bootstrap;
    const runtime = this.#runtime;
    const { localClusterName: clusterName, ejectionLog } = clusterManager;
    const counters = this.#counters;
    const readBuffer = this.#readBuffer;
    const openLog = (path: string): ((line: string) => void) => this.#logFiles.writer(path);
    return new ClusterSet({
      clock,
      prng,
      runtime,
      log: log.scope("upstream"),
      writeEjection: ejectionLog === undefined ? undefined : this.#logFiles.writer(ejectionLog),
      own: clusterName === "" ? undefined : { clusterName, locality: node.locality },
      tls: { tlsContexts, secrets: this.#secrets, counters, clock },
      health: { clock, prng, runtime, counters, readBuffer, openLog, flushQueue, deadlines },
      processes: this.#deps.peers?.info.concurrency ?? 1,
      dnsCaches: this.#dnsCaches,
      createResolver: createNameResolver,
    });
  }

  /** LIVE once everything that was to be there at first is there. */
  get state(): ProxyState {
    if (this.#stopping.signal.aborted) return "DRAINING";
    if (!this.#isStarted) return "PRE_INITIALIZING";
    if (this.#discovery.isInitialized) {
      if (this.#listeners.isWarming) return "INITIALIZING";
      return this.#drain.isHealthCheckFailed ? "DRAINING" : "LIVE";
    }
    return "PRE_INITIALIZING";
  }

  /** Where the admin port is; absent without one. Port 0 in the bootstrap takes a free one. */
  get adminAddress(): string | undefined {
    return this.#admin.address;
  }

  /**
   * Binds what is static and begins to ask for the rest. Rejects when an address is taken; where
   * static clusters have names to resolve, listeners are bound when that is done.
   */
  async start(): Promise<void> {
    const { clusters, ads } = this.#bootstrap;
    this.#overload?.start();
    try {
      await this.openAdmin();
      for (const cluster of clusters) {
        if (cluster.name !== ads?.cluster) this.#clusters.put(cluster, false);
      }
      if (ads !== undefined) this.#adsDone = this.#discovery.run(ads, this.#stopping.signal);
      let isWarm = false;
      this.#clusters.whenStaticWarm(() => {
        isWarm = true;
        if (this.#isWaiting) void this.#listenLate();
      });
      this.#isWaiting = !isWarm;
      if (isWarm) await this.#listen();
    } catch (error) {
      await this.stop(0);
      throw error;
    }
  }

  /** Binds the admin port, where there is one. */
  async openAdmin(): Promise<void> {
    const { admin } = this.#bootstrap;
    if (admin !== undefined) await this.#admin.start(admin);
  }

  /** Leaves the admin port to another process. */
  closeAdmin(): Promise<void> {
    return this.#admin.stop();
  }

  /** Takes what a control plane said to the process that this one follows. */
  apply(typeUrl: string, update: ResourceUpdate): Promise<readonly Rejection[]> {
    return this.#discovery.apply(typeUrl, update);
  }

  /** What the process that this one follows shows, and what it was asked for. */
  numbers(endsInterval: boolean): PeerNumbers {
    if (endsInterval) this.#admin.endInterval();
    return this.#admin.numbers();
  }

  obey(command: AdminCommand): Promise<void> {
    return this.#admin.obey(command);
  }

  /** Every counter and gauge. */
  stats(): readonly Stat[] {
    return this.#admin.stats();
  }

  /** An exception has left everything: it is counted, and what it did not touch goes on. */
  noteFault(error: unknown): void {
    this.#faults.note(error);
  }

  /** The addresses that are listened on, and their sockets for another process. */
  get openAddresses(): readonly string[] {
    return this.#listeners.openAddresses;
  }

  shareSocket(address: string): Server | undefined {
    return this.#listeners.share(address);
  }

  /** Another process serves in its place: accepts nothing more, and lets connections end in time. */
  async startDraining(): Promise<void> {
    this.#drain.start("all", () => undefined);
    await this.#listeners.stopAccepting("all");
  }

  /** Whether no connection from a client is left. */
  get isIdle(): boolean {
    return this.#listeners.isEmpty;
  }

  async #listen(): Promise<void> {
    for (const listener of this.#bootstrap.listeners) await this.#listeners.put(listener, false);
    this.#isStarted = true;
  }

  /** What is static listens when all that is static can be reached, as in Envoy. */
  async #listenLate(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    try {
      await this.#listen();
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      this.#deps.log.error("cannot start", { cause });
      this.#deps.onQuit();
    }
  }

  #askForSecrets(): void {
    this.#discovery.askForSecrets();
    if (!this.#stopping.signal.aborted) this.#secretStreams.follow(this.#secrets);
  }

  /** What waited for a secret may be ready. */
  #onSecrets(): void {
    this.#clusters.activateReady();
    this.#activateListeners();
  }

  #activateListeners(): void {
    this.#listeners.activateReady().catch((error: unknown) => {
      const cause = error instanceof Error ? error.message : String(error);
      this.#deps.log.error("listener cannot start", { name: "", cause });
    });
  }

  /** Opens the access logs anew, for whoever moved the files away. */
  reopenLogs(): void {
    this.#logFiles.reopen();
  }

  /** Accepts nothing more, lets requests end for at most `drainMs`, then closes everything. */
  async stop(drainMs: number): Promise<void> {
    this.#stopping.abort();
    this.#overload?.stop();
    this.#drain.stop();
    await this.#listeners.stop(drainMs);
    await this.#adsDone;
    this.#tracers.close();
    // What waits goes out over the connections of clusters.
    await this.#accessLogs.close();
    this.#clusters.close();
    this.#routes.close();
    this.#dnsCaches.close();
    this.#secrets.close();
    await this.#secretStreams.stop();
    await this.#admin.stop();
    await this.#logFiles.close();
  }
}

const NOBODY = (): readonly [] => [];
const NOTHING = (): Promise<void> => Promise.resolve();

/** What of the node and its machine is told to others. */
function describeNode({
  id,
  cluster,
  locality,
}: ProxyBootstrap["node"]): Pick<ProxyContext, "node" | "localAddress"> {
  return { node: { id, cluster, zone: locality?.zone ?? "" }, localAddress: findLocalAddress() };
}

/** The first address that is not loopback; without one, loopback. */
function findLocalAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const found = all.find(({ family, internal }) => family === "IPv4" && !internal);
  return found?.address ?? "127.0.0.1";
}
