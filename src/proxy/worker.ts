import type { Server, Socket } from "node:net";
import { formatIssue } from "../base/issue.ts";
import { parseBootstrap } from "./bootstrap.ts";
import {
  adoptServer,
  formatListenAddress,
  type ListenAddress,
  type SocketSource,
} from "./listener/listen-address.ts";
import { type Answer, type ChannelEnd, PeerChannel } from "./process/peer-channel.ts";
import { ALONE, type ProxyPeers } from "./process/process-info.ts";
import type { LeaderAsk, WorkerAsk } from "./process/worker-messages.ts";
import { Proxy, type ProxyDeps } from "./proxy.ts";

/** How often it is asked for a socket that the leader has not bound yet. */
const SOCKET_MS = 50;

/** A worker beside the process that leads a proxy (`Workers`): does what that one says, until it is gone. */
export class Worker {
  readonly #deps: ProxyDeps;
  readonly #setLogLevel: (level: string) => void;
  readonly #channel: PeerChannel<LeaderAsk, WorkerAsk>;
  readonly #gone = new AbortController();
  #proxy: Proxy | undefined = undefined;

  /** `end` leads to the leader. */
  constructor(end: ChannelEnd, deps: ProxyDeps, setLogLevel: (level: string) => void) {
    this.#deps = deps;
    this.#setLogLevel = setLogLevel;
    const { clock } = deps;
    this.#channel = new PeerChannel<LeaderAsk, WorkerAsk>(
      end,
      clock,
      (ask) => this.#answer(ask),
      () => this.#gone.abort(),
    );
  }

  /** Aborts when the leader is gone, or has said that this ends. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  noteFault(error: unknown): void {
    this.#proxy?.noteFault(error);
  }

  async #answer(ask: WorkerAsk): Promise<Answer> {
    switch (ask.kind) {
      case "start":
        this.#start(ask);
        return DONE;
      case "apply":
        return { body: await this.#running.apply(ask.typeUrl, ask.update) };
      case "numbers":
        return { body: this.#running.numbers(ask.endsInterval) };
      case "admin":
        await this.#running.obey(ask);
        return DONE;
      case "reopenLogs":
        this.#running.reopenLogs();
        return DONE;
      case "drain":
        await this.#running.startDraining();
        return DONE;
      case "isIdle":
        return { body: this.#running.isIdle };
      case "stop":
        await this.#proxy?.stop(ask.drainMs);
        this.#proxy = undefined;
        this.#gone.abort();
        return DONE;
    }
  }

  get #running(): Proxy {
    if (this.#proxy === undefined) throw new Error("this worker has not begun");
    return this.#proxy;
  }

  #start(ask: Extract<WorkerAsk, { kind: "start" }>): void {
    const parsed = parseBootstrap(ask.bootstrap, ask.overlay);
    if (!parsed.ok) throw new Error(parsed.issues.map(formatIssue).join("; "));
    this.#setLogLevel(ask.logLevel);
    const peers: ProxyPeers = {
      info: { ...ALONE, concurrency: ask.concurrency },
      sockets: this.#sockets,
      numbers: () => [],
      refresh: () => Promise.resolve(),
      isFollower: true,
    };
    const { drainMs, drainStrategy } = ask;
    const proxy = new Proxy(
      { ...parsed.value, admin: undefined },
      {
        ...this.#deps,
        peers,
        ...(drainMs === undefined ? {} : { drainMs }),
        ...(drainStrategy === undefined ? {} : { drainStrategy }),
      },
    );
    this.#proxy = proxy;
    // Its listeners wait for the leader's, who goes on as soon as this is answered.
    proxy.start().catch((error: unknown) => {
      this.#deps.log.error("worker cannot start", { cause: String(error) });
      this.#gone.abort();
    });
  }

  /** All sockets are the leader's. */
  readonly #sockets: SocketSource = {
    isHeld: () => true,
    open: (address, backlog, onConnection) => this.#open(address, backlog, onConnection),
  };

  async #open(
    address: ListenAddress,
    backlog: number,
    onConnection: (socket: Socket) => void,
  ): Promise<Server> {
    const asked: LeaderAsk = { kind: "socket", address: formatListenAddress(address) };
    for (;;) {
      const { server } = await this.#channel.ask(asked).catch(() => NONE);
      if (server !== undefined) return adoptServer(server, backlog, onConnection);
      if (this.#gone.signal.aborted) throw new Error(`cannot bind '${asked.address}': no leader`);
      await this.#deps.clock.sleep(SOCKET_MS, this.#gone.signal);
    }
  }

  /** Ends what is left of it. */
  async stop(): Promise<void> {
    this.#channel.close();
    await this.#proxy?.stop(0);
  }
}

const DONE: Answer = { body: undefined };
const NONE: Answer = { body: undefined, server: undefined };
