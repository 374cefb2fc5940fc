import type { Criterion } from "../../match/header-match.ts";
import { HEALTH } from "../cluster/host-health.ts";
import type { ProxyContext } from "../context.ts";
import {
  FILTER,
  type FilterStatus,
  type FilterStream,
  type HttpFilter,
} from "../http/http-filter.ts";
import type { LocalReply } from "../http/local-reply.ts";
import type { ResponseHead } from "../http/message-head.ts";

/** How health checks of the proxy, or of what is behind it, are answered. */
export interface HealthCheckConfig {
  readonly passesThrough: boolean;
  /** How long an answer of the upstream's is given again; 0: every check goes there. */
  readonly cacheMs: number;
  /** How many of a cluster's hosts must do, in whole percents. */
  readonly clusters: readonly { readonly name: string; readonly percent: number }[];
  /** What a request must match, all of it, to be a health check. */
  readonly criteria: readonly Criterion[];
}

/** The upstream's last answer, as all connections of a connection manager give it again. */
export class HealthCheckCache {
  readonly #cacheMs: number;
  readonly #startMs: number;
  #untilMs = Number.NEGATIVE_INFINITY;
  status = 200;
  isDegraded = false;

  constructor(cacheMs: number, nowMs: number) {
    this.#cacheMs = cacheMs;
    this.#startMs = nowMs;
  }

  isFresh(nowMs: number): boolean {
    return nowMs < this.#untilMs;
  }

  /** As in Envoy all answers end at the same beats, whenever they came. */
  keep(status: number, isDegraded: boolean, nowMs: number): void {
    const beats = Math.floor((nowMs - this.#startMs) / this.#cacheMs) + 1;
    this.#untilMs = this.#startMs + beats * this.#cacheMs;
    this.status = status;
    this.isDegraded = isDegraded;
  }
}

/** What of a health check's body is waited for before it is answered all the same. */
const BODY_BYTES_MAX = 65_536;

/** Answers health checks, or passes them on and tells who answered. */
export class HealthCheckFilter implements HttpFilter {
  readonly #stream: FilterStream;
  readonly #config: HealthCheckConfig;
  readonly #cache: HealthCheckCache | undefined;
  #isCheck = false;

  constructor(
    stream: FilterStream,
    config: HealthCheckConfig,
    cache: HealthCheckCache | undefined,
  ) {
    this.#stream = stream;
    this.#config = config;
    this.#cache = cache;
  }

  onRequestHead(isEnd: boolean): FilterStatus {
    const stream = this.#stream;
    for (const { matches } of this.#config.criteria) {
      if (!matches(stream)) return FILTER.continue;
    }
    this.#isCheck = true;
    stream.notes.isHealthCheck = true;
    const { context } = stream;
    const isFresh = this.#cache?.isFresh(context.clock.monotonicMs()) === true;
    if (this.#config.passesThrough && !context.isHealthCheckFailed() && !isFresh) {
      return FILTER.continue;
    }
    const answer = (): void => stream.localReply(this.#answer());
    if (isEnd) answer();
    else stream.gatherRequest({ bytesMax: BODY_BYTES_MAX, onWhole: answer, onTooLarge: answer });
    return FILTER.stop;
  }

  #answer(): LocalReply {
    const { context } = this.#stream;
    if (context.isHealthCheckFailed()) return reply(503, "health_check_failed");
    const cache = this.#cache;
    if (cache !== undefined) {
      const { status, isDegraded } = cache;
      const headers = isDegraded ? ["x-envoy-degraded", ""] : [];
      return { ...reply(status, "health_check_cached"), headers };
    }
    const { clusters } = this.#config;
    const isAsked = clusters.length > 0;
    for (const { name, percent } of clusters) {
      const details = clusterFailure(name, percent, context);
      if (details !== undefined) return reply(503, details);
    }
    return reply(200, isAsked ? "health_check_ok_cluster_healthy" : "health_check_ok");
  }

  onResponseHead({ headers, status }: ResponseHead): void {
    const { context } = this.#stream;
    if (this.#isCheck) {
      const nowMs = context.clock.monotonicMs();
      if (this.#cache?.isFresh(nowMs) === false) {
        this.#cache.keep(status, headers.has("x-envoy-degraded"), nowMs);
      }
      headers.set("x-envoy-upstream-healthchecked-cluster", context.node.cluster);
    } else if (context.isHealthCheckFailed()) {
      headers.set("x-envoy-immediate-health-check-fail", "true");
    }
  }

  onStreamEnd(): void {
    this.#isCheck = false;
  }
}

function reply(status: number, details: string): LocalReply {
  const isOk = status >= 200 && status < 300;
  return { status, body: "", flag: isOk ? "" : "LH", details };
}

/** Why a cluster is not well enough; `undefined` when it is. */
function clusterFailure(
  name: string,
  percent: number,
  { findCluster }: ProxyContext,
): string | undefined {
  const hosts = findCluster(name)?.hosts;
  if (hosts === undefined) return "health_check_failed_no_cluster_found";
  if (hosts.length === 0) return percent === 0 ? undefined : "health_check_failed_cluster_empty";
  let good = 0;
  for (const host of hosts) if (host.health !== HEALTH.unhealthy) good++;
  return 100 * good < hosts.length * percent ? "health_check_failed_cluster_unhealthy" : undefined;
}
