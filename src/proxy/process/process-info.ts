import type { ResourceType } from "../../xdsclient/resource-type.ts";
import type { SocketSource } from "../listener/listen-address.ts";
import type { Stat } from "../stats/collect.ts";
import type { Recorded } from "../stats/histogram.ts";

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

/** What another process has of a histogram. */
export interface PeerHistogram {
  readonly name: string;
  readonly interval: Recorded;
  readonly cumulative: Recorded;
}

/** What another process has counted of a host, by the names of `/clusters`. */
export interface PeerHost {
  readonly cluster: string;
  readonly key: string;
  readonly counts: Readonly<Record<string, number>>;
}

/** The numbers of another process. */
export interface PeerNumbers {
  readonly stats: readonly Stat[];
  readonly histograms: readonly PeerHistogram[];
  readonly hosts: readonly PeerHost[];
}

/** What a proxy has of other processes of its own: the one before it, or those beside it. */
export interface ProxyPeers {
  readonly info: ProcessInfo;
  readonly sockets: SocketSource;
  /** Their numbers as of the last `refresh`. */
  readonly numbers: () => readonly PeerNumbers[];
  /** `endsInterval`: what histograms show as of late begins anew. */
  readonly refresh: (endsInterval: boolean) => Promise<void>;
  /** Takes what a control plane says to the other processes as well; absent where they have their own. */
  readonly spread?: (type: ResourceType) => ResourceType;
  /** Lets the other processes do what the admin port was asked for. */
  readonly tell?: (command: AdminCommand) => Promise<void>;
  /** Whether resources come from another process, not from a control plane. */
  readonly isFollower: boolean;
}

/** A request to the admin port that changes something. */
export interface AdminCommand {
  readonly path: string;
  /** As in a URL. */
  readonly query: string;
  readonly body: string;
}
