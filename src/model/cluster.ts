import type { Endpoint, Locality } from "./endpoint.ts";
import type { Origin } from "./origin.ts";
import type { Service, ServicePort } from "./service.ts";
import type { ClientTls } from "./tls.ts";
import type { Keepalive, TrafficPolicy } from "./traffic-policy.ts";

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
  /** Absent: bytes as they are. */
  readonly transport?: Transport;
  /** Of connections to hosts. */
  readonly keepalive?: Keepalive;
  /** Whether localities share the traffic by their weights, before a host is chosen. */
  readonly isLocalityWeighted?: boolean;
  /** How long an HTTP connection without requests stays, where the policy does not say; absent: 1 h. */
  readonly httpIdleTimeoutMs?: number;
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

/** TLS to all hosts, or only to those whose proxies take Istio's mutual TLS (`isByEndpoint`). */
export interface Transport {
  readonly tls: ClientTls;
  readonly isByEndpoint: boolean;
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
  | ({
      readonly type: "strict-dns" | "logical-dns";
      readonly groups: readonly EndpointGroup[];
    } & Lookup)
  /** The address that the client meant; `sourceAddress` binds connections to it. */
  | { readonly type: "original-dst"; readonly sourceAddress?: string }
  /** The name that the request says, looked up by the proxy. */
  | ({ readonly type: "dynamic-dns" } & Lookup);

/** How names are looked up. */
export interface Lookup {
  readonly family: LookupFamily;
  /** Where the answer says nothing about that. */
  readonly refreshMs: number;
}

/** Which addresses of a name are used: those of the families that the proxy has. */
export type LookupFamily = "v4" | "v6" | "all";

/** Who answers for a cluster of discovery type `eds`. */
export interface ClusterEndpoints {
  readonly clusterName: string;
  readonly groups: readonly EndpointGroup[];
  readonly origins: readonly Origin[];
}

/** Endpoints of one locality and priority. */
export interface EndpointGroup {
  readonly locality: Locality;
  /** 0 first; there is none missing between 0 and the last. */
  readonly priority: number;
  /** Against the other groups of the priority. */
  readonly weight: number;
  readonly endpoints: readonly Endpoint[];
}

/** The name by which routes, clusters and endpoints find each other; Istio's form. */
export function clusterName(port: number, subset: string, hostname: string): string {
  return `outbound|${port}|${subset}|${hostname}`;
}

/** The name by which a client's SNI finds a cluster, and that it asks for in Istio's mutual TLS. */
export function sniName(port: number, subset: string, hostname: string): string {
  return `outbound_.${port}_.${subset}_.${hostname}`;
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
