import type { SocketSource } from "../listener/listen-address.ts";
import type { Stat } from "../stats/collect.ts";

/** How the processes of a proxy were started, as its admin port tells it. */
export interface ProcessInfo {
  readonly concurrency: number;
  /** Whether another process can take over from this one. */
  readonly hasHotRestart: boolean;
  /** What two of them must have alike to do so. */
  readonly hotRestartVersion: string;
  readonly baseId: number;
  /** Counts the processes that followed on one another, from 0. */
  readonly epoch: number;
  /** When the first of them began, by the calendar; `undefined`: it is this one. */
  readonly firstStartMs: number | undefined;
  /** How long the one before this may take to end. */
  readonly parentShutdownMs: number;
}

/** A process that stands alone. */
export const ALONE: ProcessInfo = {
  concurrency: 1,
  hasHotRestart: false,
  hotRestartVersion: "disabled",
  baseId: 0,
  epoch: 0,
  firstStartMs: undefined,
  parentShutdownMs: 0,
};

/** What a proxy has of other processes of its own: the one before it, or those beside it. */
export interface ProxyPeers {
  readonly info: ProcessInfo;
  readonly sockets: SocketSource;
  /** Their numbers as of the last `refresh`. */
  readonly stats: () => Iterable<readonly Stat[]>;
  readonly refresh: () => Promise<void>;
}
