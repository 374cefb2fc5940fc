import { isSame } from "../ads/publish-plan.ts";
import type { ClientNode, SnapshotSource } from "../ads/snapshot-source.ts";
import type { Clock } from "../base/clock.ts";
import type { Result } from "../base/issue.ts";
import type { ObjectIssue } from "../model/origin.ts";
import type { ProxyNode } from "../model/proxy.ts";
import { decodeProxyNode } from "../model/proxy-node.ts";
import type { Logger } from "../telemetry/log.ts";
import type { MetricRegistry } from "../telemetry/metrics.ts";
import { RESOURCE_KINDS, type ResourceKind, type XdsSnapshot } from "../xds/snapshot.ts";

/** How long configurations are built at a stretch before others get their turn. */
const SLICE_MS = 10;

/** What one proxy is to have, and what was wrong on the way. */
export interface BuiltSnapshot {
  readonly snapshot: XdsSnapshot;
  readonly issues: readonly ObjectIssue[];
}

/** One proxy that is connected. */
export interface ConnectedProxy {
  readonly node: ProxyNode;
  readonly snapshot: XdsSnapshot;
  readonly issues: readonly ObjectIssue[];
}

/** What the pool needs. */
export interface ProxyPoolOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricRegistry;
  /** The configuration of a proxy by the mesh as it is now; what it throws is a bug. */
  readonly build: (node: ProxyNode, clientId: string) => BuiltSnapshot;
  readonly push: (clientId: string, snapshot: XdsSnapshot) => void;
  /** Tells who decides over scopes about a client that comes, before its first configuration is built. */
  readonly onConnect?: (clientId: string, client: ClientNode, node: ProxyNode) => void;
  /** Tells the same that a client went, or could not be served. */
  readonly onDisconnect?: (clientId: string) => void;
  /** See `SnapshotSource.want`; absent: everything that a proxy may have is in its snapshot. */
  readonly want?: SnapshotSource["want"];
  /** What is wrong with the configuration may differ now: proxies came, went or were built anew. */
  readonly onBuilt: () => void;
}

/**
 * The proxies that are connected, with the configuration of each. A refresh builds them one after
 * the other, in slices; a second refresh meanwhile starts over with the newest mesh. A proxy whose
 * configuration cannot be built keeps its last good one.
 */
export class ProxyPool implements SnapshotSource {
  readonly #options: ProxyPoolOptions;
  readonly #proxies = new Map<string, ConnectedProxy>();
  /** Client ids that wait for a new configuration, and since when. */
  readonly #due = new Map<string, number>();
  #slice: NodeJS.Immediate | undefined;
  #isStopped = false;

  constructor(options: ProxyPoolOptions) {
    this.#options = options;
  }

  /** By client id. */
  get proxies(): ReadonlyMap<string, ConnectedProxy> {
    return this.#proxies;
  }

  /** How many proxies wait for their configuration to be built. */
  get pending(): number {
    return this.#due.size;
  }

  /** Whether some proxy waits for its configuration to be built. */
  get isBehind(): boolean {
    return this.#due.size > 0;
  }

  /** Whether a proxy waits for its configuration to be built by the mesh as it is now. */
  isDue(clientId: string): boolean {
    return this.#due.has(clientId);
  }

  connect(clientId: string, node: ClientNode): Result<XdsSnapshot> {
    const decoded = decodeProxyNode(node);
    if (!decoded.ok) return decoded;
    this.#options.onConnect?.(clientId, node, decoded.value);
    const built = this.#build(decoded.value, clientId);
    if (built === undefined) {
      this.#options.onDisconnect?.(clientId);
      const message = "the configuration of this proxy could not be built, see the log";
      return { ok: false, issues: [{ path: "", message }] };
    }
    this.#proxies.set(clientId, { node: decoded.value, ...built });
    // With the others that connect in this turn of the event loop, after a restart all of them.
    this.#slice ??= setImmediate(() => this.#runSlice());
    return { ok: true, value: built.snapshot };
  }

  want(clientId: string, kind: ResourceKind, names: readonly string[]): boolean {
    return this.#options.want?.(clientId, kind, names) ?? false;
  }

  disconnect(clientId: string): void {
    this.#options.onDisconnect?.(clientId);
    this.#proxies.delete(clientId);
    this.#due.delete(clientId);
    if (!this.#isStopped) this.#slice ??= setImmediate(() => this.#runSlice());
  }

  /** The mesh changed: every proxy may need something else. */
  refresh(): void {
    for (const clientId of this.#proxies.keys()) this.#note(clientId);
    this.#slice ??= setImmediate(() => this.#runSlice());
  }

  /** Some proxies need something else, though the mesh is as it was. */
  refreshSome(clientIds: readonly string[]): void {
    for (const clientId of clientIds) if (this.#proxies.has(clientId)) this.#note(clientId);
    if (this.#due.size > 0) this.#slice ??= setImmediate(() => this.#runSlice());
  }

  #note(clientId: string): void {
    if (!this.#due.has(clientId)) this.#due.set(clientId, this.#options.clock.monotonicMs());
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#slice !== undefined) clearImmediate(this.#slice);
    this.#slice = undefined;
    this.#due.clear();
  }

  #runSlice(): void {
    const { clock, metrics } = this.#options;
    let nowMs = clock.monotonicMs();
    const endMs = nowMs + SLICE_MS;
    for (const [clientId, sinceMs] of this.#due) {
      this.#due.delete(clientId);
      metrics.observe("pilot_proxy_queue_time", (nowMs - sinceMs) / 1000);
      this.#refreshOne(clientId);
      const doneMs = clock.monotonicMs();
      metrics.observe("pilot_xds_push_time", (doneMs - nowMs) / 1000);
      nowMs = doneMs;
      if (nowMs > endMs) break;
    }
    this.#slice = this.#due.size > 0 ? setImmediate(() => this.#runSlice()) : undefined;
    if (this.#slice === undefined) this.#options.onBuilt();
  }

  #refreshOne(clientId: string): void {
    const proxy = this.#proxies.get(clientId);
    if (proxy === undefined) return;
    const built = this.#build(proxy.node, clientId);
    if (built === undefined) return;
    this.#proxies.set(clientId, { node: proxy.node, ...built });
    if (!isSameSnapshot(proxy.snapshot, built.snapshot)) {
      this.#options.push(clientId, built.snapshot);
    }
  }

  #build(node: ProxyNode, clientId: string): BuiltSnapshot | undefined {
    try {
      return this.#options.build(node, clientId);
    } catch (error) {
      this.#options.metrics.add("pilot_xds_push_errors");
      this.#options.metrics.add("pilot_total_xds_internal_errors");
      this.#options.log.error("configuration of a proxy could not be built, its last one stays", {
        proxy: node.id,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
      return undefined;
    }
  }
}

function isSameSnapshot(left: XdsSnapshot, right: XdsSnapshot): boolean {
  return RESOURCE_KINDS.every((kind) => isSame(left.resources[kind], right.resources[kind]));
}
