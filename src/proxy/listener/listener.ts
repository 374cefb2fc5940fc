import { createServer, type Server, type Socket } from "node:net";
import { formatHostPort } from "../../base/ip.ts";
import type { LogFiles } from "../access-log/log-file.ts";
import type { ProxyContext } from "../context.ts";
import type { HttpService, RouteSource } from "../http/http-config.ts";
import { AcceptedConnection } from "./accepted-connection.ts";
import { Chain, type ChainEvents } from "./chain.ts";
import { Inspection, type InspectionPlan } from "./inspection.ts";
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

/**
 * One version of a listener with the connections it accepted. Its configuration never changes: an
 * update is another `Listener`, and this one's connections end under what they began with.
 *
 * A connection goes through the listener filters, then its filter chain is chosen, then that
 * chain's transport opens it, then its last filter has it.
 */
export class Listener {
  readonly config: ListenerConfig;
  readonly isDynamic: boolean;
  readonly #deps: ListenerDeps;
  readonly #chains: ReadonlyMap<FilterChainConfig, Chain>;
  readonly #defaultChain: Chain | undefined;
  /** `undefined` without listener filters: then nothing stands before the choice of the chain. */
  readonly #inspectionPlan: InspectionPlan | undefined;
  readonly #inspections = new Set<Inspection>();
  #onEmpty: (() => void) | undefined = undefined;
  connectionsTotal = 0;
  noChainMatch = 0;
  /** By listener filters: those that took too long, and those whose client went before. */
  inspectionTimeouts = 0;
  inspectionRemoteCloses = 0;
  transportTimeouts = 0;
  /** Where it really listens: a port that was 0 is known now. */
  boundAddresses: readonly { readonly address: string; readonly port: number }[] = [];

  constructor(config: ListenerConfig, isDynamic: boolean, deps: ListenerDeps) {
    this.config = config;
    this.isDynamic = isDynamic;
    this.#deps = deps;
    const events: ChainEvents = {
      onConnectionEnd: () => this.#checkEmpty(),
      onTransportTimeout: () => this.transportTimeouts++,
    };
    this.#chains = new Map(
      config.chains.map((chain) => [chain, new Chain(chain, deps, events)] as const),
    );
    this.#defaultChain = config.defaultChain && new Chain(config.defaultChain, deps, events);
    if (config.listenerFilters.length > 0) this.#inspectionPlan = this.#createPlan();
  }

  #createPlan(): InspectionPlan {
    const { listenerFilters, listenerFiltersTimeoutMs, continuesOnTimeout } = this.config;
    return {
      steps: listenerFilters.map((filter) => ({
        filter: filter.create(),
        isDisabled: filter.isDisabled,
      })),
      timeoutMs: listenerFiltersTimeoutMs,
      continuesOnTimeout,
      onInspected: (connection, peeked) => this.#choose(connection, peeked),
      onTimeout: () => this.inspectionTimeouts++,
      onRemoteClose: () => this.inspectionRemoteCloses++,
      onEnd: (inspection) => {
        this.#inspections.delete(inspection);
        this.#checkEmpty();
      },
    };
  }

  #allChains(): readonly Chain[] {
    const chains = [...this.#chains.values()];
    return this.#defaultChain === undefined ? chains : [...chains, this.#defaultChain];
  }

  /** Of its connection managers, for statistics; other chains have none. */
  get services(): readonly HttpService[] {
    return this.#allChains().flatMap(({ terminal }) => terminal.service ?? []);
  }

  /** Those that have their filter chain. */
  get connectionsActive(): number {
    return this.#allChains().reduce((sum, chain) => sum + chain.connectionsActive, 0);
  }

  /** Those that listener filters still look at. */
  get inspectionsActive(): number {
    return this.#inspections.size;
  }

  /** The RDS names without which it cannot answer. */
  get rdsNames(): readonly string[] {
    return this.services.map(({ config }) => config.rdsName).filter((name) => name !== "");
  }

  /** Whether the routes and secrets of all its chains have come. */
  get isReady(): boolean {
    return this.#allChains().every(({ isReady }) => isReady);
  }

  /** Takes a connection that one of its sockets accepted. */
  accept(socket: Socket): void {
    this.connectionsTotal++;
    const connection = new AcceptedConnection(socket);
    if (this.#inspectionPlan === undefined) {
      this.#choose(connection, undefined);
      return;
    }
    const inspection = new Inspection(connection, this.#inspectionPlan);
    this.#inspections.add(inspection);
    inspection.start(this.#deps.context);
  }

  #choose(connection: AcceptedConnection, peeked: Buffer | undefined): void {
    const chain = this.#findChain(connection);
    if (chain === undefined) {
      this.noChainMatch++;
      connection.socket.destroy();
      return;
    }
    chain.open(connection, peeked);
  }

  #findChain(connection: AcceptedConnection): Chain | undefined {
    const found = this.config.findChain(connection);
    return found === undefined ? this.#defaultChain : this.#chains.get(found);
  }

  #checkEmpty(): void {
    if (this.#onEmpty !== undefined && this.#isEmpty) this.#onEmpty();
  }

  get #isEmpty(): boolean {
    return this.connectionsActive === 0 && this.#inspections.size === 0;
  }

  /**
   * Lets its connections end: each after its next response, and those that are still there after
   * `drainMs` at once. Idle ones go now only when `closesIdle` says so: a client may be writing to
   * one this very moment.
   */
  async drain(drainMs: number, closesIdle: boolean): Promise<void> {
    for (const chain of this.#allChains()) chain.startDraining(closesIdle);
    if (!this.#isEmpty) {
      await new Promise<void>((resolve) => {
        const timer = this.#deps.context.clock.setTimer(drainMs, resolve);
        this.#onEmpty = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    for (const inspection of this.#inspections) inspection.destroy();
    for (const chain of this.#allChains()) chain.close();
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
