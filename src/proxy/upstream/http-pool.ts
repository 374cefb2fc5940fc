import type { Socket } from "node:net";
import { type Breakers, PRIORITY, type Priority } from "../cluster/breakers.ts";
import type { HttpVersion } from "../cluster/cluster-config.ts";
import type { Host } from "../cluster/host.ts";
import type { DialClient, UpstreamNames } from "../cluster/host-dial.ts";
import { HEALTH } from "../cluster/host-health.ts";
import type { ProxyContext } from "../context.ts";
import { RESET, type ResetReason } from "../http/local-reply.ts";
import type { UpstreamPool, Waiter } from "../http/upstream-exchange.ts";
import { ClientConnection } from "../http1/client-connection.ts";
import { Http2ClientConnection } from "../http2/client-connection.ts";
import { type ClientCodec, type LinePool, UpstreamLine } from "./upstream-line.ts";

/** A host that closed a connection right behind a response is not trusted for so many more. */
const SUSPICION_MAX = 100;
/** Envoy's bound of what one request may cause. */
const CONNECTS_MAX = 3;

/** What the connections of a pool are for. */
export interface PoolPurpose {
  /** The default when absent. */
  readonly priority?: Priority;
  /** Whom they are told of; absent for everybody. */
  readonly client?: DialClient | undefined;
  /** By what names they are made; absent for those of the cluster. */
  readonly names?: UpstreamNames | undefined;
  /** What the client speaks, where there is one: some clusters are spoken to in the same. */
  readonly protocol?: string;
}

/** A version of HTTP, or that TLS chooses it for each connection. */
type PoolVersion = Exclude<HttpVersion, "as the client">;

/** What is offered, by its name in ALPN. */
const ALPN: Readonly<Record<PoolVersion, readonly string[]>> = {
  "HTTP/1.1": ["http/1.1"],
  "HTTP/2": ["h2"],
  "by ALPN": ["h2", "http/1.1"],
};

/** Where the pools of a version and priority stand among a host's. */
const PLACES: Readonly<Record<PoolVersion, number>> = { "HTTP/1.1": 0, "HTTP/2": 2, "by ALPN": 4 };

/**
 * The connections to one host for requests of one priority: kept alive between requests, bounded by
 * the cluster's circuit breakers. A request that finds no room waits for the first connection that
 * has any, whichever it is.
 */
export class HttpPool implements LinePool, UpstreamPool {
  readonly #host: Host;
  readonly #context: ProxyContext;
  readonly #priority: Priority;
  readonly #breakers: Breakers;
  readonly #purpose: PoolPurpose;
  readonly #version: PoolVersion;
  readonly #onUnused: () => void;
  /** All of them, in whatever state. */
  readonly #open = new Set<UpstreamLine>();
  /** Those with room. The last used one is used first, so that the others can grow old and go. */
  readonly #ready: UpstreamLine[] = [];
  #connecting = 0;
  #waiting: Waiter[] = [];
  /** Free, but perhaps about to close: see `onRoom`. */
  readonly #resting: UpstreamLine[] = [];
  /** How many more connections rest, since one closed right behind a response. */
  #suspicion = 0;

  private constructor(
    host: Host,
    context: ProxyContext,
    purpose: PoolPurpose,
    version: PoolVersion,
    onUnused: () => void = () => undefined,
  ) {
    this.#version = version;
    this.#purpose = purpose;
    this.#onUnused = onUnused;
    this.#host = host;
    this.#context = context;
    this.#priority = purpose.priority ?? PRIORITY.default;
    this.#breakers = host.load.breakers[this.#priority];
  }

  /**
   * The pool of a host, made on first use. A client that its host or the system is told of has one
   * for itself, and so has every name that TLS is told, for as long as there is anything in it.
   */
  static of(host: Host, context: ProxyContext, purpose: PoolPurpose): HttpPool {
    const { priority = PRIORITY.default, client, names } = purpose;
    const version = versionOf(host, purpose.protocol);
    const place = PLACES[version] + priority;
    const key = host.clientKey(client, names);
    if (key !== "") return HttpPool.#ofClient(host, context, purpose, version, `${place} ${key}`);
    const known = host.pools[place];
    if (known instanceof HttpPool) return known;
    const pool = new HttpPool(host, context, { priority }, version);
    host.pools[place] = pool;
    return pool;
  }

  static #ofClient(
    host: Host,
    context: ProxyContext,
    purpose: PoolPurpose,
    version: PoolVersion,
    key: string,
  ): HttpPool {
    const pools = host.clientPools;
    const known = pools.get(key);
    if (known instanceof HttpPool) return known;
    const pool = new HttpPool(host, context, purpose, version, () => {
      if (pools.get(key) === pool) pools.delete(key);
    });
    pools.set(key, pool);
    return pool;
  }

  acquire(waiter: Waiter): void {
    const { load } = this.#host;
    if (load.peekHost !== undefined) this.#preconnectOthers(load.peekHost);
    const line = this.#nextLine();
    if (line !== undefined) {
      this.#attach(line, waiter);
      if (load.config.connection.preconnectRatio > 1) this.#connectForWaiting();
    } else if (this.#breakers.canWait()) {
      this.#breakers.pending++;
      load.pendingTotal++;
      this.#waiting.push(waiter);
      this.#connectForWaiting();
    } else {
      load.pendingOverflow++;
      waiter.onNoConnection(RESET.overflow, "");
    }
  }

  /** Gives the waiter an exchange on a line that is ready. */
  #attach(line: UpstreamLine, waiter: Waiter): void {
    if (!this.#breakers.canRequest()) {
      this.#host.load.requestsOverflow++;
      waiter.onNoConnection(RESET.overflow, "");
      return;
    }
    const { codec } = line;
    const exchange = codec.open();
    if (codec.room === 0) this.#unready(line);
    waiter.onConnection(exchange);
  }

  #nextLine(): UpstreamLine | undefined {
    for (;;) {
      const line = this.#ready[this.#ready.length - 1];
      // The peer may have taken back what it allowed.
      if (line === undefined || line.codec.room > 0) return line;
      this.#unready(line);
    }
  }

  #unready(line: UpstreamLine): void {
    if (!line.isReady) return;
    line.isReady = false;
    const { length } = this.#ready;
    if (this.#ready[length - 1] === line) this.#ready.pop();
    else this.#ready.splice(this.#ready.indexOf(line), 1);
  }

  #makeReady(line: UpstreamLine): void {
    line.isReady = true;
    this.#ready.push(line);
  }

  /** Makes as many connections as are waited for or expected, and allowed; a few at a time. */
  #connectForWaiting(): void {
    const { preconnectRatio } = this.#host.load.config.connection;
    for (let left = CONNECTS_MAX; left > 0; left--) {
      if (!this.#isShort(preconnectRatio, 0) || !this.#tryConnect()) return;
    }
  }

  /**
   * Whether there is less room than the requests now, and `expected` ones, times the ratio. A host
   * that is not well is not connected to before it is asked for.
   */
  #isShort(ratio: number, expected: number): boolean {
    let free = this.#connecting * this.#expectedRoom + this.#resting.length;
    for (const line of this.#ready) free += line.codec.room;
    const waiting = this.#waiting.length;
    if (this.#host.health !== HEALTH.healthy) return waiting > free;
    // What is under way counts on both sides.
    if (ratio === 1) return waiting + expected > free;
    let active = 0;
    for (const line of this.#open) active += line.active;
    return (waiting + active + expected) * ratio > free + active;
  }

  /** What a connection that is being made will have, as far as that is known. */
  get #expectedRoom(): number {
    if (this.#version !== "HTTP/2") return 1;
    const { http2, connection } = this.#host.load.config;
    const { maxConcurrentStreams } = http2;
    return connection.maxRequests === 0
      ? maxConcurrentStreams
      : Math.min(maxConcurrentStreams, connection.maxRequests);
  }

  /** Whether a connection is being made, and another may be. */
  #tryConnect(): boolean {
    const isAllowed = this.#host.canConnect(this.#priority);
    if (!isAllowed) this.#host.load.connectionsOverflow++;
    // A host without any gets one in any case, or it would starve (Envoy does the same).
    if (!isAllowed && this.#open.size > 0) return false;
    this.#connecting++;
    const { client, names } = this.#purpose;
    const purpose = { priority: this.#priority, client, names, alpn: ALPN[this.#version] };
    if (this.#version !== "by ALPN") this.#countLine(this.#version === "HTTP/2");
    this.#open.add(new UpstreamLine(this.#host, this, this.#context, purpose));
    return isAllowed;
  }

  #countLine(isHttp2: boolean): void {
    const { load } = this.#host;
    if (isHttp2) load.http2ConnectionsTotal++;
    else load.http1ConnectionsTotal++;
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
      const pool = HttpPool.of(host, this.#context, this.#purpose);
      if (!pool.#isShort(ratio, 1) || !pool.#tryConnect()) return;
    }
  }

  createCodec(line: UpstreamLine, socket: Socket): ClientCodec {
    const isChosen = this.#version === "by ALPN";
    const isHttp2 = isChosen ? line.tls?.alpn === "h2" : this.#version === "HTTP/2";
    if (isChosen) this.#countLine(isHttp2);
    return isHttp2
      ? new Http2ClientConnection(line, this, socket)
      : new ClientConnection(line, this, socket);
  }

  /** Gives up waiting. */
  cancel(waiter: Waiter): void {
    const at = this.#waiting.indexOf(waiter);
    if (at === -1) return;
    this.#waiting.splice(at, 1);
    this.#breakers.pending--;
    this.#host.load.requestsCancelled++;
  }

  onConnected(line: UpstreamLine): void {
    this.#connecting--;
    if (line.isDraining) return line.close();
    if (line.codec.room > 0) this.#makeReady(line);
    this.#serveWaiting();
  }

  onRoom(line: UpstreamLine): void {
    if (line.isDraining) {
      if (!line.isBusy) line.close();
      return;
    }
    if (line.isReady || line.codec.room === 0) return;
    if (line.codec.isShared) {
      this.#makeReady(line);
      this.#serveWaiting();
      return;
    }
    if (this.#waiting.length === 0 && this.#suspicion === 0) {
      this.#makeReady(line);
      if (this.#host.isRemoved) this.retire();
      return;
    }
    if (this.#suspicion > 0) this.#suspicion--;
    this.#resting.push(line);
    // Its end may be right behind the response that freed it, and is read in the next turn of the
    // event loop: after that the second callback comes.
    setImmediate(() => setImmediate(() => this.#awake(line)));
  }

  #awake(line: UpstreamLine): void {
    const at = this.#resting.indexOf(line);
    if (at === -1) return;
    this.#resting.splice(at, 1);
    this.#makeReady(line);
    this.#serveWaiting();
  }

  #serveWaiting(): void {
    while (this.#waiting.length > 0) {
      const line = this.#nextLine();
      if (line === undefined) return this.#connectForWaiting();
      const waiter = this.#nextWaiter();
      if (waiter !== undefined) this.#attach(line, waiter);
    }
    if (this.#host.isRemoved) this.retire();
  }

  onDraining(line: UpstreamLine): void {
    this.#unready(line);
    const at = this.#resting.indexOf(line);
    if (at !== -1) this.#resting.splice(at, 1);
  }

  onClosed(line: UpstreamLine): void {
    this.#open.delete(line);
    this.onDraining(line);
    if (line.isHasty) this.#suspicion = SUSPICION_MAX;
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
    // What closes may make room for another, which is a new one.
    const lines = Array.from(this.#open);
    for (const line of lines) line.drain();
  }
}

/** What a host is spoken to in for a client that speaks `protocol`. */
function versionOf({ load }: Host, protocol: string | undefined): PoolVersion {
  const { httpVersion } = load.config;
  if (httpVersion !== "as the client") return httpVersion;
  return protocol === "HTTP/2" ? "HTTP/2" : "HTTP/1.1";
}
