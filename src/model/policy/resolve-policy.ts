import { parseDurationMs } from "../../base/duration.ts";
import type { ConnectionPoolSettings, HttpSettings } from "../../config/connection-pool.ts";
import type { ConsistentHash, LoadBalancerSettings } from "../../config/load-balancer.ts";
import type { OutlierDetection as OutlierDetectionObject } from "../../config/outlier-detection.ts";
import type { TcpKeepalive } from "../../config/tcp-keepalive.ts";
import {
  type ConnectionPool,
  DEFAULT_POLICY,
  type HashKey,
  type Http2KeepAlive,
  type Keepalive,
  type LoadBalancer,
  NO_POOL_LIMITS,
  type OutlierDetection,
  type TrafficPolicy,
  type Warmup,
} from "../traffic-policy.ts";
import type { Sections } from "./sections.ts";

const LOAD_BALANCERS: Readonly<Record<string, LoadBalancer>> = {
  LEAST_REQUEST: "LEAST_REQUEST",
  // The older name of the same.
  LEAST_CONN: "LEAST_REQUEST",
  ROUND_ROBIN: "ROUND_ROBIN",
  RANDOM: "RANDOM",
  PASSTHROUGH: "PASSTHROUGH",
};

/** Envoy asks for one; gRPC's own. */
const KEEP_ALIVE_TIMEOUT_MS = 20_000;

/** What the older field of the ring's size is without a value. */
const RING_SIZE_DEFAULT = 1024;

/** The policy that written sections come to; `isForSelected`: see `TlsRule`. */
export function resolvePolicy(sections: Sections, isForSelected: boolean): TrafficPolicy {
  const { tls, tunnel, proxyProtocol, retryBudget } = sections;
  const outliers = sections.outlierDetection?.value;
  return {
    ...loadBalancing(sections.loadBalancer?.value ?? {}),
    connectionPool: connectionPool(sections.connectionPool?.value ?? {}),
    outlierDetection: outliers === undefined ? undefined : outlierDetection(outliers),
    tls: tls === undefined ? undefined : { settings: tls.value, origin: tls.origin, isForSelected },
    tunnel:
      tunnel === undefined
        ? undefined
        : {
            targetHost: tunnel.value.targetHost,
            targetPort: tunnel.value.targetPort,
            method: tunnel.value.protocol === "POST" ? "POST" : "CONNECT",
          },
    proxyProtocol: proxyProtocol === undefined ? undefined : (proxyProtocol.value.version ?? "V1"),
    retryBudget:
      retryBudget === undefined
        ? undefined
        : {
            percent: retryBudget.value.percent,
            minConcurrency: retryBudget.value.minRetryConcurrency,
            intervalMs: durationMs(retryBudget.value.budgetInterval),
          },
    places: Object.fromEntries(
      Object.entries(sections).map(([name, section]) => [name, section.origin]),
    ),
  };
}

function loadBalancing(
  settings: LoadBalancerSettings,
): Pick<TrafficPolicy, "loadBalancer" | "hashKey" | "hashTableSize" | "warmup" | "locality"> {
  const { simple, consistentHash, localityLbSetting } = settings;
  const hash = consistentHash === undefined ? undefined : hashing(consistentHash);
  return {
    loadBalancer: hash?.loadBalancer ?? LOAD_BALANCERS[simple ?? ""] ?? DEFAULT_POLICY.loadBalancer,
    hashKey: hash?.key,
    hashTableSize: hash?.tableSize,
    warmup: warmup(settings),
    locality: localityLbSetting,
  };
}

function hashing(settings: ConsistentHash): {
  readonly loadBalancer: "RING_HASH" | "MAGLEV";
  readonly key: HashKey | undefined;
  readonly tableSize: number | undefined;
} {
  const { maglev, ringHash, minimumRingSize } = settings;
  const key = hashKey(settings);
  if (maglev !== undefined) {
    return { loadBalancer: "MAGLEV", key, tableSize: positive(maglev.tableSize) };
  }
  return {
    loadBalancer: "RING_HASH",
    key,
    tableSize:
      ringHash === undefined
        ? (positive(minimumRingSize) ?? RING_SIZE_DEFAULT)
        : positive(ringHash.minimumRingSize),
  };
}

function hashKey(settings: ConsistentHash): HashKey | undefined {
  const { httpHeaderName, httpCookie, httpQueryParameterName, useSourceIp } = settings;
  if (httpHeaderName !== undefined) return { type: "header", name: httpHeaderName };
  if (httpCookie !== undefined) {
    return {
      type: "cookie",
      name: httpCookie.name,
      path: httpCookie.path ?? "",
      ttlMs: durationMs(httpCookie.ttl),
      attributes: (httpCookie.attributes ?? []).map(({ name, value = "" }) => ({ name, value })),
    };
  }
  if (httpQueryParameterName !== undefined) {
    return { type: "query-parameter", name: httpQueryParameterName };
  }
  return useSourceIp === true ? { type: "source-ip" } : undefined;
}

function warmup({ warmup: now, warmupDurationSecs }: LoadBalancerSettings): Warmup | undefined {
  const ms = durationMs(now?.duration ?? warmupDurationSecs);
  if (ms === undefined) return undefined;
  return {
    durationMs: ms,
    aggression: positive(now?.aggression),
    minimumPercent: now?.minimumPercent,
  };
}

/** Also for `inboundConnectionPool` of a Sidecar. */
export function connectionPool({ tcp = {}, http = {} }: ConnectionPoolSettings): ConnectionPool {
  const { h2UpgradePolicy, http2KeepAlive } = http;
  return {
    ...NO_POOL_LIMITS,
    maxConnections: positive(tcp.maxConnections),
    connectTimeoutMs: durationMs(tcp.connectTimeout),
    keepalive: tcp.tcpKeepalive === undefined ? undefined : keepalive(tcp.tcpKeepalive),
    maxConnectionDurationMs: durationMs(tcp.maxConnectionDuration),
    tcpIdleTimeoutMs: durationMs(tcp.idleTimeout),
    httpIdleTimeoutMs: durationMs(http.idleTimeout),
    maxPendingRequests: positive(http.http1MaxPendingRequests),
    maxRequests: positive(http.http2MaxRequests),
    maxRequestsPerConnection: positive(http.maxRequestsPerConnection),
    maxRetries: positive(http.maxRetries),
    maxConcurrentStreams: positive(http.maxConcurrentStreams),
    http2KeepAlive: http2KeepAlive === undefined ? undefined : keepAlive(http2KeepAlive),
    h2Upgrade:
      h2UpgradePolicy === "UPGRADE"
        ? "always"
        : h2UpgradePolicy === "DO_NOT_UPGRADE"
          ? "never"
          : "default",
    isClientProtocol: http.useClientProtocol === true,
  };
}

/** Without an interval nobody asks, so that there is no answer to wait for. */
function keepAlive({
  interval,
  timeout,
}: NonNullable<HttpSettings["http2KeepAlive"]>): Http2KeepAlive | undefined {
  const intervalMs = durationMs(interval);
  if (intervalMs === undefined) return undefined;
  return { intervalMs, timeoutMs: durationMs(timeout) ?? KEEP_ALIVE_TIMEOUT_MS };
}

/** `TcpKeepalive`, of rules and of the mesh. */
export function keepalive({ probes, time, interval }: TcpKeepalive): Keepalive {
  return {
    probes: positive(probes),
    idleSeconds: seconds(time),
    intervalSeconds: seconds(interval),
  };
}

function outlierDetection(settings: OutlierDetectionObject): OutlierDetection {
  return {
    consecutive5xx: settings.consecutive5xxErrors ?? positive(settings.consecutiveErrors),
    consecutiveGatewayErrors: settings.consecutiveGatewayErrors,
    localOrigin:
      settings.splitExternalLocalOriginErrors === true
        ? { consecutiveFailures: positive(settings.consecutiveLocalOriginFailures) }
        : undefined,
    intervalMs: durationMs(settings.interval),
    baseEjectionTimeMs: durationMs(settings.baseEjectionTime),
    maxEjectionPercent: positive(settings.maxEjectionPercent),
    minHealthPercent: settings.minHealthPercent ?? 0,
    errorCodes: settings.outlierDetectionHttpErrorCodes ?? [],
  };
}

function durationMs(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDurationMs(text);
}

function seconds(text: string | undefined): number | undefined {
  const ms = durationMs(text);
  return ms === undefined ? undefined : Math.ceil(ms / 1000);
}

/** Zero means that nothing is said, as in protobuf's messages without presence. */
function positive(value: number | undefined): number | undefined {
  return value !== undefined && value > 0 ? value : undefined;
}
