import { createServer, type Server, type Socket } from "node:net";
import { formatHostPort } from "../../base/ip.ts";
import type { LogFiles } from "../access-log/log-file.ts";
import type { ProxyContext } from "../context.ts";
import type { HttpService, RouteSource } from "../http/http-config.ts";
import { AcceptedConnection } from "./accepted-connection.ts";
import { Chain, type ChainOwner } from "./chain.ts";
import { Inspection, type InspectionPlan } from "./inspection.ts";
import type { FilterChainConfig, ListenerConfig } from "./listener-config.ts";
import {
  type ListenerCounters,
  listenerCounters,
  listenerPrefix,
  unboundCounters,
} from "./listener-counters.ts";

/** A bound address; it stays open while one listener takes the place of another. */
export interface BoundSocket {
  readonly key: string;
  readonly server: Server;
  /** Who gets its connections now. */
  owner: Listener;
}

/** A local address, resolved. */
export interface BoundAddress {
  readonly address: string;
  readonly port: number;
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
export class Listener implements ChainOwner {
  readonly config: ListenerConfig;
  readonly isDynamic: boolean;
  readonly #deps: ListenerDeps;
  readonly #chains: ReadonlyMap<FilterChainConfig, Chain>;
  readonly #defaultChain: Chain | undefined;
  /** `undefined` without listener filters: then nothing stands before the choice of the chain. */
  readonly #inspectionPlan: InspectionPlan | undefined;
  readonly #inspections = new Set<Inspection>();
  #onEmpty: (() => void) | undefined = undefined;
  #counters = unboundCounters();
  #boundAddresses: readonly BoundAddress[] = [];

  constructor(config: ListenerConfig, isDynamic: boolean, deps: ListenerDeps) {
    this.config = config;
    this.isDynamic = isDynamic;
    this.#deps = deps;
    this.#chains = new Map(
      config.chains.map((chain) => [chain, new Chain(chain, deps, this)] as const),
    );
    this.#defaultChain = config.defaultChain && new Chain(config.defaultChain, deps, this);
    if (config.listenerFilters.length > 0) this.#inspectionPlan = this.#createPlan();
  }

  #createPlan(): InspectionPlan {
    const { listenerFilters, listenerFiltersTimeoutMs, continuesOnTimeout } = this.config;
    return {
      steps: listenerFilters.map(({ config, isDisabled }) => ({
        filter: config.create(this.#deps),
        isDisabled,
      })),
      timeoutMs: listenerFiltersTimeoutMs,
      continuesOnTimeout,
      onInspected: (connection, peeked) => this.#choose(connection, peeked),
      onTimeout: () => this.counters.downstream_pre_cx_timeout++,
      onRemoteClose: () => this.counters.downstream_listener_filter_remote_close++,
      onEnd: (inspection) => {
        this.#inspections.delete(inspection);
        this.counters.downstream_pre_cx_active--;
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

  get counters(): ListenerCounters {
    return this.#counters;
  }

  /** Where it really listens: a port that was 0 is known now. */
  get boundAddresses(): readonly BoundAddress[] {
    return this.#boundAddresses;
  }

  /** Its sockets are bound; only now the address is known that its counters are named after. */
  setBound(addresses: readonly BoundAddress[]): void {
    this.#boundAddresses = addresses;
    const [own] = addresses;
    if (own === undefined) return;
    const { counters } = this.#deps.context;
    const address = formatHostPort(own.address, own.port);
    this.#counters = listenerCounters(counters, this.config.statPrefix, address);
    const prefix = listenerPrefix(this.config.statPrefix, address);
    for (const { transport } of this.#allChains()) transport?.countUnder(prefix);
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
    const connection = new AcceptedConnection(socket);
    if (this.#inspectionPlan === undefined) {
      this.#choose(connection, undefined);
      return;
    }
    const inspection = new Inspection(connection, this.#inspectionPlan);
    this.#inspections.add(inspection);
    this.counters.downstream_pre_cx_active++;
    inspection.start(this.#deps.context);
  }

  #choose(connection: AcceptedConnection, peeked: Buffer | undefined): void {
    const chain = this.#findChain(connection);
    if (chain === undefined) {
      this.counters.no_filter_chain_match++;
      connection.socket.destroy();
      return;
    }
    chain.open(connection, peeked);
  }

  #findChain(connection: AcceptedConnection): Chain | undefined {
    const found = this.config.findChain(connection);
    return found === undefined ? this.#defaultChain : this.#chains.get(found);
  }

  onConnectionEnd(): void {
    this.#checkEmpty();
  }

  #checkEmpty(): void {
    if (this.#onEmpty !== undefined && this.#isEmpty) this.#onEmpty();
  }

  get #isEmpty(): boolean {
    const isIdle = ({ connectionsActive }: Chain): boolean => connectionsActive === 0;
    return this.#inspections.size === 0 && this.#allChains().every(isIdle);
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
