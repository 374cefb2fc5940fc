import { createServer, type Server, type Socket } from "node:net";
import { formatHostPort } from "../../base/ip.ts";
import { matchFilterChain } from "../../match/filter-chain.ts";
import type { AccessLog } from "../access-log/access-log.ts";
import type { LogFiles } from "../access-log/log-file.ts";
import type { ProxyContext } from "../context.ts";
import type { HttpService, RouteSource } from "../http/http-config.ts";
import { ServerConnection } from "../http/server-connection.ts";
import { adoptSocket } from "../net/socket.ts";
import { TcpConnection } from "../network-filter/tcp-proxy.ts";
import type { FilterChainConfig, ListenerConfig } from "./listener-config.ts";

/** A bound address; it stays open while one listener takes the place of another. */
export interface BoundSocket {
  readonly key: string;
  readonly server: Server;
  /** Who gets its connections now. */
  owner: Listener;
}

/** What listeners need besides their configuration. */
export interface ListenerDeps {
  readonly context: ProxyContext;
  readonly logFiles: LogFiles;
  readonly routeSource: (rdsName: string) => RouteSource;
  /** A listener that was replaced or removed has no connections any more. */
  readonly onDrained: () => void;
}

type Connection = ServerConnection | TcpConnection;

/** A chain ready to take connections. */
interface Chain {
  readonly name: string;
  readonly destinationPort: number | undefined;
  readonly service: HttpService | undefined;
  readonly open: (socket: Socket) => Connection;
}

/**
 * One version of a listener with the connections it accepted. Its configuration never changes: an
 * update is another `Listener`, and this one's connections end under what they began with.
 */
export class Listener {
  readonly config: ListenerConfig;
  readonly isDynamic: boolean;
  /** By network filter, for statistics; a TCP chain has none. */
  readonly services: readonly HttpService[];
  readonly #deps: ListenerDeps;
  readonly #chains: readonly Chain[];
  readonly #defaultChain: Chain | undefined;
  readonly #connections = new Set<Connection>();
  #onEmpty: (() => void) | undefined = undefined;
  connectionsTotal = 0;
  noChainMatch = 0;
  /** Where it really listens: a port that was 0 is known now. */
  boundAddresses: readonly { readonly address: string; readonly port: number }[] = [];

  constructor(config: ListenerConfig, isDynamic: boolean, deps: ListenerDeps) {
    this.config = config;
    this.isDynamic = isDynamic;
    this.#deps = deps;
    this.#chains = config.chains.map((chain) => this.#createChain(chain));
    this.#defaultChain = config.defaultChain && this.#createChain(config.defaultChain);
    const all = [
      ...this.#chains,
      ...(this.#defaultChain === undefined ? [] : [this.#defaultChain]),
    ];
    this.services = all.flatMap(({ service }) => service ?? []);
  }

  get connectionsActive(): number {
    return this.#connections.size;
  }

  /** The RDS names without which it cannot answer. */
  get rdsNames(): readonly string[] {
    return this.services.map(({ config }) => config.rdsName).filter((name) => name !== "");
  }

  /** Whether the routes of all its chains have come. */
  get isReady(): boolean {
    return this.services.every(({ routes }) => routes.current !== undefined);
  }

  #createChain({ name, destinationPort, filter }: FilterChainConfig): Chain {
    const { context } = this.#deps;
    const accessLogs = filter.config.accessLogs.map((log) => this.#deps.logFiles.open(log));
    const onEnd = (connection: Connection): void => this.#forget(connection);
    const { readBuffer } = context;
    if (filter.kind === "tcp") {
      const open = (socket: Socket): Connection =>
        new TcpConnection(filter.config, context, {
          adopt: (owner) => adoptSocket(socket, readBuffer, owner),
          logs: accessLogs,
          onEnd,
        });
      return { name, destinationPort, service: undefined, open };
    }
    const service = this.#createService(filter.config, accessLogs);
    const end = { onConnectionEnd: onEnd };
    const open = (socket: Socket): Connection =>
      new ServerConnection(service, context, end, (owner) =>
        adoptSocket(socket, readBuffer, owner),
      );
    return { name, destinationPort, service, open };
  }

  #createService(config: HttpService["config"], accessLogs: readonly AccessLog[]): HttpService {
    return {
      config,
      accessLogs,
      routes:
        config.rdsName === ""
          ? { current: config.inlineRoutes }
          : this.#deps.routeSource(config.rdsName),
      stats: {
        connectionsTotal: 0,
        connectionsActive: 0,
        requestsTotal: 0,
        requestsActive: 0,
        classes: [0, 0, 0, 0, 0, 0],
      },
      isDraining: false,
    };
  }

  /** Takes a connection that one of its sockets accepted. */
  accept(socket: Socket): void {
    this.connectionsTotal++;
    const chain = matchFilterChain(this.#chains, socket.localPort ?? 0) ?? this.#defaultChain;
    if (chain === undefined) {
      this.noChainMatch++;
      socket.destroy();
      return;
    }
    this.#connections.add(chain.open(socket));
  }

  #forget(connection: Connection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#onEmpty?.();
  }

  /**
   * Lets its connections end: each after its next response, and those that are still there after
   * `drainMs` at once. Idle ones go now only when `closesIdle` says so: a client may be writing to
   * one this very moment.
   */
  async drain(drainMs: number, closesIdle: boolean): Promise<void> {
    for (const service of this.services) service.isDraining = true;
    for (const connection of this.#connections) {
      if (closesIdle && connection instanceof ServerConnection) connection.closeIfIdle();
    }
    if (this.#connections.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = this.#deps.context.clock.setTimer(drainMs, resolve);
      this.#onEmpty = () => {
        timer.cancel();
        resolve();
      };
    });
    for (const connection of this.#connections) connection.destroy();
  }
}

/** Binds one address; rejects with a message that names it. */
export function bindSocket(
  { host, port }: { readonly host: string; readonly port: number },
  owner: Listener,
): Promise<BoundSocket> {
  const key = formatHostPort(host, port);
  return new Promise((resolve, reject) => {
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true });
    const bound: BoundSocket = { key, server, owner };
    server.once("error", (error) => {
      reject(new Error(`cannot bind '${key}': ${error.message}`, { cause: error }));
    });
    server.on("connection", (socket) => bound.owner.accept(socket));
    server.listen({ host, port, backlog: owner.config.backlog }, () => {
      server.removeAllListeners("error");
      // Too many open files: the next accept may succeed again.
      server.on("error", () => undefined);
      resolve(bound);
    });
  });
}
