/**
 * Listeners as the model describes them: everything that decides what happens to a connection, in
 * plain values. `xds/listener.ts` writes them as Envoy's.
 */
import type { Origin } from "./origin.ts";
import type { RouteConfiguration } from "./route.ts";
import type { ServerTls } from "./tls.ts";

/** Where a listener is; a path is a Unix domain socket. */
export type ListenAddress =
  | { readonly address: string; readonly port: number }
  | { readonly path: string };

/** One listener. What several proxies have alike is the same value. */
export interface Listener {
  readonly name: string;
  readonly direction: "inbound" | "outbound";
  readonly address: ListenAddress;
  readonly additionalAddresses: readonly ListenAddress[];
  /** Whether it opens a socket; else only the capturing listener hands connections to it. */
  readonly isBound: boolean;
  /** Hands each connection to the listener of the address that the client had meant (`use_original_dst`). */
  readonly isCapturing: boolean;
  /** Takes and makes connections with addresses that are not its own (`TPROXY`). */
  readonly isTransparent?: boolean;
  readonly inspection: Inspection;
  /** In the order of their names' first appearance; which one counts is up to the matches alone. */
  readonly chains: readonly FilterChain[];
  /** For connections that no chain matches; absent: they are closed. */
  readonly defaultChain: FilterChain | undefined;
  /** How long the inspectors may wait; 0 for ever. Absent: the proxy's default. */
  readonly inspectionTimeoutMs: number | undefined;
  /** TCP keep-alive on accepted connections. */
  readonly keepalive: TcpKeepalive | undefined;
  readonly origins: readonly Origin[];
}

/** TCP keep-alive; absent fields are the system's. */
export interface TcpKeepalive {
  readonly probes: number | undefined;
  readonly timeMs: number | undefined;
  readonly intervalMs: number | undefined;
}

/** What looks at a connection before a chain is chosen. */
export interface Inspection {
  readonly originalDestination: boolean;
  /** Goes on with the client's address, as netfilter rules of `TPROXY` expect it. */
  readonly originalSource?: boolean;
  /** Reads a PROXY protocol header first. */
  readonly proxyProtocol: boolean;
  /** Whether SNI and ALPN are read, and on which ports not. */
  readonly tls: InspectorUse;
  /** Whether the first bytes are tried as HTTP, and on which ports not. */
  readonly http: InspectorUse;
}

/**
 * Off, on, on for all original destination ports but some (servers that speak first), or on for
 * some only. The ports are sorted, and never none.
 */
export type InspectorUse =
  | boolean
  | { readonly exceptPorts: readonly number[] }
  | { readonly onlyPorts: readonly number[] };

/** No looking at all. */
export const NO_INSPECTION: Inspection = {
  originalDestination: false,
  proxyProtocol: false,
  tls: false,
  http: false,
};

/** Which connections a chain takes: all that is given must hold. */
export interface FilterChainMatch {
  readonly destinationPort?: number;
  /** CIDR ranges of the original destination. */
  readonly prefixRanges?: readonly string[];
  readonly sourcePrefixRanges?: readonly string[];
  /** SNI: exact, or `*.suffix`. */
  readonly serverNames?: readonly string[];
  readonly transportProtocol?: "tls" | "raw_buffer";
  /** ALPN, or what the HTTP inspector found. */
  readonly applicationProtocols?: readonly string[];
}

/** One way of treating a connection. */
export interface FilterChain {
  readonly name: string;
  readonly match: FilterChainMatch;
  /** Absent: bytes are taken as they come. */
  readonly tls: ServerTls | undefined;
  readonly filter: HttpChain | TcpChain;
  readonly origins: readonly Origin[];
}

/** Ends in a connection manager. */
export interface HttpChain {
  readonly type: "http";
  readonly statPrefix: string;
  /** A route configuration of its own resource, by name, or one inside the listener. */
  readonly routes: string | RouteConfiguration;
  /** What side of the mesh this is on; decides how far requests' own words are trusted. */
  readonly role: HttpRole;
  /** Whether a route may lead to a cluster that looks up the host of the request (`dynamic-dns`). */
  readonly reachesDynamicDns?: boolean;
  /** Whether clients may ask in gRPC-Web, which upstreams get as gRPC. */
  readonly takesGrpcWeb?: boolean;
  /** Whether a request without a virtual host waits until the proxy has asked for it. */
  readonly isOnDemand?: boolean;
}

/**
 * `sidecar-outbound`: from the pod's own app. `sidecar-inbound`: from other proxies or plain
 * clients. `gateway`: from strangers. `http-proxy`: from the pod's own app, in the form in which
 * clients ask a proxy.
 */
export type HttpRole = "sidecar-outbound" | "sidecar-inbound" | "gateway" | "http-proxy";

/** Ends in a TCP proxy. */
export interface TcpChain {
  readonly type: "tcp";
  readonly statPrefix: string;
  /** Never empty; one has all, of several each has its weight. */
  readonly clusters: readonly WeightedTcpCluster[];
  /** Absent: the proxy's default (1 h); 0 never. */
  readonly idleTimeoutMs: number | undefined;
  readonly maxConnectionDurationMs: number | undefined;
  /** Whether connections of one client keep to one endpoint. */
  readonly isHashedBySource: boolean;
  /** Asks the cluster by CONNECT or POST for a way to another place. */
  readonly tunnel: TcpTunnel | undefined;
  /** The cluster is chosen by SNI: `AUTO_PASSTHROUGH` of gateways (`sni_cluster`). */
  readonly isClusterFromSni: boolean;
  /** Resolves the SNI and connects there, on this port (`sni_dynamic_forward_proxy`). */
  readonly sniDynamicPort?: number;
}

/** One destination of a TCP chain. */
export interface WeightedTcpCluster {
  readonly name: string;
  readonly weight: number;
}

/** A tunnel through an HTTP proxy. */
export interface TcpTunnel {
  readonly targetHost: string;
  readonly targetPort: number;
  readonly method: "CONNECT" | "POST";
}
