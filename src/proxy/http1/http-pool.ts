import { type Breakers, PRIORITY, type Priority } from "../cluster/breakers.ts";
import type { Host } from "../cluster/host.ts";
import type { DialClient, UpstreamNames } from "../cluster/host-dial.ts";
import { HEALTH } from "../cluster/host-health.ts";
import type { ProxyContext } from "../context.ts";
import { RESET, type ResetReason } from "../http/local-reply.ts";
import type { UpstreamPool, Waiter } from "../http/upstream-exchange.ts";
import { ClientConnection, type ConnectionPool } from "./client-connection.ts";

/** A host that closed a connection right behind a response is not trusted for so many more. */
const SUSPICION_MAX = 100;
/** Envoy's bound of what one request may cause. */
const CONNECTS_MAX = 3;

/**
 * The HTTP/1.1 connections to one host for requests of one priority: kept alive between requests,
 * bounded by the cluster's circuit breakers. A request that finds none waits for the first that is
 * connected or free, whichever it is.
 */
export class HttpPool implements ConnectionPool, UpstreamPool {
  readonly #host: Host;
  readonly #context: ProxyContext;
  readonly #priority: Priority;
  readonly #breakers: Breakers;
  /** Whom its connections are for; `undefined` for everybody. */
  readonly #client: DialClient | undefined;
  /** By what names they are made; `undefined` for those of the cluster. */
  readonly #names: UpstreamNames | undefined;
  readonly #onUnused: () => void;
  /** All of them, in whatever state. */
  readonly #open = new Set<ClientConnection>();
  /** The last used one is used first, so that the others can grow old and go. */
  readonly #idle: ClientConnection[] = [];
  #connecting = 0;
  #waiting: Waiter[] = [];
  /** Free, but perhaps about to close: see `onIdle`. */
  readonly #resting: ClientConnection[] = [];
  /** How many more connections rest, since one closed right behind a response. */
  #suspicion = 0;

  private constructor(
    host: Host,
    context: ProxyContext,
    priority: Priority,
    client?: DialClient,
    names?: UpstreamNames,
    onUnused: () => void = () => undefined,
  ) {
    this.#client = client;
    this.#names = names;
    this.#onUnused = onUnused;
    this.#host = host;
    this.#context = context;
    this.#priority = priority;
    this.#breakers = host.load.breakers[priority];
  }

  /**
   * The pool of a host, made on first use. A client that its host or the system is told of has one
   * for itself, and so has every name that TLS is told, for as long as there is anything in it.
   */
  static of(
    host: Host,
    context: ProxyContext,
    priority: Priority = PRIORITY.default,
    client?: DialClient,
    names?: UpstreamNames,
  ): HttpPool {
    const key = host.clientKey(client, names);
    if (key !== "") return HttpPool.#ofClient(host, context, priority, key, { client, names });
    const known = host.pools[priority];
    if (known instanceof HttpPool) return known;
    const pool = new HttpPool(host, context, priority);
    host.pools[priority] = pool;
    return pool;
  }

  static #ofClient(
    host: Host,
    context: ProxyContext,
    priority: Priority,
    key: string,
    { client, names }: { client: DialClient | undefined; names: UpstreamNames | undefined },
  ): HttpPool {
    const pools = host.clientPools[priority];
    const known = pools.get(key);
    if (known instanceof HttpPool) return known;
    const pool = new HttpPool(host, context, priority, client, names, () => {
      if (pools.get(key) === pool) pools.delete(key);
    });
    pools.set(key, pool);
    return pool;
  }

  acquire(waiter: Waiter): void {
    const { peekHost } = this.#host.load;
    if (peekHost !== undefined) this.#preconnectOthers(peekHost);
    const idle = this.#idle.pop();
    if (idle !== undefined) {
      this.#attach(idle, waiter);
      if (this.#host.load.config.connection.preconnectRatio > 1) this.#connectForWaiting();
    } else if (this.#breakers.canWait()) {
      this.#breakers.pending++;
      this.#host.load.pendingTotal++;
      this.#waiting.push(waiter);
      this.#connectForWaiting();
    } else {
      this.#host.load.pendingOverflow++;
      waiter.onNoConnection(RESET.overflow, "");
    }
  }

  #attach(connection: ClientConnection, waiter: Waiter): void {
    if (this.#breakers.canRequest()) {
      waiter.onConnection(connection);
      return;
    }
    this.#idle.push(connection);
    this.#host.load.requestsOverflow++;
    waiter.onNoConnection(RESET.overflow, "");
  }

  /** Makes as many connections as are waited for or expected, and allowed; a few at a time. */
  #connectForWaiting(): void {
    const { preconnectRatio } = this.#host.load.config.connection;
    for (let left = CONNECTS_MAX; left > 0; left--) {
      if (!this.#isShort(preconnectRatio, 0) || !this.#tryConnect()) return;
    }
  }

  /**
   * Whether there are fewer connections than the requests now, and `expected` ones, times the ratio.
   * A host that is not well is not connected to before it is asked for.
   */
  #isShort(ratio: number, expected: number): boolean {
    const free = this.#connecting + this.#idle.length + this.#resting.length;
    if (this.#host.health !== HEALTH.healthy) return this.#waiting.length > free;
    const active = this.#open.size - free;
    return (this.#waiting.length + active + expected) * ratio > free + active;
  }

  /** Whether a connection is being made, and another may be. */
  #tryConnect(): boolean {
    const isAllowed = this.#host.canConnect(this.#priority);
    if (!isAllowed) this.#host.load.connectionsOverflow++;
    // A host without any gets one in any case, or it would starve (Envoy does the same).
    if (!isAllowed && this.#open.size > 0) return false;
    this.#connecting++;
    this.#open.add(this.#openConnection());
    return isAllowed;
  }

  /** Connects to the hosts that are next, as far as the cluster expects requests. */
  #preconnectOthers(peekHost: () => Host | undefined): void {
    const { load } = this.#host;
    const ratio = load.config.connection.predictiveRatio;
    for (let left = CONNECTS_MAX; left > 0; left--) {
      const all = Math.max(load.connections, load.requests);
      if ((load.pending + load.requests + 1) * ratio <= all) return;
      const host = peekHost();
      if (host === undefined) return;
      const pool = HttpPool.of(host, this.#context, this.#priority, this.#client, this.#names);
      if (!pool.#isShort(ratio, 1) || !pool.#tryConnect()) return;
    }
  }

  #openConnection(): ClientConnection {
    const purpose = { priority: this.#priority, client: this.#client, names: this.#names };
    return new ClientConnection(this.#host, this, this.#context, purpose);
  }

  /** Gives up waiting. */
  cancel(waiter: Waiter): void {
    const at = this.#waiting.indexOf(waiter);
    if (at === -1) return;
    this.#waiting.splice(at, 1);
    this.#breakers.pending--;
    this.#host.load.requestsCancelled++;
  }

  onConnected(connection: ClientConnection): void {
    this.#connecting--;
    if (connection.isDraining) return connection.close();
    this.#idle.push(connection);
    this.#serveWaiting();
  }

  /** A connection can serve again. */
  onIdle(connection: ClientConnection): void {
    if (connection.isDraining) return connection.close();
    if (this.#waiting.length === 0 && this.#suspicion === 0) {
      this.#idle.push(connection);
      if (this.#host.isRemoved) this.retire();
      return;
    }
    if (this.#suspicion > 0) this.#suspicion--;
    this.#resting.push(connection);
    // Its end may be right behind the response that freed it, and is read in the next turn of the
    // event loop: after that the second callback comes.
    setImmediate(() => setImmediate(() => this.#awake(connection)));
  }

  #awake(connection: ClientConnection): void {
    const at = this.#resting.indexOf(connection);
    if (at === -1) return;
    this.#resting.splice(at, 1);
    this.#idle.push(connection);
    this.#serveWaiting();
  }

  #serveWaiting(): void {
    while (this.#waiting.length > 0) {
      const free = this.#idle.pop();
      if (free === undefined) return this.#connectForWaiting();
      const waiter = this.#nextWaiter();
      if (waiter !== undefined) this.#attach(free, waiter);
    }
    if (this.#host.isRemoved) this.retire();
  }

  onClosed(connection: ClientConnection): void {
    this.#open.delete(connection);
    for (const list of [this.#idle, this.#resting]) {
      const at = list.indexOf(connection);
      if (at !== -1) list.splice(at, 1);
    }
    if (connection.isHasty) this.#suspicion = SUSPICION_MAX;
    this.#connectForWaiting();
    if (this.#open.size === 0) this.#onUnused();
  }

  /** Nobody who waits has a reason to hope: the host cannot be reached. */
  onConnectFailed(reason: ResetReason, transportFailure: string): void {
    this.#connecting--;
    // Those who try again at once wait for the next connection, not for this one's failure.
    const failed = this.#waiting;
    this.#waiting = [];
    this.#breakers.pending -= failed.length;
    this.#host.load.pendingFailures += failed.length;
    for (const waiter of failed) waiter.onNoConnection(reason, transportFailure);
  }

  #nextWaiter(): Waiter | undefined {
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) this.#breakers.pending--;
    return waiter;
  }

  retire(): void {
    for (const connection of this.#open) connection.isDraining = true;
    const free = [...this.#idle.splice(0), ...this.#resting.splice(0)];
    for (const connection of free) connection.close();
  }
}
