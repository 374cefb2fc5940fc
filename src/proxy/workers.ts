import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { Server } from "node:net";
import type { Clock, Timer } from "../base/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Rejection, ResourceType } from "../xdsclient/resource-type.ts";
import { OWN_SOCKETS } from "./listener/listen-address.ts";
import { HeldResources } from "./process/held-resources.ts";
import { type ChannelEnd, PeerChannel } from "./process/peer-channel.ts";
import { ALONE, type PeerNumbers, type ProxyPeers } from "./process/process-info.ts";
import type { LeaderAsk, WorkerAsk, WorkerStart } from "./process/worker-messages.ts";
import { isShared, mergeStats } from "./stats/merge.ts";

/** A worker that ends again and again is started anew ever more slowly. */
const RESTART_MS_FIRST = 100;
const RESTART_MS_MAX = 10_000;
/** One that lasted so long had no trouble to start. */
const STABLE_MS = 10_000;
/** What a worker gets beyond its drain time to end. */
const END_MS = 2_000;

/** What workers are made of. */
export interface WorkersConfig {
  readonly clock: Clock;
  readonly log: Logger;
  /** The program and its arguments that make a worker of a new process. */
  readonly program: string;
  readonly args: readonly string[];
  readonly start: WorkerStart;
  /** The sockets that this process listens on, by address. */
  readonly share: (address: string) => Server | undefined;
}

interface Worker {
  readonly child: ChildProcess;
  readonly channel: PeerChannel<WorkerAsk, LeaderAsk>;
  numbers: PeerNumbers;
}

const NO_NUMBERS: PeerNumbers = { stats: [], histograms: [], hosts: [] };

/**
 * The processes beside this one that do the same work (`--concurrency`). This one, the leader, is one
 * of them: it accepts too, has the admin port, and is alone in asking the control plane, whose answers it
 * hands on. All accept on its listening sockets. A worker that dies takes its own connections with
 * it, and another takes its place.
 */
export class Workers {
  readonly #config: WorkersConfig;
  readonly #workers = new Set<Worker>();
  readonly #held = new HeldResources();
  readonly #timers = new Set<Timer>();
  /** What those counted that are gone. */
  #departed: PeerNumbers = NO_NUMBERS;
  /** Nothing is told to some only: beginnings and updates come one after the other. */
  #queue: Promise<unknown> = Promise.resolve();
  #restartMs = RESTART_MS_FIRST;
  #isStopping = false;
  #isDraining = false;
  readonly peers: ProxyPeers;

  constructor(config: WorkersConfig) {
    this.#config = config;
    this.peers = {
      info: { ...ALONE, concurrency: config.start.concurrency },
      sockets: OWN_SOCKETS,
      numbers: () => [this.#departed, ...[...this.#workers].map(({ numbers }) => numbers)],
      refresh: (endsInterval) => this.#refresh(endsInterval),
      spread: (type) => this.#spread(type),
      tell: (command) => this.#tell({ kind: "admin", ...command }),
      isFollower: false,
    };
  }

  /** Starts those that stand beside this process; they accept once it listens. */
  async start(): Promise<void> {
    const { concurrency } = this.#config.start;
    await Promise.all(Array.from({ length: concurrency - 1 }, () => this.#startOne()));
  }

  async #startOne(): Promise<void> {
    const { clock, log, program, args, start, share } = this.#config;
    const child = fork(program, args, {
      serialization: "advanced",
      stdio: ["ignore", 1, 2, "ipc"],
    });
    const channel = new PeerChannel<WorkerAsk, LeaderAsk>(
      child as ChannelEnd,
      clock,
      ({ address }) => {
        const server = share(address);
        if (server === undefined) throw new Error(`${address} is not open yet`);
        return { body: undefined, server };
      },
      () => undefined,
    );
    const worker: Worker = { child, channel, numbers: NO_NUMBERS };
    const startMs = clock.monotonicMs();
    child.once("exit", (code, signal) => {
      channel.close();
      const lastedMs = clock.monotonicMs() - startMs;
      if (this.#workers.delete(worker)) this.#onExit(worker, signal ?? String(code), lastedMs);
    });
    this.#workers.add(worker);
    try {
      await channel.ask({ kind: "start", ...start });
      for (const { typeUrl, update } of this.#held.updates()) {
        await channel.ask({ kind: "apply", typeUrl, update });
      }
    } catch (error) {
      log.error("worker cannot start", { pid: child.pid, cause: String(error) });
      child.kill("SIGKILL");
    }
  }

  #onExit(worker: Worker, cause: string, lastedMs: number): void {
    const { clock, log } = this.#config;
    const { stats } = worker.numbers;
    const counters = stats.filter(({ isGauge }) => !isGauge);
    const exit = { name: "server.worker_exits", value: 1, isGauge: false };
    this.#departed = {
      stats: mergeStats(this.#departed.stats, this.#isStopping ? [counters] : [counters, [exit]]),
      histograms: [],
      hosts: [],
    };
    // One that came now would find no socket to accept on.
    if (this.#isStopping || this.#isDraining) return;
    if (lastedMs >= STABLE_MS) this.#restartMs = RESTART_MS_FIRST;
    log.error("worker ended, starting another", {
      pid: worker.child.pid,
      cause,
      inMs: this.#restartMs,
    });
    const timer = clock.setTimer(this.#restartMs, () => {
      this.#timers.delete(timer);
      void this.#enqueue(() => this.#startOne());
    });
    this.#timers.add(timer);
    this.#restartMs = Math.min(this.#restartMs * 2, RESTART_MS_MAX);
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => undefined);
    return done;
  }

  /** Taken when all have taken it; who refuses it does so for all. */
  #spread(type: ResourceType): ResourceType {
    return {
      ...type,
      apply: (update) =>
        this.#enqueue(async () => {
          const own = await type.apply(update);
          const { typeUrl } = type;
          const others = await Promise.all(
            [...this.#workers].map((worker) =>
              this.#ask(worker, { kind: "apply", typeUrl, update }),
            ),
          );
          const all = new Map(
            [own, ...(others as (readonly Rejection[] | undefined)[])].flatMap((rejections) =>
              (rejections ?? []).map((rejection) => [rejection.name, rejection] as const),
            ),
          );
          const rejections = [...all.values()];
          this.#held.note(typeUrl, update, rejections);
          return rejections;
        }),
    };
  }

  /** One that does not answer has no use: it ends, and another takes its place. */
  async #ask(worker: Worker, ask: WorkerAsk): Promise<unknown> {
    try {
      return (await worker.channel.ask(ask)).body;
    } catch (error) {
      if (this.#workers.has(worker) && !this.#isStopping) {
        const cause = error instanceof Error ? error.message : String(error);
        this.#config.log.error("worker fails", { pid: worker.child.pid, ask: ask.kind, cause });
        worker.child.kill("SIGKILL");
      }
      return undefined;
    }
  }

  async #tell(ask: WorkerAsk): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => this.#ask(worker, ask)));
  }

  async #refresh(endsInterval: boolean): Promise<void> {
    await Promise.all(
      [...this.#workers].map(async (worker) => {
        const numbers = await this.#ask(worker, { kind: "numbers", endsInterval });
        if (numbers === undefined) return;
        const { stats, ...rest } = numbers as PeerNumbers;
        worker.numbers = { stats: stats.filter(isShared), ...rest };
      }),
    );
  }

  /** Lets all open their logs anew. */
  reopenLogs(): Promise<void> {
    return this.#tell({ kind: "reopenLogs" });
  }

  /** Another proxy serves in place of this one: all accept no more, and let connections end in time. */
  startDraining(): Promise<void> {
    this.#isDraining = true;
    for (const timer of this.#timers) timer.cancel();
    return this.#tell({ kind: "drain" });
  }

  /** Whether no client is connected to any of them. */
  async areIdle(): Promise<boolean> {
    const workers = [...this.#workers];
    const idle = await Promise.all(workers.map((worker) => this.#ask(worker, { kind: "isIdle" })));
    // One that is gone has no clients.
    return idle.every((isIdle) => isIdle !== false);
  }

  /** Ends all of them, each after its connections had so long to end. */
  async stop(drainMs: number): Promise<void> {
    this.#isStopping = true;
    for (const timer of this.#timers) timer.cancel();
    const { clock } = this.#config;
    await Promise.all(
      [...this.#workers].map(async ({ child, channel }) => {
        const exit = once(child, "exit");
        const timer = clock.setTimer(drainMs + END_MS, () => child.kill("SIGKILL"));
        channel.ask({ kind: "stop", drainMs }).catch(() => undefined);
        if (child.exitCode === null && child.signalCode === null) await exit;
        timer.cancel();
      }),
    );
  }
}
