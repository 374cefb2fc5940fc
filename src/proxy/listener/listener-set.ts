import { formatHostPort } from "../../base/ip.ts";
import type { Logger } from "../../telemetry/log.ts";
import { type BoundSocket, bindSocket, Listener, type ListenerDeps } from "./listener.ts";
import type { ListenerConfig } from "./listener-config.ts";

/** How long connections of a listener that was replaced or removed get; Envoy's default. */
const DRAIN_MS = 600_000;

/** The listeners of a proxy: bound, replaced and removed as the configuration says. */
export class ListenerSet {
  readonly #deps: ListenerDeps;
  readonly #log: Logger;
  readonly #active = new Map<string, Listener>();
  /** Those that wait for their routes; the older one of that name serves meanwhile. */
  readonly #warming = new Map<string, Listener>();
  readonly #sockets = new Map<string, BoundSocket>();
  readonly #draining = new Set<Listener>();
  /** Binding takes time; changes are made one after the other. */
  #queue: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(deps: ListenerDeps) {
    this.#deps = deps;
    this.#log = deps.context.log;
  }

  get active(): readonly Listener[] {
    return [...this.#active.values()];
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
   * older one of that name until then. Rejects when an address cannot be bound.
   */
  put(config: ListenerConfig, isDynamic: boolean): Promise<void> {
    const current = this.#warming.get(config.name) ?? this.#active.get(config.name);
    if (current !== undefined && Buffer.compare(current.config.body, config.body) === 0) {
      return Promise.resolve();
    }
    this.#dropWarming(config.name);
    const listener = new Listener(config, isDynamic, this.#deps);
    this.#warming.set(config.name, listener);
    return this.activateReady();
  }

  /** Starts what waited for routes that have come; rejects when an address cannot be bound. */
  activateReady(): Promise<void> {
    const done = this.#queue.then(() => this.#activateReady());
    this.#queue = done.catch(() => undefined);
    return done;
  }

  async #activateReady(): Promise<void> {
    for (const [name, listener] of this.#warming) {
      if (!listener.isReady) continue;
      this.#warming.delete(name);
      await this.#activate(listener);
    }
  }

  async #activate(listener: Listener): Promise<void> {
    const { name, addresses } = listener.config;
    const old = this.#active.get(name);
    const added: BoundSocket[] = [];
    try {
      for (const address of addresses) {
        const key = formatHostPort(address.host, address.port);
        if (this.#isOwn(key, old)) continue;
        added.push(await bindSocket(address, listener));
      }
    } catch (error) {
      for (const { server } of added) server.close();
      throw error;
    }
    if (this.#isStopped) {
      for (const { server } of added) server.close();
      return;
    }
    this.#active.set(name, listener);
    const kept = new Set(addresses.map(({ host, port }) => formatHostPort(host, port)));
    // The open sockets change hands, so that no connection is refused meanwhile.
    for (const [key, socket] of this.#sockets) {
      if (socket.owner !== old || old === undefined) continue;
      if (kept.has(key)) socket.owner = listener;
      else this.#unbind(key, socket);
    }
    for (const socket of added) this.#sockets.set(socket.key, socket);
    const bound = addresses.flatMap(({ host, port }) => {
      const address = this.#sockets.get(formatHostPort(host, port))?.server.address();
      return typeof address === "object" && address !== null ? [address] : [];
    });
    listener.setBound(bound);
    if (old !== undefined) this.#drain(old);
    this.#log.info("listener active", { name, addresses: [...kept].join(",") });
  }

  #isOwn(key: string, old: Listener | undefined): boolean {
    return old !== undefined && this.#sockets.get(key)?.owner === old;
  }

  #unbind(key: string, { server }: BoundSocket): void {
    this.#sockets.delete(key);
    server.close();
  }

  /** Removes a listener: its sockets close, its connections end in order. */
  remove(name: string): void {
    this.#dropWarming(name);
    this.#queue = this.#queue.then(() => this.#remove(name));
  }

  /** It has no connections, but it asks for secrets. */
  #dropWarming(name: string): void {
    const listener = this.#warming.get(name);
    this.#warming.delete(name);
    void listener?.drain(0, false);
  }

  #remove(name: string): void {
    const listener = this.#active.get(name);
    if (listener === undefined) return;
    this.#active.delete(name);
    for (const [key, socket] of this.#sockets) {
      if (socket.owner === listener) this.#unbind(key, socket);
    }
    this.#drain(listener);
    this.#log.info("listener removed", { name });
  }

  #drain(listener: Listener): void {
    this.#draining.add(listener);
    void listener.drain(DRAIN_MS, false).then(() => {
      this.#draining.delete(listener);
      this.#deps.onDrained();
    });
  }

  /** Accepts nothing more and lets what is open end, for at most `drainMs`. */
  async stop(drainMs: number): Promise<void> {
    this.#isStopped = true;
    for (const [key, socket] of this.#sockets) this.#unbind(key, socket);
    for (const name of this.#warming.keys()) this.#dropWarming(name);
    const all = [...this.#active.values(), ...this.#draining];
    this.#active.clear();
    await Promise.all(all.map((listener) => listener.drain(drainMs, true)));
  }
}
