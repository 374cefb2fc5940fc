import type { Socket } from "node:net";
import type { PeerAddress, TlsInfo } from "../../match/connection-info.ts";
import type { Priority } from "../cluster/breakers.ts";
import type { Host } from "../cluster/host.ts";
import type { DialClient, UpstreamNames } from "../cluster/host-dial.ts";
import type { ProxyContext } from "../context.ts";
import { RESET, type ResetReason } from "../http/local-reply.ts";
import type { UpstreamExchange } from "../http/upstream-exchange.ts";
import { Deadline } from "../net/deadlines.ts";
import type { Dialing, OnConnect } from "../net/dial.ts";
import { describeConnectError, localAddressOf, type SocketOwner } from "../net/socket.ts";
import { TransportError } from "../tls/tls-error.ts";

/** Which requests a connection is for. */
export interface LinePurpose {
  readonly priority: Priority;
  /** `undefined` for those of all clients. */
  readonly client: DialClient | undefined;
  /** What TLS is told; `undefined` for what the cluster says. */
  readonly names: UpstreamNames | undefined;
  /** What is offered in ALPN where the cluster's TLS says nothing itself. */
  readonly alpn: readonly string[];
}

/** Whom a connection tells of its life. */
export interface LinePool {
  /** It stands: what is spoken over it from now on. */
  createCodec(line: UpstreamLine, socket: Socket): ClientCodec;
  /** It can serve. */
  onConnected(line: UpstreamLine): void;
  /** An exchange ended, or the peer allows more of them. */
  onRoom(line: UpstreamLine): void;
  /** It takes no more exchanges, and ends with those that it has. */
  onDraining(line: UpstreamLine): void;
  onClosed(line: UpstreamLine): void;
  /** One never stood; `onClosed` follows. */
  onConnectFailed(reason: ResetReason, transportFailure: string): void;
}

/** What speaks a version of HTTP over a connection. */
export interface ClientCodec {
  /** Exchanges in progress. */
  readonly active: number;
  /** How many more could begin now. */
  readonly room: number;
  /** Whether it carries several exchanges at a time. */
  readonly isShared: boolean;
  /** Once closed: whether the peer did that right behind a response, without saying so. */
  readonly isHasty: boolean;
  /** Takes a place for an exchange, which its owner begins at once; only where there is room. */
  open(): UpstreamExchange;
  /** `buffer[0, length)` is valid during the call only. */
  onBytes(buffer: Buffer, length: number): void;
  /** The peer sends no more. */
  onEnd(): void;
  onDrain(): void;
  /** The connection went away by itself. */
  onLost(): void;
  /** Right before the line is released; `isRemote`: by the peer. What it counts ends here. */
  onRelease(isRemote: boolean): void;
}

/**
 * One connection to an upstream host, from the first attempt to its end: its time-outs, its counters
 * and who it is. What is spoken over it is its codec's business.
 */
export class UpstreamLine implements SocketOwner {
  readonly host: Host;
  /** Counted over all connections of the proxy, from 1. */
  readonly id: number;
  readonly priority: Priority;
  readonly context: ProxyContext;
  readonly connectStartMs: number;
  /** -1 until it is made. */
  connectedMs = -1;
  /** Its own end; `undefined` until it is made. */
  localAddress: PeerAddress | undefined = undefined;
  remoteAddress: PeerAddress | undefined = undefined;
  tls: TlsInfo | undefined = undefined;
  /** What TLS or the system says of its end; "" when that was not the cause. */
  transportFailure = "";
  /** It takes no more exchanges. */
  isDraining = false;
  /** Whether the pool may give it to the next who asks. */
  isReady = false;
  isClosed = false;
  readonly #pool: LinePool;
  /** What is being connected, or is open. */
  #dialing: Dialing;
  #codec: ClientCodec | undefined = undefined;
  /** For connecting, then for idleness. */
  readonly #deadline: Deadline;
  /** After so long it takes no new request; only where there is such a bound. */
  #lifetime: Deadline | undefined = undefined;

  constructor(
    host: Host,
    pool: LinePool,
    context: ProxyContext,
    { priority, client, names, alpn }: LinePurpose,
  ) {
    this.host = host;
    this.id = context.nextConnectionId();
    this.priority = priority;
    this.context = context;
    this.#pool = pool;
    this.#deadline = new Deadline({ onDeadline: () => this.#onDeadline() });
    this.connectStartMs = context.clock.monotonicMs();
    const onConnect: OnConnect = (socket, info) => this.#onConnect(socket, info);
    this.#dialing = host.connect(context, this, onConnect, client, { ...names, ownAlpn: alpn });
    host.onConnectionOpened(priority);
    const { connectTimeoutMs } = host.load.config;
    context.deadlines.set(this.#deadline, connectTimeoutMs, this.connectStartMs);
  }

  /** What speaks over it; it must be connected. */
  get codec(): ClientCodec {
    if (this.#codec === undefined) throw new Error("the connection is not made yet");
    return this.#codec;
  }

  /** Exchanges in progress. */
  get active(): number {
    return this.#codec?.active ?? 0;
  }

  get isBusy(): boolean {
    return this.active > 0;
  }

  get isHasty(): boolean {
    return this.#codec?.isHasty === true;
  }

  #onConnect(socket: Socket, tls: TlsInfo | undefined): void {
    this.#dialing = socket;
    this.tls = tls;
    const { clock, deadlines } = this.context;
    this.#deadline.cancel();
    this.connectedMs = clock.monotonicMs();
    const { host } = this;
    host.load.connectTime.add(Math.floor(this.connectedMs - this.connectStartMs));
    this.localAddress = localAddressOf(socket);
    this.remoteAddress = host.remoteAddressOn(socket);
    const { maxDurationMs } = host.load.config.connection;
    if (maxDurationMs !== 0) {
      this.#lifetime = new Deadline({ onDeadline: () => this.#onOldAge() });
      deadlines.set(this.#lifetime, maxDurationMs, this.connectedMs);
    }
    this.#codec = this.#pool.createCodec(this, socket);
    // What greets the peer may have found it gone.
    if (!this.isClosed) this.#pool.onConnected(this);
  }

  /** Nothing is under way any more. */
  rest(nowMs: number): void {
    const { idleTimeoutMs } = this.host.load.config.connection;
    if (idleTimeoutMs === 0) this.#deadline.cancel();
    else this.context.deadlines.set(this.#deadline, idleTimeoutMs, nowMs);
  }

  /** An exchange begins. */
  work(): void {
    this.#deadline.cancel();
  }

  /** Takes no more exchanges; closes with the last of them. */
  drain(): void {
    if (this.isDraining) return;
    this.isDraining = true;
    this.#pool.onDraining(this);
    if (this.#codec !== undefined && !this.isBusy) this.close();
  }

  #onOldAge(): void {
    this.host.load.connectionsMaxDuration++;
    this.drain();
  }

  /** Connecting took too long, or nobody needed the connection. */
  #onDeadline(): void {
    const { load } = this.host;
    if (this.#codec !== undefined) {
      load.connectionsIdleTimeout++;
      this.close();
      return;
    }
    load.connectTimeouts++;
    this.#failConnect(RESET.connectTimeout);
  }

  #failConnect(reason: ResetReason): void {
    this.#dialing.destroy();
    if (this.isClosed) return;
    this.#pool.onConnectFailed(reason, this.transportFailure);
    this.#release(true);
  }

  onBytes(buffer: Buffer, length: number): void {
    this.host.load.bytesReceived += length;
    if (!this.isClosed) this.#codec?.onBytes(buffer, length);
  }

  onEnd(): void {
    if (!this.isClosed) this.#codec?.onEnd();
  }

  onDrain(): void {
    if (!this.isClosed) this.#codec?.onDrain();
  }

  onClose(error: Error | undefined): void {
    if (this.isClosed) return;
    if (error instanceof TransportError) this.transportFailure = error.message;
    else if (this.#codec === undefined) this.transportFailure = describeConnectError(error);
    if (this.#codec === undefined) this.#failConnect(RESET.connectFailure);
    else this.#codec.onLost();
  }

  /** Closes it; `isRemote` says on whose account. A request that is under way is not told. */
  close(isRemote = false): void {
    this.#dialing.destroy();
    this.#release(isRemote);
  }

  #release(isRemote: boolean): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#deadline.cancel();
    this.#lifetime?.cancel();
    const { load } = this.host;
    load.countDestroyed(isRemote, this.isBusy);
    load.connectionLength.add(Math.floor(this.context.clock.monotonicMs() - this.connectStartMs));
    this.#codec?.onRelease(isRemote);
    this.host.onConnectionClosed(this.priority, this.#codec !== undefined);
    this.#pool.onClosed(this);
  }
}
