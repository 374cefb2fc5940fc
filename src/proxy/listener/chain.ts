import { Deadline } from "../net/deadlines.ts";
import { adoptSocket } from "../net/socket.ts";
import { FilteredConnection, type FilterPlan } from "../network-filter/filtered-connection.ts";
import type { Adopt, OpenConnection, TerminalFilter } from "../network-filter/network-filter.ts";
import type { AcceptedConnection } from "./accepted-connection.ts";
import type { ChainDrain, DrainTraits } from "./drain.ts";
import type { ListenerDeps } from "./listener.ts";
import type { FilterChainConfig, ListenerConfig } from "./listener-config.ts";
import type { ListenerCounters } from "./listener-counters.ts";
import type { DownstreamTransport, Handshake } from "./transport.ts";

/** What the last filter of a chain needs besides its configuration. */
export interface ChainDeps extends Omit<ListenerDeps, "drain"> {
  readonly drain: ChainDrain;
  /** Whether its listener is for what goes out. */
  readonly isOutbound: boolean;
  /** Of its listener. */
  readonly bufferBytesMax: number;
}

/** The listener that a chain belongs to. */
export interface ChainOwner {
  readonly config: ListenerConfig;
  readonly counters: ListenerCounters;
  /** One of its connections is gone. */
  onConnectionEnd(): void;
}

/** A filter chain at run time, with the connections that it took. */
export class Chain {
  readonly config: FilterChainConfig;
  readonly terminal: TerminalFilter;
  readonly transport: DownstreamTransport | undefined;
  /** Changes when an update of the listener leaves the chain as it is. */
  owner: ChainOwner;
  readonly #deps: ListenerDeps;
  readonly #drain: ChainDrain;
  /** `undefined` when the last filter stands alone. */
  readonly #plan: FilterPlan | undefined;
  readonly #connections = new Set<OpenConnection | PendingHandshake>();

  constructor(
    config: FilterChainConfig,
    deps: ListenerDeps,
    owner: ChainOwner,
    traits: DrainTraits,
  ) {
    this.config = config;
    this.#deps = deps;
    this.owner = owner;
    this.#drain = deps.drain.ofChain(traits);
    this.terminal = config.terminal.create({
      ...deps,
      drain: this.#drain,
      isOutbound: owner.config.isOutbound,
      bufferBytesMax: owner.config.bufferBytesMax,
    });
    const filters = config.filters.map((filter) => filter.create(deps));
    this.#plan = filters.length === 0 ? undefined : { filters, terminal: this.terminal };
    this.transport = config.transport?.create(deps);
  }

  get connectionsActive(): number {
    return this.#connections.size;
  }

  /** Whether its routes and secrets have come. */
  get isReady(): boolean {
    const { service } = this.terminal;
    const hasRoutes = service === undefined || service.routes.current !== undefined;
    return hasRoutes && this.transport?.isReady !== false;
  }

  /** What it waits for, for people. */
  get awaits(): readonly string[] {
    const { service } = this.terminal;
    const isRouted = service === undefined || service.routes.current !== undefined;
    return [
      ...(isRouted ? [] : [`RdsRouteConfigSubscription ${service.config.rdsName}`]),
      ...(this.transport?.isReady === false
        ? [`SdsApi of filter chain '${this.config.name}'`]
        : []),
    ];
  }

  /** Takes a connection, with the bytes that were read from it already. */
  open(connection: AcceptedConnection, peeked: Buffer | undefined): void {
    this.owner.counters.downstream_cx_total++;
    this.owner.counters.downstream_cx_active++;
    connection.id = this.#deps.context.nextConnectionId();
    connection.filterChainName = this.config.name;
    connection.listener = this.config.listener;
    if (this.transport !== undefined) {
      this.#shakeHands(this.transport, connection, peeked);
      return;
    }
    const opened = this.#pass(connection, (owner) =>
      adoptSocket(connection.socket, this.#deps.context.readBuffer, owner),
    );
    if (peeked !== undefined) opened.onBytes(peeked, peeked.length);
  }

  #shakeHands(
    transport: DownstreamTransport,
    connection: AcceptedConnection,
    peeked: Buffer | undefined,
  ): void {
    const pending = new PendingHandshake(connection, () => {
      this.owner.counters.downstream_cx_transport_socket_connect_timeout++;
      pending.destroy();
      this.#forget(pending);
      connection.release();
    });
    this.#connections.add(pending);
    const { transportTimeoutMs } = this.config;
    const { timeouts, clock } = this.#deps.context;
    if (transportTimeoutMs !== 0) {
      timeouts.transportConnect.set(pending.deadline, transportTimeoutMs, clock.monotonicMs());
    }
    pending.handshake = transport.open(connection, peeked, (adopt) => {
      pending.deadline.cancel();
      if (adopt === undefined) {
        connection.release();
        return this.#forget(pending);
      }
      this.#connections.delete(pending);
      this.#pass(connection, adopt);
    });
  }

  #pass(connection: AcceptedConnection, adopt: Adopt): OpenConnection {
    const adoptKnown: Adopt = (owner) => {
      connection.socket = adopt(owner);
      return connection.socket;
    };
    const onEnd = connection.isAwaited ? this.#release(connection) : this.#forget;
    const opened =
      this.#plan === undefined
        ? this.terminal.open(connection, adoptKnown, onEnd)
        : new FilteredConnection(connection, this.#plan, adoptKnown, onEnd);
    this.#connections.add(opened);
    return opened;
  }

  #release(connection: AcceptedConnection): (opened: OpenConnection) => void {
    return (opened) => {
      connection.release();
      this.#forget(opened);
    };
  }

  readonly #forget = (connection: OpenConnection | PendingHandshake): void => {
    if (!this.#connections.delete(connection)) return;
    this.owner.counters.downstream_cx_active--;
    this.owner.counters.downstream_cx_destroy++;
    this.owner.onConnectionEnd();
  };

  /**
   * Ever more answers tell clients to close. Where the process ends (`isAtOnce`) all do, and idle
   * connections go now.
   */
  startDraining(isAtOnce: boolean): void {
    this.#drain.start(isAtOnce);
    if (!isAtOnce) return;
    for (const connection of this.#connections) connection.closeIfIdle();
  }

  /** Ends what is still open. */
  close(): void {
    for (const connection of this.#connections) {
      connection.destroy();
      this.#forget(connection);
    }
    this.transport?.close();
  }
}

/** A connection whose transport is not open yet. */
class PendingHandshake {
  readonly deadline: Deadline;
  readonly #connection: AcceptedConnection;
  handshake: Handshake | undefined = undefined;

  constructor(connection: AcceptedConnection, onTimeout: () => void) {
    this.#connection = connection;
    this.deadline = new Deadline({ onDeadline: onTimeout });
  }

  closeIfIdle(): void {
    // Its client is about to speak.
  }

  destroy(): void {
    this.deadline.cancel();
    this.handshake?.destroy();
    this.#connection.release();
  }
}
