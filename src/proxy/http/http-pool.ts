import type { Host } from "../cluster/host.ts";
import type { ProxyContext } from "../context.ts";
import { ClientConnection, type ConnectionPool } from "./client-connection.ts";
import { RESET, type ResetReason } from "./local-reply.ts";

/** Somebody who wants a connection: answered once, perhaps before `acquire` returns. */
export interface Waiter {
  onConnection(connection: ClientConnection): void;
  onNoConnection(reason: ResetReason): void;
}

/** The HTTP/1.1 connections to one host: kept alive between requests, bounded by the cluster. */
export class HttpPool implements ConnectionPool {
  readonly #host: Host;
  readonly #context: ProxyContext;
  /** The last used one is used first, so that the others can grow old and go. */
  readonly #idle: ClientConnection[] = [];
  readonly #waiting: Waiter[] = [];
  #open = 0;

  constructor(host: Host, context: ProxyContext) {
    this.#host = host;
    this.#context = context;
  }

  /** The pool of a host, made on first use. */
  static of(host: Host, context: ProxyContext): HttpPool {
    if (host.pool instanceof HttpPool) return host.pool;
    const pool = new HttpPool(host, context);
    host.pool = pool;
    return pool;
  }

  acquire(waiter: Waiter): void {
    const { load } = this.#host;
    const idle = this.#idle.pop();
    if (idle !== undefined) {
      waiter.onConnection(idle);
    } else if (load.connections < load.config.maxConnections || this.#open === 0) {
      // A host without any gets one in any case, or it would starve (Envoy does the same).
      waiter.onConnection(this.#connect());
    } else if (load.pending < load.config.maxPendingRequests) {
      load.pending++;
      this.#waiting.push(waiter);
    } else {
      load.pendingOverflow++;
      waiter.onNoConnection(RESET.overflow);
    }
  }

  /** Gives up waiting. */
  cancel(waiter: Waiter): void {
    const at = this.#waiting.indexOf(waiter);
    if (at === -1) return;
    this.#waiting.splice(at, 1);
    this.#host.load.pending--;
  }

  #connect(): ClientConnection {
    this.#open++;
    return new ClientConnection(this.#host, this, this.#context);
  }

  /** A connection has ended its exchange and can serve another. */
  onIdle(connection: ClientConnection): void {
    const waiter = this.#nextWaiter();
    if (waiter !== undefined) waiter.onConnection(connection);
    else if (this.#host.isRemoved) connection.close();
    else this.#idle.push(connection);
  }

  onClosed(connection: ClientConnection): void {
    this.#open--;
    const at = this.#idle.indexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
    const waiter = this.#nextWaiter();
    if (waiter !== undefined) waiter.onConnection(this.#connect());
  }

  #nextWaiter(): Waiter | undefined {
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) this.#host.load.pending--;
    return waiter;
  }

  retire(): void {
    for (const connection of this.#idle.splice(0)) connection.close();
  }
}
