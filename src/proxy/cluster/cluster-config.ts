/** One address of a cluster. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
  /** At least 1. */
  readonly weight: number;
  readonly isHealthy: boolean;
  readonly hostname: string;
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

/** Where a cluster's traffic may go: what an EDS response or the cluster itself says. */
export interface Assignment {
  readonly name: string;
  readonly endpoints: readonly Endpoint[];
}

export type LbPolicy = "round_robin" | "least_request" | "random";

/** A cluster, decoded and checked; what it does not name has Envoy's default. */
export interface ClusterConfig {
  readonly name: string;
  readonly type: "STATIC" | "STRICT_DNS" | "EDS";
  /** The name to ask EDS for; only for that type. */
  readonly edsName: string;
  /** The endpoints of the other types; names to resolve for STRICT_DNS. */
  readonly assignment: Assignment | undefined;
  readonly lbPolicy: LbPolicy;
  /** Hosts that least request compares. */
  readonly choiceCount: number;
  readonly connectTimeoutMs: number;
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
  /** How long an unused connection is kept; 0 is for ever. */
  readonly idleTimeoutMs: number;
  /** 0: no limit. */
  readonly maxRequestsPerConnection: number;
  /** Below this share of healthy hosts health is not looked at. */
  readonly panicPercent: number;
  readonly dnsRefreshMs: number;
  /** Most bytes of a request kept for a retry. */
  readonly bufferBytesMax: number;
  /** Spoken with HTTP/2 only: fit for gRPC to a control plane, not for proxying yet. */
  readonly isHttp2: boolean;
  /** The encoded resource: the same bytes mean that nothing changed. */
  readonly body: Uint8Array;
}
