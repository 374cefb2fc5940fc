import type { Endpoint } from "./endpoint.ts";
import type { Origin } from "./origin.ts";
import type { Service, ServicePort } from "./service.ts";
import type { TrafficPolicy } from "./traffic-policy.ts";

/**
 * A cluster as the model describes it. `xds/cluster.ts` writes it as Envoy's. What several proxies
 * have alike is the same value.
 */
export interface Cluster {
  readonly name: string;
  readonly direction: "inbound" | "outbound";
  readonly discovery: Discovery;
  /** Absent for clusters that belong to no service: `PassthroughCluster`, `BlackHoleCluster`. */
  readonly target: ClusterTarget | undefined;
  readonly policy: TrafficPolicy;
  readonly connectTimeoutMs: number;
  /** What upstreams are spoken to: `http2` by a service that says so, `client` as the client spoke. */
  readonly upstreamProtocol: "http1" | "http2" | "client" | "tcp";
  /** The service first, then the rules. */
  readonly origins: readonly Origin[];
}

/** The service port that a cluster is for, or one subset of it. */
export interface ClusterTarget {
  readonly service: Service;
  readonly port: ServicePort;
  /** "" for all endpoints. */
  readonly subset: string;
}

/** Where the hosts of a cluster come from. */
export type Discovery =
  /** Under the name of the cluster, or of another whose endpoints it has too. */
  | { readonly type: "eds"; readonly serviceName?: string }
  /** `sourceAddress` binds connections to it. */
  | {
      readonly type: "static";
      readonly endpoints: readonly Endpoint[];
      readonly sourceAddress?: string;
    }
  /** Names and addresses that the proxy looks up: all addresses, or one at a time. */
  | { readonly type: "strict-dns" | "logical-dns"; readonly endpoints: readonly Endpoint[] }
  /** The address that the client meant; `sourceAddress` binds connections to it. */
  | { readonly type: "original-dst"; readonly sourceAddress?: string }
  /** The name that the request says, looked up by the proxy. */
  | { readonly type: "dynamic-dns" };

/** Who answers for a cluster of discovery type `eds`. */
export interface ClusterEndpoints {
  readonly clusterName: string;
  readonly endpoints: readonly Endpoint[];
  readonly origins: readonly Origin[];
}

/** The name by which routes, clusters and endpoints find each other; Istio's form. */
export function clusterName(port: number, subset: string, hostname: string): string {
  return `outbound|${port}|${subset}|${hostname}`;
}

/** The name of the cluster that leads to the pod's own app. */
export function inboundClusterName(targetPort: number): string {
  return `inbound|${targetPort}||`;
}

/** Names of the clusters that every sidecar has (Istio's). */
export const BLACK_HOLE = "BlackHoleCluster";
export const PASSTHROUGH = "PassthroughCluster";
export const INBOUND_PASSTHROUGH = "InboundPassthroughCluster";
export const ALLOW_ANY_DYNAMIC_DNS = "AllowAnyDynamicDNSCluster";
