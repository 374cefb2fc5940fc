import type { Socket } from "node:net";
import type { PeerAddress, TlsInfo } from "../../match/connection-info.ts";
import { type Breakers, PRIORITY, type Priority } from "../cluster/breakers.ts";
import type { FragileConnection, Host, Queued } from "../cluster/host.ts";
import type { DialClient } from "../cluster/host-dial.ts";
import type { ProxyContext } from "../context.ts";
import { Deadline } from "../net/deadlines.ts";
import type { Dialing, OnConnect } from "../net/dial.ts";
import { Sender } from "../net/sender.ts";
import { describeConnectError, localAddressOf, type SocketOwner } from "../net/socket.ts";
import { TransportError } from "../tls/tls-error.ts";

/** What the connection to a host tells the one that it stands behind. */
export interface UpstreamEvents {
  onBytes(buffer: Buffer, length: number): void;
  onReady(): void;
  onEnd(): void;
  /** `isRefused`: it was reached, and did not take the connection. */
  onClose(isConnected: boolean, error: Error | undefined, isRefused?: boolean): void;
  onDrain(): void;
}

/** The other side of a client's connection, whatever carries the bytes there. */
export interface FarEnd {
  readonly host: Host;
  /** Of its connection; 0 where it was never made. */
  readonly id: number;
  readonly connectStartMs: number;
  /** -1 when it was never made. */
  readonly connectedMs: number;
  readonly tls: TlsInfo | undefined;
  readonly localAddress: PeerAddress | undefined;
  readonly remoteAddress: PeerAddress | undefined;
  /** Whether connecting took too long. */
  readonly isTooLate: boolean;
  /** Why it could not be made, in the words of TLS or the system; "" where it took too long. */
  readonly transportFailure: string;
  /** Whether the client should wait; what comes before it is ready is kept. */
  write(buffer: Buffer, length: number): boolean;
  /** What was kept; the caller has it now. */
  takeEarly(): Buffer[];
  pause(): void;
  resume(): void;
  /** The client sends no more. */
  end(): void;
  /** Breaks it off, for the host to see. */
  reset(): void;
  destroy(): void;
}

/** How one side of a connection that both may end came to its end. */
type EndedBy = "us" | "peer" | undefined;

/**
 * The connection to the host for one connection or tunnel of a client, and what waits for it. It
 * counts as Envoy's pool of such connections does: a request that waits until it is connected, and
 * is under way after. Where the breakers allow no more connections it waits for the end of another
 * one to the same host.
 */
export class TcpUpstream implements FarEnd, SocketOwner, Queued, FragileConnection {
  readonly host: Host;
  readonly id: number;
  connectStartMs: number;
  connectedMs = -1;
  tls: TlsInfo | undefined = undefined;
  localAddress: PeerAddress | undefined = undefined;
  remoteAddress: PeerAddress | undefined = undefined;
  transportFailure = "";
  readonly #context: ProxyContext;
  readonly #events: UpstreamEvents;
  readonly #client: DialClient | undefined;
  /** What is being connected, or is open. */
  #dialing: Dialing | undefined = undefined;
  #socket: Socket | undefined = undefined;
  /** What it sends, once it is connected; before that `write` keeps it. */
  out: Sender | undefined = undefined;
  readonly #priority: Priority;
  readonly #breakers: Breakers;
  readonly #deadline: Deadline;
  #early: Buffer[] = [];
  /** Whether connecting took too long. */
  isTooLate = false;
  #state: "queued" | "connecting" | "open" | "closed" = "queued";
  #firstEnd: EndedBy = undefined;
  #isEndDue = false;
  #isPeerDone = false;
  #isSilent = false;

  constructor(
    host: Host,
    context: ProxyContext,
    events: UpstreamEvents,
    priority: Priority = PRIORITY.default,
    client?: DialClient,
  ) {
    this.#client = client;
    const { load } = host;
    this.#priority = priority;
    this.#breakers = load.breakers[priority];
    this.host = host;
    this.id = context.nextConnectionId();
    this.#context = context;
    this.connectStartMs = context.clock.monotonicMs();
    this.#events = events;
    this.#deadline = new Deadline({ onDeadline: () => this.#onTimeout() });
    this.#breakers.pending++;
    load.pendingTotal++;
    if (!this.tryConnect()) host.queue.push(this);
  }

  tryConnect(): boolean {
    const { host } = this;
    const { load } = host;
    const isAllowed = host.canConnect(this.#priority);
    if (!isAllowed) load.connectionsOverflow++;
    // A host without any gets one in any case, or it would starve (Envoy does the same).
    if (!isAllowed && host.activeConnections > 0) return false;
    this.#state = "connecting";
    const { clock, deadlines } = this.#context;
    this.connectStartMs = clock.monotonicMs();
    const onConnect: OnConnect = (socket, info) => this.#onConnect(socket, info);
    this.#dialing = host.connect(this.#context, this, onConnect, this.#client);
    host.onConnectionOpened(this.#priority);
    if (load.config.closesOnHostFailure) host.fragile.add(this);
    deadlines.set(this.#deadline, load.config.connectTimeoutMs, this.connectStartMs);
    return true;
  }

  #onTimeout(): void {
    this.isTooLate = true;
    this.host.load.connectTimeouts++;
    this.#dialing?.destroy();
  }

  #onConnect(socket: Socket, tls: TlsInfo | undefined): void {
    const { host } = this;
    const { load } = host;
    this.#dialing = socket;
    this.#socket = socket;
    const out = new Sender(socket, this.#context.flushQueue);
    this.out = out;
    this.tls = tls;
    this.#deadline.cancel();
    this.connectedMs = this.#context.clock.monotonicMs();
    load.connectTime.add(Math.floor(this.connectedMs - this.connectStartMs));
    this.localAddress = localAddressOf(socket);
    this.remoteAddress = host.remoteAddressOn(socket);
    // Unlike requests of HTTP, these are not bound by number: Envoy counts them only.
    this.#state = "open";
    this.#breakers.pending--;
    host.onRequestStarted(this.#priority);
    for (const bytes of this.takeEarly()) out.bytes(bytes, 0, bytes.length);
    out.flushNow();
    if (this.#isEndDue) this.#endSocket();
    this.#events.onReady();
  }

  /** Whether the client should wait; before it is connected only what listener filters read comes. */
  write(buffer: Buffer, length: number): boolean {
    if (this.out === undefined) {
      this.#early.push(Buffer.from(buffer.subarray(0, length)));
      return false;
    }
    this.out.bytes(buffer, 0, length);
    this.out.flushNow();
    return this.out.isFull;
  }

  /** What was kept; the caller has it now. */
  takeEarly(): Buffer[] {
    const early = this.#early;
    this.#early = [];
    return early;
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  end(): void {
    this.#isEndDue = true;
    this.#endSocket();
  }

  #endSocket(): void {
    if (this.#socket === undefined) return;
    this.#firstEnd ??= "us";
    this.#socket.end();
  }

  /** Breaks it off, for the host to see. */
  reset(): void {
    const socket = this.tls === undefined ? this.#socket : undefined;
    this.#leave();
    if (socket === undefined) this.#dialing?.destroy();
    else socket.resetAndDestroy();
  }

  destroy(): void {
    this.#leave();
    this.#dialing?.destroy();
  }

  /** Nobody is told of it any more. */
  #leave(): void {
    this.#isSilent = true;
    const isWaiting = this.#state === "queued" || this.#state === "connecting";
    if (isWaiting && !this.isTooLate) this.host.load.requestsCancelled++;
    // Where both sides have ended in order, the one that was last has closed it.
    this.#countEnd(this.#isPeerDone && this.#firstEnd === "us");
  }

  onBytes(buffer: Buffer, length: number): void {
    this.host.load.bytesReceived += length;
    this.#events.onBytes(buffer, length);
  }

  onEnd(): void {
    this.#firstEnd ??= "peer";
    this.#isPeerDone = true;
    this.#events.onEnd();
  }

  onDrain(): void {
    this.#events.onDrain();
  }

  onHostFailed(): void {
    // It is closed from this side, and then it has an end like any other.
    this.#countEnd(false);
    this.#dialing?.destroy();
  }

  onClose(error: Error | undefined): void {
    const wasConnected = this.#socket !== undefined;
    if (!wasConnected && !this.isTooLate) this.transportFailure = failureOf(error);
    if (!wasConnected && !this.#isSilent) this.host.load.pendingFailures++;
    this.#countEnd(!this.isTooLate && this.#firstEnd !== "peer");
    if (!this.#isSilent) this.#events.onClose(wasConnected, error);
  }

  #countEnd(isRemote: boolean): void {
    if (this.#state === "closed") return;
    const { host } = this;
    const { load } = host;
    const wasOpen = this.#state === "open";
    const wasQueued = this.#state === "queued";
    this.#state = "closed";
    this.#deadline.cancel();
    host.fragile.delete(this);
    if (wasOpen) host.onRequestEnded(this.#priority);
    else this.#breakers.pending--;
    if (wasQueued) {
      const at = host.queue.indexOf(this);
      if (at !== -1) host.queue.splice(at, 1);
      return;
    }
    load.countDestroyed(isRemote, wasOpen);
    load.bytesSent += this.out?.bytesSent ?? 0;
    load.connectionLength.add(Math.floor(this.#context.clock.monotonicMs() - this.connectStartMs));
    host.onConnectionClosed(this.#priority, this.#socket !== undefined);
  }
}

function failureOf(error: Error | undefined): string {
  return error instanceof TransportError ? error.message : describeConnectError(error);
}
