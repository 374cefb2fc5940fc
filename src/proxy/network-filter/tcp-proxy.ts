import type { Socket } from "node:net";
import { formatHostPort } from "../../base/ip.ts";
import type { Prng } from "../../base/prng.ts";
import { joinFlags } from "../../match/response-flags.ts";
import type { StreamInfo } from "../../match/stream-info.ts";
import type { SubsetCriteria } from "../../match/subset-criteria.ts";
import type { AccessLog, AccessLogConfig } from "../access-log/access-log.ts";
import { type Hash64, HashCell } from "../balance/hash64.ts";
import type { PickContext } from "../balance/pick-context.ts";
import { xxHash64 } from "../balance/xx-hash.ts";
import { PRIORITY } from "../cluster/breakers.ts";
import type { Host } from "../cluster/host.ts";
import type { ProxyContext } from "../context.ts";
import type { AcceptedConnection } from "../listener/accepted-connection.ts";
import { Deadline } from "../net/deadlines.ts";
import { Sender } from "../net/sender.ts";
import { HttpTunnel, type TunnelConfig } from "./http-tunnel.ts";
import type { Adopt, OpenConnection, TerminalFilterConfig } from "./network-filter.ts";
import { type TcpLogType, tcpStreamInfo } from "./tcp-stream-info.ts";
import { type FarEnd, TcpUpstream, type UpstreamEvents } from "./tcp-upstream.ts";

/** Where connections go, and what is asked there of a host's metadata. */
export interface TcpTarget {
  readonly cluster: string;
  readonly criteria: SubsetCriteria;
}

/** A TCP proxy, decoded and checked. */
export interface TcpProxyConfig {
  readonly statPrefix: string;
  readonly chooseTarget: (prng: Prng) => TcpTarget;
  /** For the cluster that another filter named. */
  readonly criteria: SubsetCriteria;
  /** Whether hash balancers go by the client's address; else by nothing. */
  readonly hashesSourceIp: boolean;
  /** Without a byte in either direction; 0 is none. */
  readonly idleTimeoutMs: number;
  /** From the beginning to the end of a connection; 0 is none. */
  readonly durationMsMax: number;
  readonly connectAttemptsMax: number;
  /** How bytes go through another proxy; `undefined` for straight to the host. */
  readonly tunnel: TunnelConfig | undefined;
  readonly accessLogs: readonly AccessLogConfig[];
  /** Between entries while it is open; 0 is none. */
  readonly logIntervalMs: number;
  /** Whether there is an entry as soon as the upstream is connected. */
  readonly logsConnected: boolean;
}

const ZERO = {
  downstream_cx_no_route: 0,
  downstream_cx_rx_bytes_total: 0,
  downstream_cx_total: 0,
  downstream_cx_tx_bytes_total: 0,
  downstream_flow_control_paused_reading_total: 0,
  downstream_flow_control_resumed_reading_total: 0,
  idle_timeout: 0,
  max_downstream_connection_duration: 0,
};

/** What all connections of one TCP proxy share. */
interface TcpService {
  readonly config: TcpProxyConfig;
  readonly context: ProxyContext;
  readonly logs: readonly AccessLog[];
  readonly counters: typeof ZERO;
}

/** The TCP proxy as the last filter of a chain. */
export function tcpProxy(config: TcpProxyConfig): TerminalFilterConfig {
  return {
    isTerminal: true,
    http: undefined,
    create({ context, logs: opener }) {
      const logs = config.accessLogs.map((log) => opener.open(log));
      const counters = context.counters.get(`tcp.${config.statPrefix}`, ZERO);
      const service: TcpService = { config, context, logs, counters };
      return {
        service: undefined,
        open: (connection, adopt, onEnd) => new TcpConnection(service, connection, adopt, onEnd),
        onRefused: (connection) => logRefused(service, connection),
      };
    },
  };
}

/** As in Envoy, the TCP proxy counts and logs what never came to it. */
function logRefused({ context, counters, logs }: TcpService, connection: AcceptedConnection): void {
  counters.downstream_cx_total++;
  if (logs.length === 0) return;
  const info = tcpStreamInfo({
    logType: "TcpConnectionEnd",
    connection,
    context,
    startMs: context.clock.monotonicMs(),
    wallMs: context.clock.nowMs(),
    flag: connection.flag,
    bytesReceived: 0,
    bytesSent: 0,
    cluster: "",
    attempts: 0,
    upstream: undefined,
  });
  for (const log of logs) log.log(info);
}

/**
 * One connection passed on byte by byte. Each direction ends by itself, so that a client may say
 * that it has sent all and still read the answer.
 */
class TcpConnection implements OpenConnection, PickContext {
  readonly connection: AcceptedConnection;
  readonly #service: TcpService;
  readonly #onEnd: (connection: OpenConnection) => void;
  readonly #socket: Socket;
  readonly #out: Sender;
  readonly #idle: Deadline;
  #duration: Deadline | undefined = undefined;
  #logInterval: Deadline | undefined = undefined;
  readonly #startMs: number;
  readonly #wallMs: number;
  #target: TcpTarget;
  #upstream: FarEnd | undefined = undefined;
  #lastUpstream: FarEnd | undefined = undefined;
  #attempts = 0;
  #flag = "";
  #lastMoveMs = 0;
  #isClientDone = false;
  #isClosed = false;
  bytesReceived = 0;
  bytesSent = 0;

  constructor(
    service: TcpService,
    connection: AcceptedConnection,
    adopt: Adopt,
    onEnd: (connection: OpenConnection) => void,
  ) {
    const { config, context } = service;
    this.#service = service;
    this.connection = connection;
    this.#onEnd = onEnd;
    this.#startMs = context.clock.monotonicMs();
    this.#wallMs = context.clock.nowMs();
    this.#idle = new Deadline({ onDeadline: () => this.#onIdle() });
    this.#socket = adopt(this);
    // As in Envoy, nothing is read until there is somebody to give it to.
    this.#socket.pause();
    if (service.logs.length > 0) connection.keepAddresses();
    if (connection.onGone !== undefined) connection.summary = () => this.#info("NotSet");
    this.#out = new Sender(this.#socket, context.flushQueue);
    service.counters.downstream_cx_total++;
    this.#moved();
    if (config.idleTimeoutMs !== 0) this.#setIdle();
    if (config.durationMsMax !== 0) this.#limitDuration(config.durationMsMax);
    if (config.logIntervalMs !== 0) this.#logFromTimeToTime(config.logIntervalMs);
    const { cluster } = connection;
    this.#target =
      cluster === undefined
        ? config.chooseTarget(context.prng)
        : { cluster, criteria: config.criteria };
    this.#connect();
  }

  readonly #events: UpstreamEvents = {
    onBytes: (buffer, length) => this.#onUpstreamBytes(buffer, length),
    onReady: () => this.#onUpstreamReady(),
    onEnd: () => this.#socket.end(),
    onClose: (isConnected, error, isRefused = false) => {
      this.#onUpstreamClose(isConnected, error, isRefused);
    },
    onDrain: () => this.#onUpstreamDrain(),
  };

  // What the choice of a host may depend on.
  get subsetCriteria(): SubsetCriteria {
    return this.#target.criteria;
  }
  get originalDestination(): string | undefined {
    const { isLocalRestored, local } = this.connection;
    return isLocalRestored ? formatHostPort(local.address, local.port) : undefined;
  }
  get requestedName(): string {
    return this.connection.serverName;
  }
  get requestedPort(): number | undefined {
    return this.connection.dynamicPort;
  }
  requestHeader(): undefined {
    return undefined;
  }
  hash(): Hash64 | undefined {
    const { address } = this.connection.remote;
    // The path of a Unix socket is none.
    if (!this.#service.config.hashesSourceIp || address === "" || address.startsWith("/")) return;
    const hash = new HashCell();
    xxHash64(address, hash);
    return hash;
  }
  readonly hostDrawsMax = 0;
  rejectsHost(): boolean {
    return false;
  }

  #connect(): void {
    const { context, counters } = this.#service;
    const cluster = context.findCluster(this.#target.cluster);
    if (cluster === undefined) {
      counters.downstream_cx_no_route++;
      return this.#close("NC");
    }
    const host = cluster.pick(this);
    if (host === undefined) {
      cluster.load.noneHealthy++;
      return this.#close("UH");
    }
    const { load } = cluster;
    const breakers = load.breakers[PRIORITY.default];
    if (!breakers.canConnect()) {
      load.connectionsOverflow++;
      return this.#close("UO");
    }
    this.#attempts++;
    const { tunnel } = this.#service.config;
    if (tunnel !== undefined) return this.#openTunnel(host, tunnel);
    if (!breakers.canWait()) {
      load.pendingOverflow++;
      return this.#onNoUpstream([]);
    }
    const client = this.connection;
    this.#use(new TcpUpstream(host, context, this.#events, PRIORITY.default, client));
  }

  #openTunnel(host: Host, config: TunnelConfig): void {
    const { context } = this.#service;
    const info = this.#info("TcpConnectionEnd");
    const client = this.connection;
    const tunnel = new HttpTunnel(host, { context, config, client, info, events: this.#events });
    this.#use(tunnel);
    tunnel.open();
  }

  #use(upstream: FarEnd): void {
    this.#upstream = upstream;
    this.#lastUpstream = upstream;
    if (this.#isClientDone) upstream.end();
  }

  onBytes(buffer: Buffer, length: number): void {
    this.#moved();
    this.bytesReceived += length;
    this.#service.counters.downstream_cx_rx_bytes_total += length;
    if (this.#upstream?.write(buffer, length) !== true) return;
    this.#service.counters.downstream_flow_control_paused_reading_total++;
    this.#socket.pause();
  }

  #onUpstreamDrain(): void {
    if (!this.#socket.isPaused()) return;
    this.#service.counters.downstream_flow_control_resumed_reading_total++;
    this.#socket.resume();
  }

  #onUpstreamReady(): void {
    this.#upstream?.host.outlier?.onConnectedOnly();
    this.#socket.resume();
    if (this.#service.config.logsConnected) this.#log("TcpUpstreamConnected");
  }

  #onUpstreamBytes(buffer: Buffer, length: number): void {
    this.#moved();
    this.bytesSent += length;
    this.#service.counters.downstream_cx_tx_bytes_total += length;
    this.#out.bytes(buffer, 0, length);
    this.#out.flushNow();
    if (this.#out.isFull) this.#upstream?.pause();
  }

  onEnd(): void {
    this.#isClientDone = true;
    this.#upstream?.end();
  }

  onDrain(): void {
    this.#upstream?.resume();
  }

  onClose(error: Error | undefined): void {
    // What one side breaks off does not end in order for the other.
    if (isReset(error)) this.#upstream?.reset();
    this.#close(this.#flag);
  }

  #onUpstreamClose(isConnected: boolean, error: Error | undefined, isRefused: boolean): void {
    if (!isConnected && !isRefused) this.#judge();
    const early = this.#upstream?.takeEarly() ?? [];
    this.#upstream = undefined;
    if (isConnected && isReset(error)) {
      if (this.connection.tls === undefined) this.#socket.resetAndDestroy();
      return this.#close("UR");
    }
    if (isConnected) {
      // What it sent last may still be on its way to the client.
      if (this.#socket.writableEnded) this.#socket.destroySoon();
      else this.#socket.end(() => this.#socket.destroySoon());
      return;
    }
    if (this.#isClosed) return;
    this.#flag = joinFlags(this.#flag, "UF");
    this.#onNoUpstream(early);
  }

  /** The host could not be reached. */
  #judge(): void {
    const outlier = this.#upstream?.host.outlier;
    if (this.#upstream?.isTooLate === true) outlier?.onTimeout(504);
    else outlier?.onUnreachable();
  }

  /** An attempt has failed; the next one gets what was to be sent. */
  #onNoUpstream(early: readonly Buffer[]): void {
    const { config, context } = this.#service;
    if (this.#attempts >= config.connectAttemptsMax) {
      const load = context.findCluster(this.#target.cluster)?.load;
      if (load !== undefined) load.connectAttemptsExceeded++;
      return this.#close("URX");
    }
    this.#connect();
    for (const bytes of early) this.#upstream?.write(bytes, bytes.length);
  }

  #moved(): void {
    this.#lastMoveMs = this.#service.context.clock.monotonicMs();
  }

  #setIdle(): void {
    const { config, context } = this.#service;
    context.deadlines.set(this.#idle, config.idleTimeoutMs, this.#lastMoveMs);
  }

  #onIdle(): void {
    // No clock is asked: one that stands still for a turn would have it wait on for ever.
    if (this.#lastMoveMs > this.#idle.sinceMs) return this.#setIdle();
    this.#service.counters.idle_timeout++;
    this.destroy();
  }

  #limitDuration(delayMs: number): void {
    const onDeadline = (): void => {
      this.#service.counters.max_downstream_connection_duration++;
      this.#close("DT");
    };
    this.#duration = new Deadline({ onDeadline });
    this.#service.context.deadlines.set(this.#duration, delayMs, this.#startMs);
  }

  #logFromTimeToTime(delayMs: number): void {
    const { deadlines, clock } = this.#service.context;
    const deadline = new Deadline({
      onDeadline: () => {
        this.#log("TcpPeriodic");
        deadlines.set(deadline, delayMs, clock.monotonicMs());
      },
    });
    this.#logInterval = deadline;
    deadlines.set(deadline, delayMs, clock.monotonicMs());
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
    this.#flag = joinFlags(this.#flag, flag);
    this.#idle.cancel();
    this.#duration?.cancel();
    this.#logInterval?.cancel();
    this.#upstream?.destroy();
    this.#socket.destroy();
    this.#log("TcpConnectionEnd");
    this.#onEnd(this);
  }

  #log(logType: TcpLogType): void {
    const { logs } = this.#service;
    if (logs.length === 0) return;
    const info = this.#info(logType);
    for (const log of logs) log.log(info);
  }

  #info(logType: TcpLogType): StreamInfo {
    const { context } = this.#service;
    return tcpStreamInfo({
      logType,
      connection: this.connection,
      context,
      startMs: this.#startMs,
      wallMs: this.#wallMs,
      flag: this.#flag,
      bytesReceived: this.bytesReceived,
      bytesSent: this.bytesSent,
      cluster: this.#flag === "NC" ? "" : this.#target.cluster,
      attempts: this.#attempts,
      upstream: this.#lastUpstream,
    });
  }
}

function isReset(error: Error | undefined): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === "ECONNRESET";
}
