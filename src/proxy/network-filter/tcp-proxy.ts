import type { Socket } from "node:net";
import type { Prng } from "../../base/prng.ts";
import type { PeerAddress, TlsInfo } from "../../match/connection-info.ts";
import type { AccessLog, AccessLogConfig } from "../access-log/access-log.ts";
import { PRIORITY } from "../cluster/breakers.ts";
import type { Host } from "../cluster/host.ts";
import type { ProxyContext } from "../context.ts";
import type { AcceptedConnection } from "../listener/accepted-connection.ts";
import { Deadline } from "../net/deadlines.ts";
import { Sender } from "../net/sender.ts";
import { localAddressOf, type SocketOwner } from "../net/socket.ts";
import type { Adopt, OpenConnection, TerminalFilterConfig } from "./network-filter.ts";
import { tcpStreamInfo } from "./tcp-stream-info.ts";

/** A TCP proxy, decoded and checked. */
export interface TcpProxyConfig {
  readonly statPrefix: string;
  readonly chooseCluster: (prng: Prng) => string;
  /** Without a byte in either direction; 0 is none. */
  readonly idleTimeoutMs: number;
  readonly connectAttemptsMax: number;
  readonly accessLogs: readonly AccessLogConfig[];
}

/** What came before the upstream was connected is kept up to here; then the client waits. */
const EARLY_BYTES_MAX = 65_536;

/** The TCP proxy as the last filter of a chain. */
export function tcpProxy(config: TcpProxyConfig): TerminalFilterConfig {
  return {
    isTerminal: true,
    http: undefined,
    create({ context, logFiles }) {
      const logs = config.accessLogs.map((log) => logFiles.open(log));
      return {
        service: undefined,
        open: (connection, adopt, onEnd) =>
          new TcpConnection(config, context, { connection, adopt, logs, onEnd }),
      };
    },
  };
}

/**
 * One connection passed on byte by byte. Each direction ends by itself, so that a client may say
 * that it has sent all and still read the answer.
 */
class TcpConnection implements OpenConnection {
  readonly connection: AcceptedConnection;
  readonly #config: TcpProxyConfig;
  readonly #context: ProxyContext;
  readonly #onEnd: (connection: OpenConnection) => void;
  readonly #logs: readonly AccessLog[];
  readonly #socket: Socket;
  readonly #out: Sender;
  readonly #deadline: Deadline;
  readonly #startMs: number;
  readonly #wallMs: number;
  #upstream: UpstreamSide | undefined = undefined;
  #lastUpstream: UpstreamSide | undefined = undefined;
  #attempts = 0;
  #cluster = "";
  #flag = "";
  #lastMoveMs = 0;
  #isClosed = false;
  bytesReceived = 0;
  bytesSent = 0;

  constructor(
    config: TcpProxyConfig,
    context: ProxyContext,
    options: {
      readonly connection: AcceptedConnection;
      readonly adopt: Adopt;
      readonly logs: readonly AccessLog[];
      readonly onEnd: (connection: OpenConnection) => void;
    },
  ) {
    this.#config = config;
    this.#context = context;
    this.#onEnd = options.onEnd;
    this.#logs = options.logs;
    this.connection = options.connection;
    this.#startMs = context.clock.monotonicMs();
    this.#wallMs = context.clock.nowMs();
    this.#deadline = new Deadline({ onDeadline: () => this.#onIdle() });
    this.#socket = options.adopt(this);
    if (this.#logs.length > 0) this.connection.keepAddresses();
    this.#out = new Sender(this.#socket, context.flushQueue);
    this.#moved();
    if (config.idleTimeoutMs !== 0) this.#setIdle();
    this.#connect();
  }

  #connect(): void {
    this.#attempts++;
    this.#cluster = this.#config.chooseCluster(this.#context.prng);
    const cluster = this.#context.findCluster(this.#cluster);
    const host = cluster?.pick();
    if (cluster === undefined || host === undefined) {
      if (cluster !== undefined) cluster.load.noneHealthy++;
      this.#close(cluster === undefined ? "NC" : "UH");
      return;
    }
    if (!host.canConnect(PRIORITY.default)) {
      cluster.load.connectionsOverflow++;
      this.#close("UO");
      return;
    }
    this.#upstream = new UpstreamSide(host, this.#context, {
      onBytes: (buffer, length) => this.#onUpstreamBytes(buffer, length),
      onReady: () => this.#socket.resume(),
      onEnd: () => this.#socket.end(),
      onClose: (isConnected) => this.#onUpstreamClose(isConnected),
      onDrain: () => this.#socket.resume(),
    });
    this.#lastUpstream = this.#upstream;
  }

  onBytes(buffer: Buffer, length: number): void {
    this.#moved();
    this.bytesReceived += length;
    if (this.#upstream?.write(buffer, length) === true) this.#socket.pause();
  }

  #onUpstreamBytes(buffer: Buffer, length: number): void {
    this.#moved();
    this.bytesSent += length;
    this.#out.bytes(buffer, 0, length);
    this.#out.flushNow();
    if (this.#out.isFull) this.#upstream?.pause();
  }

  onEnd(): void {
    this.#upstream?.end();
  }

  onDrain(): void {
    this.#upstream?.resume();
  }

  onClose(): void {
    this.#close(this.#flag);
  }

  #onUpstreamClose(isConnected: boolean): void {
    const early = this.#upstream?.takeEarly() ?? [];
    this.#upstream = undefined;
    if (!isConnected && !this.#isClosed && this.#attempts < this.#config.connectAttemptsMax) {
      this.#connect();
      for (const bytes of early) this.onBytes(bytes, bytes.length);
      return;
    }
    if (!isConnected) return this.#close("UF,URX");
    // What it sent last may still be on its way to the client.
    if (this.#socket.writableEnded) this.#socket.destroySoon();
    else this.#socket.end(() => this.#socket.destroySoon());
  }

  #moved(): void {
    this.#lastMoveMs = this.#context.clock.monotonicMs();
  }

  #setIdle(): void {
    this.#context.deadlines.set(this.#deadline, this.#config.idleTimeoutMs, this.#lastMoveMs);
  }

  #onIdle(): void {
    const idleMs = this.#context.clock.monotonicMs() - this.#lastMoveMs;
    if (idleMs < this.#config.idleTimeoutMs - 1) this.#setIdle();
    else this.destroy();
  }

  closeIfIdle(): void {
    // Bytes that are passed on have no pauses that mean anything.
  }

  /** Ends both sides at once. */
  destroy(): void {
    this.#close(this.#flag);
  }

  #close(flag: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#flag = flag;
    this.#deadline.cancel();
    this.#upstream?.destroy();
    this.#socket.destroy();
    if (this.#logs.length > 0) this.#writeLogs();
    this.#onEnd(this);
  }

  #writeLogs(): void {
    const info = tcpStreamInfo({
      connection: this.connection,
      context: this.#context,
      startMs: this.#startMs,
      wallMs: this.#wallMs,
      flag: this.#flag,
      bytesReceived: this.bytesReceived,
      bytesSent: this.bytesSent,
      cluster: this.#cluster,
      attempts: this.#attempts,
      upstream: this.#lastUpstream,
    });
    for (const log of this.#logs) log.log(info);
  }
}

interface UpstreamEvents {
  onBytes(buffer: Buffer, length: number): void;
  onReady(): void;
  onEnd(): void;
  onClose(isConnected: boolean): void;
  onDrain(): void;
}

/** The connection to the host, and what waits for it. */
class UpstreamSide implements SocketOwner {
  readonly host: Host;
  readonly connectStartMs: number;
  connectedMs = -1;
  tls: TlsInfo | undefined = undefined;
  localAddress: PeerAddress | undefined = undefined;
  readonly #context: ProxyContext;
  readonly #events: UpstreamEvents;
  readonly #socket: Socket;
  readonly #out: Sender;
  readonly #deadline: Deadline;
  #early: Buffer[] = [];
  #earlyBytes = 0;
  #isConnected = false;
  #isEndDue = false;
  #isClosed = false;

  constructor(host: Host, context: ProxyContext, events: UpstreamEvents) {
    this.host = host;
    this.#context = context;
    this.connectStartMs = context.clock.monotonicMs();
    this.#events = events;
    this.#deadline = new Deadline({ onDeadline: () => this.#socket.destroy() });
    this.#socket = host.connect(context.readBuffer, this, (tls) => this.#onConnect(tls));
    this.#out = new Sender(this.#socket, context.flushQueue);
    host.onConnectionOpened(PRIORITY.default);
    context.deadlines.set(this.#deadline, host.load.config.connectTimeoutMs, this.connectStartMs);
  }

  #onConnect(tls: TlsInfo | undefined): void {
    this.tls = tls;
    this.#isConnected = true;
    this.#deadline.cancel();
    this.connectedMs = this.#context.clock.monotonicMs();
    this.localAddress = localAddressOf(this.#socket);
    for (const bytes of this.takeEarly()) this.#socket.write(bytes);
    if (this.#isEndDue) this.#socket.end();
    this.#events.onReady();
  }

  /** Whether the client should wait. */
  write(buffer: Buffer, length: number): boolean {
    if (!this.#isConnected) {
      this.#early.push(Buffer.from(buffer.subarray(0, length)));
      this.#earlyBytes += length;
      return this.#earlyBytes > EARLY_BYTES_MAX;
    }
    this.#out.bytes(buffer, 0, length);
    this.#out.flushNow();
    return this.#out.isFull;
  }

  /** What was kept; the caller has it now. */
  takeEarly(): Buffer[] {
    const early = this.#early;
    this.#early = [];
    this.#earlyBytes = 0;
    return early;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#isEndDue = true;
    if (this.#isConnected) this.#socket.end();
  }

  destroy(): void {
    this.#isClosed = true;
    this.#socket.destroy();
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

  onClose(): void {
    this.#deadline.cancel();
    this.host.onConnectionClosed(PRIORITY.default, this.#isConnected);
    if (!this.#isClosed) this.#events.onClose(this.#isConnected);
  }
}
