import type { Socket } from "node:net";
import type { PeerAddress, TlsInfo } from "../../match/connection-info.ts";
import { PRIORITY, type Priority } from "../cluster/breakers.ts";
import type { Host } from "../cluster/host.ts";
import type { ProxyContext } from "../context.ts";
import { Deadline } from "../net/deadlines.ts";
import type { Dialing } from "../net/dial.ts";
import { Sender } from "../net/sender.ts";
import { localAddressOf, type SocketOwner } from "../net/socket.ts";

/** What the connection to a host tells the one that it stands behind. */
export interface UpstreamEvents {
  onBytes(buffer: Buffer, length: number): void;
  onReady(): void;
  onEnd(): void;
  onClose(isConnected: boolean, error: Error | undefined): void;
  onDrain(): void;
}

/** The connection to the host, and what waits for it. */
export class TcpUpstream implements SocketOwner {
  readonly host: Host;
  readonly connectStartMs: number;
  connectedMs = -1;
  tls: TlsInfo | undefined = undefined;
  localAddress: PeerAddress | undefined = undefined;
  remoteAddress: PeerAddress | undefined = undefined;
  readonly #context: ProxyContext;
  readonly #events: UpstreamEvents;
  /** What is being connected, or is open. */
  #dialing: Dialing;
  #socket: Socket | undefined = undefined;
  /** What it sends, once it is connected; before that `write` keeps it. */
  out: Sender | undefined = undefined;
  readonly #priority: Priority;
  readonly #deadline: Deadline;
  #early: Buffer[] = [];
  /** Whether connecting took too long. */
  isTooLate = false;
  #isConnected = false;
  #isEndDue = false;
  #isClosed = false;

  constructor(
    host: Host,
    context: ProxyContext,
    events: UpstreamEvents,
    priority: Priority = PRIORITY.default,
  ) {
    this.#priority = priority;
    this.host = host;
    this.#context = context;
    this.connectStartMs = context.clock.monotonicMs();
    this.#events = events;
    this.#deadline = new Deadline({ onDeadline: () => this.#onTimeout() });
    this.#dialing = host.connect(context, this, (socket, tls) => this.#onConnect(socket, tls));
    host.onConnectionOpened(priority);
    context.deadlines.set(this.#deadline, host.load.config.connectTimeoutMs, this.connectStartMs);
  }

  #onTimeout(): void {
    this.isTooLate = true;
    this.host.load.connectTimeouts++;
    this.#dialing.destroy();
  }

  #onConnect(socket: Socket, tls: TlsInfo | undefined): void {
    this.#dialing = socket;
    this.#socket = socket;
    this.out = new Sender(socket, this.#context.flushQueue);
    this.tls = tls;
    this.#isConnected = true;
    this.#deadline.cancel();
    this.connectedMs = this.#context.clock.monotonicMs();
    this.host.load.connectTime.add(Math.floor(this.connectedMs - this.connectStartMs));
    this.localAddress = localAddressOf(socket);
    this.remoteAddress = this.host.remoteAddressOn(socket);
    for (const bytes of this.takeEarly()) socket.write(bytes);
    if (this.#isEndDue) socket.end();
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
    this.#socket?.end();
  }

  /** Breaks it off, for the host to see. */
  reset(): void {
    this.#isClosed = true;
    if (this.tls === undefined && this.#socket !== undefined) this.#socket.resetAndDestroy();
    else this.#dialing.destroy();
  }

  destroy(): void {
    this.#isClosed = true;
    this.#dialing.destroy();
  }

  onBytes(buffer: Buffer, length: number): void {
    this.#events.onBytes(buffer, length);
  }

  onEnd(): void {
    this.#events.onEnd();
  }

  onDrain(): void {
    this.#events.onDrain();
  }

  onClose(error: Error | undefined): void {
    this.#deadline.cancel();
    this.host.onConnectionClosed(this.#priority, this.#isConnected);
    if (!this.#isClosed) this.#events.onClose(this.#isConnected, error);
  }
}
