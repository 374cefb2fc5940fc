import type { Clock } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";
import type { RuntimeReader } from "../match/runtime-reader.ts";
import type { NodeInfo } from "../match/stream-info.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Cluster } from "./cluster/cluster.ts";
import type { CounterGroups } from "./counters.ts";
import type { DnsCaches } from "./dns-cache/dns-caches.ts";
import type { Faults } from "./fault-log.ts";
import type { DateHeader } from "./http/date-header.ts";
import type { DeadlineSetter, Deadlines } from "./net/deadlines.ts";
import type { FlushQueue } from "./net/flush-queue.ts";
import type { ReadBuffer } from "./net/socket.ts";
import type { TimeoutKind } from "./overload/overload-config.ts";
import type { OverloadManager } from "./overload/overload-manager.ts";
import type { SharedBuckets } from "./rate-limit/shared-buckets.ts";
import type { SecretStore } from "./secret/secret-store.ts";
import type { Taps } from "./tap/taps.ts";
import type { ContextCache } from "./tls/secure-context.ts";
import type { TracerSet } from "./tracing/tracer-set.ts";

/** What every connection of one proxy shares. There is no global state: each proxy has its own. */
export interface ProxyContext {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly runtime: RuntimeReader;
  readonly log: Logger;
  /** How many processes share what a proxy may have in all. */
  readonly processes: number;
  /** Exceptions that nobody expected. */
  readonly faults: Faults;
  readonly readBuffer: ReadBuffer;
  readonly flushQueue: FlushQueue;
  readonly deadlines: Deadlines;
  /** Those that an overload makes shorter, where that is configured. */
  readonly timeouts: Readonly<Record<TimeoutKind, DeadlineSetter>>;
  /** `undefined` where nothing is said of overload. */
  readonly overload: OverloadManager | undefined;
  readonly date: DateHeader;
  /** What has counters by a prefix of its own. */
  readonly counters: CounterGroups;
  /** What somebody taps over the admin port. */
  readonly taps: Taps;
  /** Token buckets that network filters share. */
  readonly sharedBuckets: SharedBuckets;
  /** The names that dynamic forward proxies have been asked for. */
  readonly dnsCaches: DnsCaches;
  readonly secrets: SecretStore;
  readonly tlsContexts: ContextCache;
  /** The active cluster of that name. */
  readonly findCluster: (name: string) => Cluster | undefined;
  /** Whether somebody has said over the admin port that health checks shall fail. */
  readonly isHealthCheckFailed: () => boolean;
  readonly node: NodeInfo;
  readonly tracers: TracerSet;
  /** The machine's own address, as others know it. */
  readonly localAddress: string;
  /** Counts connections, from 1. */
  readonly nextConnectionId: () => number;
  /** A new UUID. */
  readonly createRequestId: () => string;
}
