import type { ClientTlsSettings } from "../config/client-tls.ts";
import type { LocalityLbSetting } from "../config/locality-lb-setting.ts";
import type { TrafficPolicy as TrafficPolicyObject } from "../config/traffic-policy.ts";
import type { TcpTunnel } from "./listener.ts";
import type { Origin } from "./origin.ts";

/** How one endpoint is chosen among many. */
export type LoadBalancer =
  | "LEAST_REQUEST"
  | "ROUND_ROBIN"
  | "RANDOM"
  | "PASSTHROUGH"
  | "RING_HASH"
  | "MAGLEV";

/** What of a request decides which endpoint it keeps to. */
export type HashKey =
  | { readonly type: "header"; readonly name: string }
  | {
      readonly type: "cookie";
      readonly name: string;
      readonly path: string;
      /** Absent: a cookie that is missing is not made; 0: made for the browser's session. */
      readonly ttlMs: number | undefined;
      readonly attributes: readonly { readonly name: string; readonly value: string }[];
    }
  | { readonly type: "source-ip" }
  | { readonly type: "query-parameter"; readonly name: string };

/** How traffic to a destination is sent; what is absent is the mesh's or the proxy's default. */
export interface TrafficPolicy {
  readonly loadBalancer: LoadBalancer;
  /** With `RING_HASH` and `MAGLEV`; absent: endpoints are chosen at random. */
  readonly hashKey: HashKey | undefined;
  /** Smallest ring, or size of the Maglev table. */
  readonly hashTableSize: number | undefined;
  readonly warmup: Warmup | undefined;
  /** Which localities get the traffic, where that is not left to the service and the mesh. */
  readonly locality: LocalityLbSetting | undefined;
  readonly connectionPool: ConnectionPool;
  readonly outlierDetection: OutlierDetection | undefined;
  readonly tls: TlsRule | undefined;
  /** For TCP routes alone. */
  readonly tunnel: TcpTunnel | undefined;
  readonly proxyProtocol: "V1" | "V2" | undefined;
  readonly retryBudget: RetryBudget | undefined;
  /** Where each section is written: `spec.trafficPolicy.loadBalancer`, … */
  readonly places: PolicyPlaces;
}

/** Sections of a policy by their names; what is not written has no place. */
export type PolicyPlaces = Readonly<
  Partial<Record<Exclude<keyof TrafficPolicyObject, "portLevelSettings">, Origin>>
>;

/** How an endpoint that has just come is given its share. */
export interface Warmup {
  readonly durationMs: number;
  /** Greater than 0; absent: 1, a straight line. */
  readonly aggression: number | undefined;
  readonly minimumPercent: number | undefined;
}

/** Limits and times of connections; an absent limit is none. */
export interface ConnectionPool {
  readonly maxConnections: number | undefined;
  readonly connectTimeoutMs: number | undefined;
  readonly keepalive: Keepalive | undefined;
  readonly maxConnectionDurationMs: number | undefined;
  /** Of bytes without requests; 0: never. */
  readonly tcpIdleTimeoutMs: number | undefined;
  /** Of HTTP connections without requests. */
  readonly httpIdleTimeoutMs: number | undefined;
  readonly maxPendingRequests: number | undefined;
  readonly maxRequests: number | undefined;
  readonly maxRequestsPerConnection: number | undefined;
  readonly maxRetries: number | undefined;
  /** Of one HTTP/2 connection. */
  readonly maxConcurrentStreams: number | undefined;
  readonly http2KeepAlive: Http2KeepAlive | undefined;
  readonly h2Upgrade: "default" | "never" | "always";
  /** Goes on in the HTTP version that came in. */
  readonly isClientProtocol: boolean;
}

/** SO_KEEPALIVE; what is absent is the operating system's. */
export interface Keepalive {
  readonly probes: number | undefined;
  readonly idleSeconds: number | undefined;
  readonly intervalSeconds: number | undefined;
}

/** PING frames of HTTP/2. */
export interface Http2KeepAlive {
  readonly intervalMs: number;
  /** How long the answer may take. */
  readonly timeoutMs: number;
}

/** When endpoints are taken out of use for what they answered; absent fields: Envoy's defaults. */
export interface OutlierDetection {
  /** 0: answers of 5xx do not count. */
  readonly consecutive5xx: number | undefined;
  readonly consecutiveGatewayErrors: number | undefined;
  /** Absent: failures to connect count as answers. */
  readonly localOrigin: { readonly consecutiveFailures: number | undefined } | undefined;
  readonly intervalMs: number | undefined;
  readonly baseEjectionTimeMs: number | undefined;
  readonly maxEjectionPercent: number | undefined;
  /** With a smaller part in health, all are used. */
  readonly minHealthPercent: number;
  /** The status codes that count as errors; none: all of 5xx. */
  readonly errorCodes: readonly number[];
}

/** How TLS is to be begun, as the rule has it. */
export interface TlsRule {
  readonly settings: ClientTlsSettings;
  /** `spec.trafficPolicy.tls`, … */
  readonly origin: Origin;
  /** Whether the rule is for chosen workloads alone, which may have credentials of their own. */
  readonly isForSelected: boolean;
}

/** How many retries there may be beside requests. */
export interface RetryBudget {
  readonly percent: number | undefined;
  readonly minConcurrency: number | undefined;
  readonly intervalMs: number | undefined;
}

/** A pool without limits. */
export const NO_POOL_LIMITS: ConnectionPool = {
  maxConnections: undefined,
  connectTimeoutMs: undefined,
  keepalive: undefined,
  maxConnectionDurationMs: undefined,
  tcpIdleTimeoutMs: undefined,
  httpIdleTimeoutMs: undefined,
  maxPendingRequests: undefined,
  maxRequests: undefined,
  maxRequestsPerConnection: undefined,
  maxRetries: undefined,
  maxConcurrentStreams: undefined,
  http2KeepAlive: undefined,
  h2Upgrade: "default",
  isClientProtocol: false,
};

/** What applies where no DestinationRule says anything (Istio's mesh defaults). */
export const DEFAULT_POLICY: TrafficPolicy = {
  loadBalancer: "LEAST_REQUEST",
  hashKey: undefined,
  hashTableSize: undefined,
  warmup: undefined,
  locality: undefined,
  connectionPool: NO_POOL_LIMITS,
  outlierDetection: undefined,
  tls: undefined,
  tunnel: undefined,
  proxyProtocol: undefined,
  retryBudget: undefined,
  places: {},
};
