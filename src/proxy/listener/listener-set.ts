import type { Server, Socket } from "node:net";
import type { PeerAddress } from "../../match/connection-info.ts";
import type { Logger } from "../../telemetry/log.ts";
import { AcceptGate } from "../overload/accept-gate.ts";
import type { DrainScope } from "./drain.ts";
import {
  closeKeepingPath,
  formatListenAddress,
  type ListenAddress,
  OWN_SOCKETS,
  type SocketSource,
} from "./listen-address.ts";
import { type BoundAddress, Listener, type ListenerDeps } from "./listener.ts";
import type { ListenerConfig } from "./listener-config.ts";

/** A bound address; it stays open while one listener takes the place of another. */
interface BoundSocket {
  readonly key: string;
  readonly server: Server;
  /** Whether another process has it too. */
  isShared: boolean;
  /** Who gets its connections now. */
  owner: Listener;
}

/** The listeners of a proxy: bound, replaced and removed as the configuration says. */
export class ListenerSet {
  readonly #deps: ListenerDeps;
  readonly #sources: SocketSource;
  readonly #log: Logger;
  /** `undefined` where nobody looks at overload. */
  readonly #gate: AcceptGate | undefined;
  readonly #active = new Map<string, Listener>();
  /** Those that wait for their routes; the older one of that name serves meanwhile. */
  readonly #warming = new Map<string, Listener>();
  readonly #sockets = new Map<string, BoundSocket>();
  readonly #draining = new Set<Listener>();
  /** Binding takes time; changes are made one after the other. */
  #queue: Promise<void> = Promise.resolve();
  #isStopped = false;
  /** Those that accept no more, though they are there. */
  #stoppedScope: DrainScope | undefined = undefined;
  readonly #counters: { listener_stopped: number };

  constructor(deps: Omit<ListenerDeps, "findByAddress">, sockets: SocketSource = OWN_SOCKETS) {
    this.#sources = sockets;
    this.#deps = { ...deps, findByAddress: (address) => this.#findByAddress(address) };
    this.#log = deps.context.log;
    this.#counters = deps.context.counters.get("listener_manager", { listener_stopped: 0 });
    const { overload } = deps.context;
    this.#gate = overload && new AcceptGate(overload);
  }

  /** Those that were replaced or removed and still have connections. */
  get drainingCount(): number {
    return this.#draining.size;
  }

  get warming(): readonly Listener[] {
    return [...this.#warming.values()];
  }

  get active(): readonly Listener[] {
    return [...this.#active.values()];
  }

  /** The newest of that name: the one that waits, or else the one that serves. */
  newestOf(name: string): Listener | undefined {
    return this.#warming.get(name) ?? this.#active.get(name);
  }

  get isWarming(): boolean {
    return this.#warming.size > 0;
  }

  /**
   * The routes that listeners use. A draining one counts: a connection that it left open sends its
   * next request by the newest routes too.
   */
  rdsNames(): ReadonlySet<string> {
    const all = [...this.#active.values(), ...this.#warming.values(), ...this.#draining];
    return new Set(all.flatMap(({ rdsNames }) => rdsNames));
  }

  /**
   * Takes a listener, new or changed. It becomes active when its routes are there, and keeps the
   * older one of that name until then. Rejects when an address cannot be bound; then nothing has
   * changed.
   */
  put(config: ListenerConfig, isDynamic: boolean): Promise<void> {
    return this.#enqueue(() => this.#put(config, isDynamic));
  }

  async #put(config: ListenerConfig, isDynamic: boolean): Promise<void> {
    const { name } = config;
    const active = this.#active.get(name);
    const current = this.newestOf(name);
    if (current !== undefined && Buffer.compare(current.config.body, config.body) === 0) return;
    this.#refuseTaken(config);
    const listener = new Listener(config, isDynamic, this.#deps, active);
    try {
      if (listener.isReady) await this.#activate(listener);
      // Whether it can be bound shows now, while there is somebody to tell.
      else await this.#probe(listener, active);
    } catch (error) {
      listener.discard();
      throw error;
    }
    this.#warming.get(name)?.discard();
    this.#warming.delete(name);
    if (this.#active.get(name) !== listener && !this.#isStopped) this.#warming.set(name, listener);
  }

  /** Two listeners cannot have one address; port 0 is another each time. */
  #refuseTaken({ name, addresses, bindsToPort }: ListenerConfig): void {
    for (const address of addresses) {
      const key = formatListenAddress(address);
      const owner = this.#sockets.get(key)?.owner.config.name;
      if (!bindsToPort || owner === undefined || owner === name) continue;
      if ("port" in address && address.port === 0) continue;
      throw new Error(
        `error adding listener: '${name}' has duplicate address '${key}' as existing listener '${owner}'`,
      );
    }
  }

  /** Starts what waited for routes that have come; rejects when an address cannot be bound. */
  activateReady(): Promise<void> {
    return this.#enqueue(async () => {
      for (const [name, listener] of this.#warming) {
        if (!listener.isReady) continue;
        this.#warming.delete(name);
        await this.#activate(listener);
      }
    });
  }

  #enqueue(change: () => Promise<void> | void): Promise<void> {
    const done = this.#queue.then(change);
    this.#queue = done.catch(() => undefined);
    return done;
  }

  /** Binds what the older version has not; all of it or nothing. */
  async #bind(listener: Listener, old: Listener | undefined): Promise<BoundSocket[]> {
    const { addresses, bindsToPort, backlog } = listener.config;
    const added: BoundSocket[] = [];
    if (!bindsToPort || this.#isToBeStopped(listener)) return added;
    try {
      for (const address of addresses) {
        const key = formatListenAddress(address);
        if (old !== undefined && this.#sockets.get(key)?.owner === old) continue;
        const server = await this.#sources.open(address, backlog, (socket) =>
          this.#accept(bound, socket),
        );
        const bound: BoundSocket = { key, server, isShared: false, owner: listener };
        added.push(bound);
      }
    } catch (error) {
      for (const { server } of added) server.close();
      throw error;
    }
    return added;
  }

  #accept(bound: BoundSocket, socket: Socket): void {
    try {
      if (this.#gate === undefined) bound.owner.accept(socket);
      else this.#gate.accept(bound, socket);
    } catch (error) {
      this.#deps.context.faults.note(error);
      socket.destroy();
    }
  }

  async #activate(listener: Listener): Promise<void> {
    const { name, addresses, bindsToPort } = listener.config;
    const old = this.#active.get(name);
    const added = await this.#bind(listener, old);
    if (this.#isStopped) {
      for (const { server } of added) server.close();
      return;
    }
    this.#active.set(name, listener);
    const kept = new Set(bindsToPort ? addresses.map(formatListenAddress) : []);
    // The open sockets change hands, so that no connection is refused meanwhile.
    for (const [key, socket] of this.#sockets) {
      if (socket.owner !== old || old === undefined) continue;
      if (kept.has(key)) socket.owner = listener;
      else this.#unbind(key, socket);
    }
    for (const socket of added) this.#sockets.set(socket.key, socket);
    listener.setBound(addresses.map((address) => this.#boundAddress(address)));
    if (old !== undefined) {
      listener.takeOver(old);
      this.#drain(old);
    }
    this.#log.info("listener active", {
      name,
      addresses: addresses.map(formatListenAddress).join(","),
    });
  }

  #boundAddress(address: ListenAddress): BoundAddress {
    if ("path" in address) return { address: address.path, port: 0 };
    const bound = this.#sockets.get(formatListenAddress(address))?.server.address();
    if (typeof bound === "object" && bound !== null) return bound;
    return { address: address.host, port: address.port };
  }

  /** By the address itself, or else by the one that stands for all of its port. */
  #findByAddress({ address, port }: PeerAddress): Listener | undefined {
    let forAll: Listener | undefined;
    for (const listener of this.#active.values()) {
      for (const own of listener.boundAddresses) {
        if (own.port !== port) continue;
        if (own.address === address) return listener;
        if (own.address === "0.0.0.0" || own.address === "::") forAll = listener;
      }
    }
    return forAll;
  }

  #unbind(key: string, bound: BoundSocket): void {
    this.#sockets.delete(key);
    if (bound.isShared && key.startsWith("/")) closeKeepingPath(bound.server, key);
    else bound.server.close();
    this.#gate?.close(bound);
  }

  /** The open socket of an address, as `formatListenAddress` writes it, for another process. */
  share(key: string): Server | undefined {
    const bound = this.#sockets.get(key);
    if (bound !== undefined) bound.isShared = true;
    return bound?.server;
  }

  /** The addresses that are open. */
  get openAddresses(): readonly string[] {
    return [...this.#sockets.keys()];
  }

  /** Whether no connection is left, of listeners that serve and of those that are going. */
  get isEmpty(): boolean {
    return [...this.#active.values(), ...this.#draining].every((listener) => listener.isEmpty);
  }

  /** Removes a listener: its sockets close, its connections end in order. */
  remove(name: string): Promise<void> {
    return this.#enqueue(() => this.#remove(name));
  }

  #remove(name: string): void {
    this.#warming.get(name)?.discard();
    this.#warming.delete(name);
    const listener = this.#active.get(name);
    if (listener === undefined) return;
    this.#active.delete(name);
    for (const [key, socket] of this.#sockets) {
      if (socket.owner === listener) this.#unbind(key, socket);
    }
    this.#drain(listener);
    this.#log.info("listener removed", { name });
  }

  /** Whether its addresses can be bound; of those that another process holds open that is known. */
  async #probe(listener: Listener, old: Listener | undefined): Promise<void> {
    if (listener.config.addresses.some((address) => this.#sources.isHeld(address))) return;
    for (const { server } of await this.#bind(listener, old)) server.close();
  }

  #isToBeStopped({ config }: Listener): boolean {
    return (
      this.#stoppedScope === "all" || (this.#stoppedScope === "inbound" && config.drain.isInbound)
    );
  }

  /**
   * Closes the sockets of listeners, those that come later included: their connections go on, and
   * they stay in every list (Envoy, `stopListeners`).
   */
  stopAccepting(scope: DrainScope): Promise<void> {
    return this.#enqueue(() => {
      if (this.#stoppedScope !== "all") this.#stoppedScope = scope;
      const stopped = new Set<Listener>();
      for (const [key, socket] of this.#sockets) {
        if (!this.#isToBeStopped(socket.owner)) continue;
        stopped.add(socket.owner);
        this.#unbind(key, socket);
      }
      for (const { config } of stopped) {
        this.#counters.listener_stopped++;
        this.#log.info("listener accepts no more", { name: config.name });
      }
    });
  }

  #drain(listener: Listener): void {
    this.#draining.add(listener);
    void listener.drain(this.#deps.drainMs, false).then(() => {
      this.#draining.delete(listener);
      this.#deps.onDrained();
    });
  }

  /** Accepts nothing more and lets what is open end, for at most `drainMs`. */
  async stop(drainMs: number): Promise<void> {
    this.#isStopped = true;
    for (const [key, socket] of this.#sockets) this.#unbind(key, socket);
    for (const listener of this.#warming.values()) listener.discard();
    this.#warming.clear();
    const all = [...this.#active.values(), ...this.#draining];
    this.#active.clear();
    await Promise.all(all.map((listener) => listener.drain(drainMs, true)));
  }
}
