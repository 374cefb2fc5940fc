import { RESOURCE_TYPE_URL } from "../api/type-url.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { formatHostPort } from "../base/ip.ts";
import type { Prng } from "../base/prng.ts";
import type { Logger } from "../telemetry/log.ts";
import { AdsClient } from "../xdsclient/ads-client.ts";
import type {
  Rejection,
  ResourceType,
  ResourceUpdate,
  TypeStatus,
} from "../xdsclient/resource-type.ts";
import type { ProxyBootstrap } from "./bootstrap.ts";
import type { ClusterSet } from "./cluster/cluster-set.ts";
import { createResourceTypes } from "./dynamic-resources.ts";
import type { ListenerSet } from "./listener/listener-set.ts";
import type { ProxyPeers } from "./process/process-info.ts";
import type { RouteSet } from "./route-set.ts";
import { checkSecretRefs } from "./secret/secret-refs.ts";
import { ADS_STREAM, type SecretStore } from "./secret/secret-store.ts";
import type { GrpcSource } from "./tls/tls-config.ts";

/** What discovery fills, and what it needs to ask. */
export interface DiscoveryDeps {
  readonly bootstrap: ProxyBootstrap;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Logger;
  readonly peers: ProxyPeers | undefined;
  readonly clusters: ClusterSet;
  readonly secrets: SecretStore;
  readonly routes: RouteSet;
  readonly listeners: ListenerSet;
}

/**
 * What a proxy asks its control plane over ADS, and what becomes of the answers: which resources are
 * named follows from those that are there. A worker asks nobody and takes what its leader hands on.
 */
export class Discovery {
  readonly #deps: DiscoveryDeps;
  /** The type without whose first answer nothing can be served. */
  readonly #awaited: string | undefined;
  #hasAwaited = false;
  #firstAnswer: Timer | undefined = undefined;
  #ads: AdsClient | undefined = undefined;
  #types: readonly ResourceType[] = [];
  #isAskSet = false;

  constructor(deps: DiscoveryDeps) {
    this.#deps = deps;
    const { asksListeners, asksClusters } = deps.bootstrap;
    if (asksListeners) this.#awaited = RESOURCE_TYPE_URL.listener;
    else if (asksClusters) this.#awaited = RESOURCE_TYPE_URL.cluster;
  }

  /** Whether what is asked for at first is there, or will not come in time. */
  get isInitialized(): boolean {
    return this.#awaited === undefined || this.#hasAwaited;
  }

  get isConnected(): boolean | undefined {
    return this.#ads?.isConnected;
  }

  /** What was asked and answered, of each type. */
  status(): readonly TypeStatus[] {
    return this.#ads?.status() ?? [];
  }

  /** Takes what a control plane said to the process that this one follows. */
  async apply(typeUrl: string, update: ResourceUpdate): Promise<readonly Rejection[]> {
    return (await this.#types.find((type) => type.typeUrl === typeUrl)?.apply(update)) ?? [];
  }

  /** Begins to ask; resolves when the signal has aborted and the stream is gone. */
  run({ variant, repeatsNode, ...source }: GrpcSource, signal: AbortSignal): Promise<void> {
    const { clock, prng, log, peers, bootstrap, clusters } = this.#deps;
    const types = this.#createTypes(variant === "DELTA_GRPC");
    const { isFollower = false, spread } = peers ?? {};
    this.#types = types;
    if (isFollower) return Promise.resolve();
    const ads = new AdsClient({
      addresses: this.#addressesOf(source.cluster),
      node: bootstrap.node,
      variant,
      repeatsNode,
      types: spread === undefined ? types : types.map(spread),
      clock,
      prng,
      log,
    });
    this.#ads = ads;
    clusters.setOnChange(() => this.#askSoon());
    this.askForNames();
    this.askForSecrets();
    const { firstAnswerMs } = bootstrap;
    if (!this.isInitialized && firstAnswerMs !== 0) {
      // Nobody answers: what is static serves, and the rest may come later.
      this.#firstAnswer = clock.setTimer(firstAnswerMs, () => {
        this.#hasAwaited = true;
      });
    }
    return ads.run(signal).finally(() => this.#firstAnswer?.cancel());
  }

  #addressesOf(clusterName: string): readonly string[] {
    const cluster = this.#deps.bootstrap.clusters.find(({ name }) => name === clusterName);
    return (cluster?.assignment?.endpoints ?? []).map(({ address, port }) =>
      // The library's way to name a Unix socket.
      address.startsWith("/") ? `unix:${address}` : formatHostPort(address, port),
    );
  }

  #createTypes(hasVirtualHosts: boolean): readonly ResourceType[] {
    const { bootstrap, clusters, secrets, routes, listeners, log, peers } = this.#deps;
    return createResourceTypes({
      clusters,
      secrets,
      checkSecrets: (asked) =>
        checkSecretRefs(asked, {
          statics: bootstrap.secrets,
          hasAds: true,
          clusters: bootstrap.clusters,
        }),
      routes,
      hasVirtualHosts,
      processes: peers?.info.concurrency ?? 1,
      listeners,
      onApplied: (typeUrl) => this.#onApplied(typeUrl),
      onListenerFailure: (name, cause) => log.error("listener cannot start", { name, cause }),
    }).filter(({ typeUrl }) => this.#isAsked(typeUrl));
  }

  #isAsked(typeUrl: string): boolean {
    const { asksClusters, asksListeners } = this.#deps.bootstrap;
    if (typeUrl === RESOURCE_TYPE_URL.cluster) return asksClusters;
    return typeUrl !== RESOURCE_TYPE_URL.listener || asksListeners;
  }

  #onApplied(typeUrl: string): void {
    if (typeUrl === this.#awaited) {
      this.#hasAwaited = true;
      this.#firstAnswer?.cancel();
    }
    this.askForNames();
  }

  /** Many clusters become active in one turn: names are collected once after it. */
  #askSoon(): void {
    if (this.#isAskSet) return;
    this.#isAskSet = true;
    queueMicrotask(() => {
      this.#isAskSet = false;
      this.askForNames();
    });
  }

  /** Endpoints of the clusters that are there, and routes of the listeners. */
  askForNames(): void {
    const { clusters, listeners, routes } = this.#deps;
    this.#ads?.setNames(RESOURCE_TYPE_URL.endpoint, clusters.edsNames());
    const rdsNames = listeners.rdsNames();
    this.#ads?.setNames(RESOURCE_TYPE_URL.route, rdsNames);
    routes.keepOnly(rdsNames);
  }

  /** Virtual hosts that requests have asked for. */
  askForHosts(): void {
    this.#ads?.setNames(RESOURCE_TYPE_URL.virtualHost, this.#deps.routes.hostNames());
  }

  /** Secrets that are named and come over this stream. */
  askForSecrets(): void {
    this.#ads?.setNames(RESOURCE_TYPE_URL.secret, this.#deps.secrets.names(ADS_STREAM));
  }
}
