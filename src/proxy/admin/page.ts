import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../base/clock.ts";
import type { TypeStatus } from "../../xdsclient/resource-type.ts";
import type { LogFiles } from "../access-log/log-file.ts";
import type { ProxyBootstrap } from "../bootstrap.ts";
import type { ClusterSet } from "../cluster/cluster-set.ts";
import type { CounterGroups } from "../counters.ts";
import type { LayeredRuntime } from "../layered-runtime.ts";
import type { DrainStrategy, ServerDrain } from "../listener/drain.ts";
import type { ListenerSet } from "../listener/listener-set.ts";
import type { LogLevels } from "../log-levels.ts";
import type { PeerNumbers, ProcessInfo } from "../process/process-info.ts";
import type { RouteSet } from "../route-set.ts";
import type { SecretStore } from "../secret/secret-store.ts";
import type { StatSources } from "../stats/collect.ts";
import type { Taps } from "../tap/taps.ts";
import type { Profiler } from "./profiler.ts";

/** What the pages show. */
export interface AdminState {
  readonly clock: Clock;
  readonly bootstrap: ProxyBootstrap;
  readonly state: () => string;
  readonly clusters: ClusterSet;
  readonly listeners: ListenerSet;
  readonly routes: RouteSet;
  readonly counters: CounterGroups;
  readonly secrets: SecretStore;
  readonly logFiles: LogFiles;
  readonly logLevels: LogLevels;
  readonly runtime: LayeredRuntime;
  readonly taps: Taps;
  readonly drain: ServerDrain;
  readonly drainMs: number;
  readonly drainStrategy: DrainStrategy;
  readonly processes: ProcessInfo;
  /** Numbers of other processes. */
  readonly peers: () => readonly PeerNumbers[];
  readonly adsStatus: () => readonly TypeStatus[];
  readonly isConnected: () => boolean | undefined;
}

/** What a page is made from. */
export interface PageRequest {
  readonly state: AdminState;
  readonly query: URLSearchParams;
  /** What was posted; "" for nothing, and for pages that do not take it. */
  readonly body: string;
  readonly sources: StatSources;
  readonly profiler: Profiler;
  /** Aborts when the client is gone, or the admin port closes. */
  readonly signal: AbortSignal;
  /** Makes the counters begin at 0 again, as far as `/stats` shows them. */
  readonly resetCounters: () => void;
}

/** Text, or a value that is sent as JSON. */
export interface Rendered {
  readonly status?: number;
  readonly body: string | object;
  /** Of text; plain text when absent. */
  readonly contentType?: string;
}

/** An answer that a page writes itself, bit by bit; it ends the response. */
export interface Streamed {
  readonly stream: (response: ServerResponse, request: IncomingMessage) => void;
}

/** One path of the admin port. */
export interface Page {
  readonly path: string;
  readonly help: string;
  /** What a query may say, each with its meaning. */
  readonly params?: Readonly<Record<string, string>>;
  readonly isPost?: boolean;
  /** Whether it reads what is posted. */
  readonly takesBody?: boolean;
  /** Whether it tells the numbers of all processes. */
  readonly readsStats?: boolean;
  /** Whether every process of the proxy has to do it. */
  readonly isForAll?: boolean;
  /** JSON goes out in one line. */
  readonly isCompact?: boolean;
  readonly render: (request: PageRequest) => Rendered | Streamed | Promise<Rendered>;
}

/** What a page says that did what it was asked. */
export const OK: Rendered = { body: "OK\n" };
