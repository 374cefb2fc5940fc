import type { Clock, Timer } from "../base/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { OWN_SOCKETS } from "./listener/listen-address.ts";
import {
  HOT_RESTART_VERSION,
  HotRestartPoint,
  hotRestartPath,
  ParentProcess,
} from "./process/hot-restart-peers.ts";
import type { ProxyPeers } from "./process/process-info.ts";
import type { Proxy } from "./proxy.ts";
import { sinceThen } from "./stats/merge.ts";
import type { Workers } from "./workers.ts";

/** How often it is looked whether something has come to its end. */
const LOOK_MS = 50;
/** So many base ids are tried for one that is free. */
const BASE_IDS_MAX = 1000;

/** What hot restart needs to know. */
export interface HotRestartConfig {
  readonly clock: Clock;
  readonly log: Logger;
  /** Where processes meet: base id and epoch are appended. */
  readonly socketPath: string;
  /** `undefined`: one that is free. */
  readonly baseId: number | undefined;
  readonly epoch: number;
  /** How long the process before gets, from when this one serves. */
  readonly parentShutdownMs: number;
  readonly skipsMissingParent: boolean;
  readonly skipsParentStats: boolean;
}

/**
 * Hot restart (Envoy, "Hot restart"): a new process takes over the listening sockets of the one
 * before, and its admin port; when it is live the one before accepts no more, lets its connections
 * end over its drain time, and ends itself with the last of them, at the latest when it is told to.
 * What that one counts meanwhile is counted here too.
 */
export class HotRestart {
  readonly peers: ProxyPeers;
  readonly #config: HotRestartConfig;
  readonly #parent: ParentProcess | undefined;
  readonly #replaced = new AbortController();
  #point: HotRestartPoint | undefined = undefined;
  #timer: Timer | undefined = undefined;
  /** Ends the process before; of that process itself, once it is left alone. */
  #shutdown: Timer | undefined = undefined;
  /** When the process before is to end; `undefined` until this one has taken over. */
  #shutdownMs: number | undefined = undefined;
  #before = new Map<string, number>();
  #isClosed = false;

  private constructor(config: HotRestartConfig, baseId: number, parent: ParentProcess | undefined) {
    const { epoch, parentShutdownMs, clock, skipsParentStats } = config;
    this.#config = config;
    this.#parent = parent;
    this.peers = {
      info: {
        concurrency: 1,
        hasHotRestart: true,
        hotRestartVersion: HOT_RESTART_VERSION,
        baseId,
        epoch,
        firstStartMs: parent?.firstStartMs ?? clock.nowMs(),
        parentShutdownMs,
      },
      sockets: parent?.sockets ?? OWN_SOCKETS,
      numbers: () =>
        parent === undefined || skipsParentStats
          ? []
          : [{ stats: parent.stats, histograms: [], hosts: [] }],
      refresh: () => parent?.refresh() ?? Promise.resolve(),
      isFollower: false,
    };
  }

  /** Meets the process before, where there is to be one; rejects when it cannot be taken over from. */
  static async join(config: HotRestartConfig): Promise<HotRestart> {
    const { socketPath, epoch, clock, log, skipsMissingParent } = config;
    const baseId = config.baseId ?? (await findBaseId(socketPath, clock));
    if (epoch === 0) return new HotRestart(config, baseId, undefined);
    try {
      const path = hotRestartPath(socketPath, baseId, epoch - 1);
      const parent = await ParentProcess.meet(path, epoch, clock);
      await parent.closeAdmin();
      log.info("taking over", { epoch, from: path });
      return new HotRestart(config, baseId, parent);
    } catch (error) {
      if (!skipsMissingParent) throw error;
      log.warn("nobody to take over from", { cause: String(error) });
      return new HotRestart(config, baseId, undefined);
    }
  }

  /** What this proxy has of the process before, and of those beside it, where there are some. */
  peersWith(workers: Workers | undefined): ProxyPeers {
    const before = this.peers;
    if (workers === undefined) return before;
    const beside = workers.peers;
    return {
      ...beside,
      info: { ...before.info, concurrency: beside.info.concurrency },
      sockets: before.sockets,
      numbers: () => [...beside.numbers(), ...before.numbers()],
      refresh: async (endsInterval) => {
        await Promise.all([beside.refresh(endsInterval), before.refresh(endsInterval)]);
      },
    };
  }

  /** Aborts when another process has taken over and nothing is left to do. */
  get replaced(): AbortSignal {
    return this.#replaced.signal;
  }

  /**
   * The proxy has started: takes over from the process before once it is live, and waits for the
   * next. The processes beside it go when it goes.
   */
  async serve(proxy: Proxy, workers?: Workers): Promise<void> {
    const { socketPath, epoch, clock, parentShutdownMs } = this.#config;
    const { baseId, firstStartMs = clock.nowMs() } = this.peers.info;
    const path = hotRestartPath(socketPath, baseId, epoch);
    this.#point = await HotRestartPoint.open(path, clock, {
      epoch,
      firstStartMs,
      addresses: () => proxy.openAddresses,
      share: (address) => proxy.shareSocket(address),
      closeAdmin: () => proxy.closeAdmin(),
      openAdmin: () => proxy.openAdmin(),
      onArrival: async () => {
        await workers?.peers.refresh(false);
        this.#before = new Map(proxy.stats().map(({ name, value }) => [name, value]));
      },
      stats: async () => {
        await workers?.peers.refresh(false);
        return sinceThen(proxy.stats(), this.#before);
      },
      onDrain: () => this.#leave(proxy, workers),
      onAlone: (ms = parentShutdownMs) => {
        this.#shutdown = clock.setTimer(ms, () => this.#replaced.abort());
      },
      onEnd: () => this.#replaced.abort(),
      releaseParent: () => this.#releaseParent(),
    });
    const parent = this.#parent;
    if (parent === undefined) return;
    void this.#when(
      () => proxy.state === "LIVE",
      () => {
        void parent.drain();
        this.#shutdownMs = clock.monotonicMs() + parentShutdownMs;
        this.#shutdown = clock.setTimer(parentShutdownMs, () => void parent.end());
      },
    );
  }

  /**
   * The next process comes while the one before still drains, and there can be but one channel. Where
   * Envoy ends that one there and then, here it is left to end with its last connection, or in time.
   */
  async #releaseParent(): Promise<boolean> {
    const parent = this.#parent;
    if (parent === undefined || parent.isGone) return true;
    if (this.#shutdownMs === undefined) return false;
    this.#shutdown?.cancel();
    await parent.leaveAlone(Math.max(0, this.#shutdownMs - this.#config.clock.monotonicMs()));
    return true;
  }

  /** Another process serves. */
  #leave(proxy: Proxy, workers: Workers | undefined): void {
    this.#config.log.info("another process serves: draining", { epoch: this.#config.epoch });
    void proxy.startDraining();
    void workers?.startDraining();
    void this.#when(
      async () => proxy.isIdle && (workers === undefined || (await workers.areIdle())),
      () => void this.#point?.sayGoodbye().then(() => this.#replaced.abort()),
    );
  }

  async #when(isSo: () => boolean | Promise<boolean>, then: () => void): Promise<void> {
    this.#timer?.cancel();
    if (await isSo()) return then();
    if (this.#isClosed) return;
    this.#timer = this.#config.clock.setTimer(LOOK_MS, () => void this.#when(isSo, then));
  }

  /** Leaves the process before alone, and the next one. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#shutdown?.cancel();
    this.#parent?.close();
    await this.#point?.close();
  }
}

/** As Envoy, by trying. */
async function findBaseId(socketPath: string, clock: Clock): Promise<number> {
  for (let baseId = 0; baseId < BASE_IDS_MAX; baseId++) {
    if (!(await HotRestartPoint.isTaken(hotRestartPath(socketPath, baseId, 0), clock))) {
      return baseId;
    }
  }
  throw new Error(`no base id below ${BASE_IDS_MAX} is free at ${socketPath}`);
}
