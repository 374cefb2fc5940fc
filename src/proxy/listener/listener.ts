import type { Socket } from "node:net";
import { formatHostPort } from "../../base/ip.ts";
import type { PeerAddress } from "../../match/connection-info.ts";
import { type AccessLog, type LogOpener, logToAll } from "../access-log/access-log.ts";
import type { ProxyContext } from "../context.ts";
import type { HttpService, RouteSource } from "../http/http-config.ts";
import { connectionStreamInfo } from "../network-filter/tcp-stream-info.ts";
import { timeoutsOf } from "../overload/timeouts.ts";
import { shareOf } from "../process/share.ts";
import { AcceptedConnection } from "./accepted-connection.ts";
import { Chain, type ChainOwner } from "./chain.ts";
import type { ServerDrain } from "./drain.ts";
import { Inspection, type InspectionPlan } from "./inspection.ts";
import type { FilterChainConfig, ListenerConfig } from "./listener-config.ts";
import {
  type ListenerCounters,
  listenerCounters,
  listenerPrefix,
  unboundCounters,
} from "./listener-counters.ts";

/** A local address, resolved. */
export interface BoundAddress {
  readonly address: string;
  readonly port: number;
}

/** What listeners need besides their configuration. */
export interface ListenerDeps {
  readonly context: ProxyContext;
  readonly logs: LogOpener;
  readonly routeSource: (rdsName: string, statPrefix: string) => RouteSource;
  /** The listener that is for connections to that address. */
  readonly findByAddress: (address: PeerAddress) => Listener | undefined;
  /** How long connections of a listener that was replaced or removed get. */
  readonly drainMs: number;
  readonly drain: ServerDrain;
  /** A listener that was replaced or removed has no connections any more. */
  readonly onDrained: () => void;
}

/**
 * One version of a listener with the connections it accepted. Its configuration never changes: an
 * update is another `Listener`, and this one's connections end under what they began with.
 *
 * A connection goes through the listener filters, then its filter chain is chosen, then that
 * chain's transport opens it, then its last filter has it.
 */
export class Listener implements ChainOwner {
  readonly config: ListenerConfig;
  readonly isDynamic: boolean;
  readonly #deps: ListenerDeps;
  readonly #chains: ReadonlyMap<FilterChainConfig, Chain>;
  readonly #defaultChain: Chain | undefined;
  /** All of them that still are its own: an update takes over those that it leaves as they are. */
  readonly #own: Set<Chain>;
  /** `undefined` without listener filters: then nothing stands before the choice of the chain. */
  readonly #inspectionPlan: InspectionPlan | undefined;
  readonly #inspections = new Set<Inspection>();
  readonly #logs: readonly AccessLog[];
  /** The version that took its chains over; it also chooses for what is still being inspected. */
  #heir: Listener | undefined = undefined;
  #onEmpty: (() => void) | undefined = undefined;
  #counters = unboundCounters();
  /** Of what the runtime limits it to, over all versions ("Configuring listener connection limits"). */
  readonly #limitKey: string;
  #boundAddresses: readonly BoundAddress[] = [];

  /** `old` is the version that serves until this one does. */
  constructor(
    config: ListenerConfig,
    isDynamic: boolean,
    deps: ListenerDeps,
    old: Listener | undefined,
  ) {
    this.config = config;
    this.isDynamic = isDynamic;
    this.#limitKey = `envoy.resource_limits.listener.${config.name}.connection_limit`;
    this.#deps = config.bypassesOverload ? withoutOverload(deps) : deps;
    const kept = new Map<string, Chain>();
    if (old?.config.frameDigest === config.frameDigest) {
      for (const chain of old.#own) kept.set(chain.config.digest, chain);
    }
    const create = (chain: FilterChainConfig): Chain =>
      kept.get(chain.digest) ?? new Chain(chain, this.#deps, this, config.drain);
    this.#chains = new Map(config.chains.map((chain) => [chain, create(chain)] as const));
    this.#defaultChain = config.defaultChain && create(config.defaultChain);
    this.#own = new Set(this.#chains.values());
    if (this.#defaultChain !== undefined) this.#own.add(this.#defaultChain);
    this.#logs = config.logs.map((log) => deps.logs.open(log));
    if (config.listenerFilters.length > 0) this.#inspectionPlan = this.#createPlan();
  }

  /** Serves from now on in the place of `old`, and keeps the connections of chains they share. */
  takeOver(old: Listener): void {
    for (const chain of this.#own) {
      if (!old.#own.delete(chain)) continue;
      chain.owner = this;
      old.#heir = this;
    }
  }

  #createPlan(): InspectionPlan {
    const { listenerFilters, listenerFiltersTimeoutMs, continuesOnTimeout } = this.config;
    return {
      steps: listenerFilters.map(({ config, isDisabled }) => ({
        filter: config.create(this.#deps),
        isDisabled,
      })),
      timeoutMs: listenerFiltersTimeoutMs,
      continuesOnTimeout,
      onInspected: (connection, peeked) => this.#choose(connection, peeked),
      onTimeout: () => this.counters.downstream_pre_cx_timeout++,
      onRemoteClose: () => this.counters.downstream_listener_filter_remote_close++,
      onEnd: (inspection) => {
        this.#inspections.delete(inspection);
        this.counters.downstream_pre_cx_active--;
        this.#checkEmpty();
      },
    };
  }

  /** Of its connection managers, for statistics; other chains have none. */
  get services(): readonly HttpService[] {
    return [...this.#own].flatMap(({ terminal }) => terminal.service ?? []);
  }

  get counters(): ListenerCounters {
    return this.#counters;
  }

  /** Where it really listens: a port that was 0 is known now. */
  get boundAddresses(): readonly BoundAddress[] {
    return this.#boundAddresses;
  }

  /** Its sockets are bound; only now the address is known that its counters are named after. */
  setBound(addresses: readonly BoundAddress[]): void {
    this.#boundAddresses = addresses;
    const [own] = addresses;
    if (own === undefined) return;
    const { counters } = this.#deps.context;
    const address = formatHostPort(own.address, own.port);
    this.#counters = listenerCounters(counters, this.config.statPrefix, address);
    const prefix = listenerPrefix(this.config.statPrefix, address);
    for (const { transport } of this.#own) transport?.countUnder(prefix);
  }

  /** The RDS names without which it cannot answer. */
  get rdsNames(): readonly string[] {
    return this.services.map(({ config }) => config.rdsName).filter((name) => name !== "");
  }

  /** Whether the routes and secrets of all its chains have come. */
  get isReady(): boolean {
    return [...this.#own].every(({ isReady }) => isReady);
  }

  /** What its chains wait for, for people: route tables and secrets, each once. */
  get awaits(): readonly string[] {
    return [...new Set([...this.#own].flatMap(({ awaits }) => awaits))];
  }

  /** Takes a connection that one of its sockets accepted, and gives its place back in the end. */
  accept(socket: Socket, giveBack?: () => void): void {
    const { downstream_cx_active: active, downstream_pre_cx_active: coming } = this.#counters;
    const { runtime, processes } = this.#deps.context;
    const all = runtime.integer(this.#limitKey) ?? Number.POSITIVE_INFINITY;
    const max = shareOf(all, processes);
    if (active + coming >= max) {
      this.#counters.downstream_cx_overflow++;
      socket.destroy();
      giveBack?.();
      return;
    }
    const connection = new AcceptedConnection(socket);
    connection.giveBack = giveBack;
    this.#watch(connection);
    this.#inspect(connection, undefined);
  }

  /** What becomes of it is logged in the end, where this listener logs. */
  #watch(connection: AcceptedConnection): void {
    connection.onGone = undefined;
    if (this.#logs.length === 0) return;
    const { context } = this.#deps;
    if (connection.acceptedMs === 0) {
      connection.acceptedMs = context.clock.monotonicMs();
      connection.acceptedWallMs = context.clock.nowMs();
    }
    // A socket that is closed tells them no more.
    connection.keepAddresses();
    connection.onGone = () => {
      const info = connection.summary?.() ?? connectionStreamInfo(connection, context);
      logToAll(this.#logs, info, context.faults.note);
    };
  }

  #inspect(connection: AcceptedConnection, peeked: Buffer | undefined): void {
    if (this.#inspectionPlan === undefined) return this.#choose(connection, peeked);
    const inspection = new Inspection(connection, peeked, this.#inspectionPlan);
    this.#inspections.add(inspection);
    this.counters.downstream_pre_cx_active++;
    inspection.start(this.#deps.context);
  }

  #choose(connection: AcceptedConnection, peeked: Buffer | undefined): void {
    if (this.#heir !== undefined) return this.#heir.#choose(connection, peeked);
    if (this.config.usesOriginalDestination && this.#handOver(connection, peeked)) return;
    const config = this.config.findChain(connection);
    const chain = config === undefined ? this.#defaultChain : this.#chains.get(config);
    if (chain === undefined) {
      this.counters.no_filter_chain_match++;
      connection.flag = "NR";
      connection.details = "filter_chain_not_found";
      connection.socket.destroy();
      connection.release();
      return;
    }
    chain.open(connection, peeked);
  }

  /** Whether the connection now belongs to the listener of the address that its client wanted. */
  #handOver(connection: AcceptedConnection, peeked: Buffer | undefined): boolean {
    if (!connection.isLocalRestored || connection.isHandedOver) return false;
    const target = this.#deps.findByAddress(connection.local);
    if (target === undefined) return false;
    connection.isHandedOver = true;
    target.#watch(connection);
    target.#inspect(connection, peeked);
    return true;
  }

  onConnectionEnd(): void {
    this.#checkEmpty();
  }

  #checkEmpty(): void {
    if (this.#onEmpty !== undefined && this.isEmpty) this.#onEmpty();
  }

  /** Whether it has no connections, those that are still looked at included. */
  get isEmpty(): boolean {
    const isIdle = ({ connectionsActive }: Chain): boolean => connectionsActive === 0;
    return this.#inspections.size === 0 && [...this.#own].every(isIdle);
  }

  /**
   * Lets the connections of its own chains end after a response, and those that are still there after
   * `drainMs` at once. With `isAtOnce` their next response is the last, and idle ones go now: a client
   * may be writing to one this very moment.
   */
  async drain(drainMs: number, isAtOnce: boolean): Promise<void> {
    for (const chain of this.#own) chain.startDraining(isAtOnce);
    if (!this.isEmpty) {
      await new Promise<void>((resolve) => {
        const timer = this.#deps.context.clock.setTimer(drainMs, resolve);
        this.#onEmpty = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    for (const inspection of this.#inspections) inspection.destroy();
    for (const chain of this.#own) chain.close();
  }

  /** It never served: what it made for itself is not needed. */
  discard(): void {
    for (const chain of this.#own) if (chain.owner === this) chain.close();
  }
}

/** What a listener shares with the others, as if there were no overload manager. */
function withoutOverload(deps: ListenerDeps): ListenerDeps {
  const { context } = deps;
  const timeouts = timeoutsOf(undefined, context.deadlines);
  return { ...deps, context: { ...context, overload: undefined, timeouts } };
}
