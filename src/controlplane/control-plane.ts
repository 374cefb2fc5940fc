import { AdsServer } from "../ads/server.ts";
import { isSameList } from "../base/cells.ts";
import type { Clock } from "../base/clock.ts";
import { isError } from "../base/issue.ts";
import type { Keepalive } from "../base/keepalive.ts";
import type { Prng } from "../base/prng.ts";
import type { EndpointSlice } from "../config/endpoint-slice.ts";
import type { Endpoints } from "../config/endpoints.ts";
import { formatKey, type ObjectKey } from "../config/object.ts";
import { buildMesh, type Mesh } from "../model/mesh.ts";
import { meshIssues } from "../model/mesh-issues.ts";
import type { ObjectIssue } from "../model/origin.ts";
import type { ProxyNode } from "../model/proxy.ts";
import { viewsOf } from "../model/proxy-view.ts";
import type { ConfigBatch, ConfigSource, RefusedInput } from "../source/source.ts";
import { ConfigStore } from "../store/config-store.ts";
import type { ConfigView } from "../store/store.ts";
import type { Logger } from "../telemetry/log.ts";
import { MetricRegistry } from "../telemetry/metrics.ts";
import { buildSnapshot } from "../xds/build-snapshot.ts";
import { buildAhead } from "./build-ahead.ts";
import { ChangeMetrics } from "./change-metrics.ts";
import { collectGauges } from "./control-plane-gauges.ts";
import type { ControlPlaneStatus } from "./control-plane-status.ts";
import { Debouncer } from "./debouncer.ts";
import { DebugDiscovery } from "./debug-discovery.ts";
import { type DebugTarget, debugPages } from "./debug-pages.ts";
import { DebugServers } from "./debug-servers.ts";
import type { DistributionClient } from "./distribution-view.ts";
import { type Finding, Findings, type FindingsChange } from "./findings.ts";
import { ListenError } from "./listen-error.ts";
import { PageRenderer } from "./page-renderer.ts";
import { type BuiltSnapshot, type ConnectedProxy, ProxyPool } from "./proxy-pool.ts";
import { ProxyScopes } from "./proxy-scope.ts";
import { scopePage } from "./scope-page.ts";
import { SourceFeed } from "./source-feed.ts";
import { StatusBoard } from "./status-board.ts";
import { proxyStatusOf } from "./sync-status.ts";

/** How often somebody who waits for proxies looks again. */
const DISTRIBUTION_POLL_MS = 10;

/** What a control plane needs. Addresses are `host:port`; port 0 takes any that is free. */
export interface ControlPlaneOptions {
  readonly source: ConfigSource;
  /** Discovery, plain text. */
  readonly grpcAddr: string;
  /** Readiness, metrics and debug pages. */
  readonly httpAddr: string;
  /** Another address for the same; istiod has two. */
  readonly monitoringAddr?: string;
  /** Whether to go on without `httpAddr` when another program has it. */
  readonly isHttpOptional?: boolean;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Logger;
  /** Told when something wrong with the configuration appears or is mended; first before `start` resolves. */
  readonly onFindings?: (change: FindingsChange) => void;
  readonly clientsMax?: number;
  /** Whether to build what sidecars have in common before they are served; see `buildAhead`. */
  readonly buildsAhead?: boolean;
  /** Where it is kept what workloads in automatic scope were seen to call; absent: in memory alone. */
  readonly calledHostsFile?: string;
  /** How a proxy that is gone without a word is noticed; absent: as istiod does it. */
  readonly keepalive?: Keepalive;
  /** Where its metrics stand beside those of others, such as the source; absent: alone. */
  readonly metrics?: MetricRegistry;
}

/**
 * Source → store → mesh → what each proxy sees → Envoy's resources → discovery. Composition only:
 * what is recomputed when can be read here. Any number may run in one process.
 */
export class ControlPlane {
  readonly metrics: MetricRegistry;
  readonly #options: ControlPlaneOptions;
  readonly #store = new ConfigStore();
  readonly #feed: SourceFeed;
  readonly #debouncer: Debouncer;
  readonly #pool: ProxyPool;
  readonly #scopes: ProxyScopes;
  readonly #ads: AdsServer;
  readonly #debug: DebugServers;
  readonly #findings = new Findings();
  readonly #board: StatusBoard;
  readonly #changes: ChangeMetrics;
  #mesh: Mesh = buildMesh(this.#store.view);
  #refused: readonly RefusedInput[] = [];
  /** What the findings were made of. */
  #checked: readonly unknown[] | undefined;
  #isReady = false;

  constructor(options: ControlPlaneOptions) {
    this.#options = options;
    const { source, clock, prng, log, metrics = new MetricRegistry() } = options;
    this.metrics = metrics;
    this.#changes = new ChangeMetrics(metrics);
    this.#feed = new SourceFeed({
      source,
      clock,
      prng,
      log: log.scope("source"),
      onBatch: (batch) => this.#apply(batch),
    });
    const push = (waitedMs: number): void => this.#push(waitedMs);
    this.#debouncer = new Debouncer(clock, push, () => this.#pool.isBehind);
    this.#scopes = new ProxyScopes({
      clock,
      log: log.scope("scope"),
      metrics,
      file: options.calledHostsFile,
      mesh: () => this.#mesh,
      refresh: (clientIds) => this.#pool.refreshSome(clientIds),
    });
    this.#pool = new ProxyPool({
      clock,
      log: log.scope("push"),
      metrics,
      build: (node, clientId) => this.#build(node, clientId),
      onConnect: (clientId, client, node) => this.#scopes.connect(clientId, client, node),
      onDisconnect: (clientId) => {
        this.#scopes.disconnect(clientId);
        const proxy = this.#pool.proxies.get(clientId);
        if (proxy !== undefined) viewsOf(this.#mesh).forget(proxy.node);
      },
      want: (clientId, kind, names) => this.#scopes.want(clientId, kind, names),
      push: (clientId, snapshot) => this.#ads.push(clientId, snapshot),
      onBuilt: () => this.#updateFindings(),
    });
    this.#board = new StatusBoard({
      source,
      clock,
      log: log.scope("status"),
      metrics,
      clients: () => this.#distributionClients(),
      view: () => this.#store.view,
    });
    const target = this.#debugTarget();
    const pages = debugPages(target);
    const renderer = new PageRenderer(clock);
    collectGauges(metrics, clock, target, () => ({
      pushesPending: this.#pool.pending,
      isChangePending: this.#debouncer.isWaiting,
      pagesPending: renderer.pending,
    }));
    this.#debug = new DebugServers({ pages, renderer, clock, log: log.scope("debug") });
    this.#ads = new AdsServer({
      addr: options.grpcAddr,
      source: this.#pool,
      debug: new DebugDiscovery(target, pages, renderer),
      clock,
      prng,
      log: log.scope("ads"),
      metrics,
      controlPlane: "weft",
      ...(options.clientsMax !== undefined && { clientsMax: options.clientsMax }),
      ...(options.keepalive !== undefined && { keepalive: options.keepalive }),
    });
  }

  /** The ports that are bound; 0 for those that are not. */
  get ports(): { readonly grpc: number; readonly http: number; readonly monitoring: number } {
    return {
      grpc: this.#ads.port,
      http: this.#debug.portOf("http"),
      monitoring: this.#debug.portOf("monitoring"),
    };
  }

  /**
   * Resolves when configuration has been read and proxies are served. Rejects with a `ListenError`
   * when an address is taken, and when the source fails; nothing is left open then.
   */
  async start(): Promise<void> {
    try {
      const { grpcAddr, httpAddr, monitoringAddr, isHttpOptional = false } = this.#options;
      const { clock, log } = this.#options;
      await this.#debug.start([
        { listener: "http", addr: httpAddr, isOptional: isHttpOptional },
        ...(monitoringAddr === undefined
          ? []
          : [{ listener: "monitoring", addr: monitoringAddr } as const]),
      ]);
      await this.#scopes.start();
      await this.#feed.start();
      // The first configuration is served whole: nobody waits for the debouncer.
      this.#debouncer.stop();
      this.#changes.notePush();
      this.#rebuild();
      this.#updateFindings();
      if (this.#options.buildsAhead === true) {
        this.#guard("nothing could be built ahead", () => buildAhead(this.#mesh, clock));
      }
      await this.#ads.start().catch((error: unknown) => {
        throw new ListenError("grpc", grpcAddr, error);
      });
      this.#isReady = true;
      log.info("control plane is ready", { grpc: this.ports.grpc, http: this.ports.http });
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Ends streams, servers and the source; resolves when all are closed. */
  async stop(): Promise<void> {
    this.#isReady = false;
    this.#debouncer.stop();
    this.#pool.stop();
    await Promise.all([
      this.#feed.stop(),
      this.#ads.stop(),
      this.#debug.stop(),
      this.#board.stop(),
    ]);
    await this.#scopes.stop();
  }

  /** Who has what, and what is wrong. */
  status(): ControlPlaneStatus {
    const connected = this.#ads.clients().flatMap((client) => {
      const proxy = this.#pool.proxies.get(client.clientId);
      return proxy === undefined ? [] : [{ client, proxy }];
    });
    const board = this.#board;
    return {
      proxies: connected.map(({ client, proxy }) => proxyStatusOf(client, proxy)),
      // Counted for those who read it.
      get objects() {
        return board.objects();
      },
      findings: this.#findings.list(),
    };
  }

  /**
   * Resolves when every connected proxy has acknowledged that an address gets no traffic: no
   * endpoint of the configuration names it any more, and nothing of that is on its way. A proxy
   * that is silent holds it up until the signal aborts, which is the caller's bound.
   */
  async whenUnused(address: string, signal: AbortSignal): Promise<void> {
    const isOnItsWay = (): boolean =>
      isListed(this.#store.view, address) ||
      this.#debouncer.isWaiting ||
      this.#pool.isBehind ||
      this.#ads.clients().some(({ isSettled }) => !isSettled);
    while (!signal.aborted && isOnItsWay()) {
      await this.#options.clock.sleep(DISTRIBUTION_POLL_MS, signal);
    }
  }

  #debugTarget(): DebugTarget {
    return {
      isReady: () => this.#isReady,
      metrics: this.metrics,
      status: () => this.status(),
      clients: () => this.#ads.clients(),
      proxies: () => this.#pool.proxies,
      published: (clientId) => this.#ads.published(clientId),
      distribution: (key, proxy) => this.#board.answer(key, proxy),
      view: () => this.#store.view,
      mesh: () => this.#mesh,
      scopes: () => scopePage(this.#scopes, this.#mesh),
      refresh: () => {
        this.metrics.add("pilot_push_triggers", { type: "debug" });
        this.#pool.refresh();
      },
    };
  }

  #apply(batch: ConfigBatch): void {
    const before = this.#store.view;
    const { changed, view } = this.#store.apply(batch);
    this.#board.noteChanged(changed);
    this.#changes.note(changed, before, view);
    this.#refused = batch.refused;
    this.#debouncer.note();
  }

  #push(waitedMs: number): void {
    this.metrics.observe("pilot_debounce_time", waitedMs / 1000);
    this.#changes.notePush();
    this.#rebuild();
    this.#pool.refresh();
  }

  #rebuild(): void {
    const { clock } = this.#options;
    const startMs = clock.monotonicMs();
    this.#guard("the mesh could not be built, the last one stays", () => {
      this.#mesh = buildMesh(this.#store.view, this.#mesh);
      this.#board.noteMesh();
    });
    const seconds = (clock.monotonicMs() - startMs) / 1000;
    this.metrics.observe("pilot_pushcontext_init_seconds", seconds);
  }

  /** Against bugs: one object that nobody foresaw may not end what runs. */
  #guard(failure: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.metrics.add("pilot_xds_push_errors");
      this.#options.log.error(failure, {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    }
  }

  #build(node: ProxyNode, clientId: string): BuiltSnapshot {
    const built = buildSnapshot(this.#scopes.viewOf(clientId, node));
    this.#board.noteSnapshot(built.snapshot);
    return built;
  }

  #distributionClients(): readonly DistributionClient[] {
    return this.#ads.clients().flatMap((client): readonly DistributionClient[] => {
      const found = this.#pool.proxies.get(client.clientId);
      if (found === undefined) return [];
      const { built, current } = this.#board.epochsOf(found.snapshot);
      const { name, namespace } = found.node;
      const builtEpoch = this.#pool.isDue(client.clientId) ? built : current;
      return [{ proxy: `${name}.${namespace}`, client, builtEpoch }];
    });
  }

  #updateFindings(): void {
    this.#board.note();
    this.#guard("the configuration could not be checked", () => this.#check());
  }

  #check(): void {
    const { cells, computations } = viewsOf(this.#mesh).counts;
    this.metrics.set("weft_model_cells", cells);
    this.metrics.set("weft_model_computations", computations);
    const proxies: readonly ConnectedProxy[] = [...this.#pool.proxies.values()];
    const issues: readonly ObjectIssue[] = [
      ...meshIssues(this.#mesh),
      ...proxies.flatMap(({ issues: ofProxy }) => ofProxy),
    ];
    // Also where the objects stand: a line may move while all else stays.
    const origins = issues.map(({ object }) => this.#store.origin(object));
    const checked = [...this.#refused, ...issues, ...origins];
    if (this.#checked !== undefined && isSameList(this.#checked, checked)) return;
    this.#checked = checked;
    const change = this.#findings.replace([
      ...this.#refused.map((input) => ({ ...input, isRefused: isError(input.issue) })),
      ...issues.map(({ object, issue }) => ({
        ...this.#originOf(object),
        object: formatKey(object),
        key: object,
        issue,
      })),
    ]);
    this.#board.noteFindings(change.all);
    this.metrics.set("weft_config_refused", this.#refused.length);
    if (change.appeared.length > 0 || change.resolved.length > 0) {
      this.#options.onFindings?.(change);
    }
  }

  #originOf(object: ObjectKey): Pick<Finding, "origin"> {
    const origin = this.#store.origin(object);
    return origin === undefined ? {} : { origin };
  }
}

/** Whether some slice, or the older form, still sends traffic to an address. */
function isListed(view: ConfigView, address: string): boolean {
  const slices = view.list<EndpointSlice>("discovery.k8s.io", "EndpointSlice");
  const older = view.list<Endpoints>("", "Endpoints");
  return (
    slices.some(({ endpoints = [] }) =>
      endpoints.some((one) => one.conditions?.ready !== false && one.addresses.includes(address)),
    ) ||
    older.some(({ subsets = [] }) =>
      subsets.some(({ addresses = [] }) => addresses.some(({ ip }) => ip === address)),
    )
  );
}
