import type { JsonObject } from "@bufbuild/protobuf";
import type { PeerAddress } from "../../match/connection-info.ts";
import type { HealthCheckConfig } from "../health/health-config.ts";
import type { OutlierConfig } from "../health/outlier-config.ts";
import type { HttpFilterConfig } from "../http/http-filter.ts";
import type { NameFormat } from "../http1/header-case.ts";
import type { HeadOptions } from "../http1/parse-head.ts";
import type { Http2Options } from "../http2/http2-options.ts";
import type { AddressOrder } from "../net/address-order.ts";
import type { KeepAlive } from "../net/keep-alive.ts";
import type { TransportConfig } from "./cluster-transports.ts";

/** Metadata by namespace, such as `envoy.lb`: what an endpoint or a cluster says of itself. */
export type Metadata = Readonly<Record<string, JsonObject>>;

/** Where hosts stand; those of one place belong together. */
export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
  /** Its share of its priority's traffic, where localities are weighted; 0 is none at all. */
  readonly weight: number;
}

/** What discovery says of a host's health, by Envoy's names. */
export type EdsHealth = "UNKNOWN" | "HEALTHY" | "UNHEALTHY" | "DRAINING" | "TIMEOUT" | "DEGRADED";

/** Where a socket is connected to. */
export interface HostAddress {
  /** An IP address, a name to resolve in a DNS cluster, or the path of a Unix socket with port 0. */
  readonly address: string;
  readonly port: number;
}

/** How a host is checked where that differs from how it is used. */
export interface EndpointHealthCheck {
  /** 0: the host's own. */
  readonly port: number;
  /** "": what the check itself says. */
  readonly hostname: string;
  /** `undefined`: the host's own. */
  readonly address: HostAddress | undefined;
  readonly isDisabled: boolean;
}

/** One host of a cluster, as discovery says. */
export interface Endpoint extends HostAddress {
  /** At least 1. */
  readonly weight: number;
  readonly health: EdsHealth;
  readonly hostname: string;
  readonly locality: Locality;
  /** 0 is used first. */
  readonly priority: number;
  readonly metadata: Metadata;
  /** Further addresses of the same host, tried in this order when the first does not answer. */
  readonly additionalAddresses: readonly HostAddress[];
  /** `undefined`: as it is used. */
  readonly healthCheck: EndpointHealthCheck | undefined;
}

/** Where a cluster's traffic may go: what an EDS response or the cluster itself says. */
export interface Assignment {
  readonly name: string;
  readonly endpoints: readonly Endpoint[];
  /** How many times its real health a set of hosts counts for, in percent. */
  readonly overprovisioningPercent: number;
  /** Whether the health of a priority is that of its hosts by weight, not by number. */
  readonly weighsPriorityHealth: boolean;
  /** Without a new assignment for so long there are no endpoints; 0 is for ever. */
  readonly staleAfterMs: number;
  /** The share of requests that are dropped, 0 to 1. */
  readonly dropShare: number;
}

/** How one host of many is chosen. */
export interface LbConfig {
  readonly policy: LbPolicy;
  /** Hosts that least request compares. */
  readonly choiceCount: number;
  /** How much requests in flight count where least request has weights to heed. */
  readonly activeRequestBias: number;
  /** Whose value in the runtime counts instead, when it has one. */
  readonly activeRequestBiasKey: string;
  /** How a host that is new begins; `undefined` is with its whole weight. */
  readonly slowStart: SlowStartConfig | undefined;
  /** For ring_hash and maglev; `undefined` for all others. */
  readonly hashing: HashingConfig | undefined;
  readonly locality: LocalityMode;
  /** Below this share of healthy hosts health is not looked at; 0 is never. */
  readonly panicPercent: number;
  readonly subsets: SubsetConfig | undefined;
}

export type LbPolicy =
  | "round_robin"
  | "least_request"
  | "random"
  | "ring_hash"
  | "maglev"
  | "cluster_provided";

/** What the place of a host has to say: nothing, its configured weight, or how near it is. */
export type LocalityMode =
  | { readonly kind: "none" }
  | { readonly kind: "weighted" }
  | ({ readonly kind: "zone_aware" } & ZoneAwareConfig);

/** Prefers hosts of the proxy's own zone as far as that keeps the load even. */
export interface ZoneAwareConfig {
  /** The share of requests for which it is done at all. */
  readonly enabledPercent: number;
  /** With fewer hosts it is not done. */
  readonly clusterSizeMin: number;
  /** In panic nothing is chosen at all. */
  readonly failsOnPanic: boolean;
  /** Own-zone hosts are used alone while there are at least so many; `undefined` for never. */
  readonly forceLocalMin: number | undefined;
  /** What zones are compared by: how many healthy hosts they have, or what these weigh together. */
  readonly basis: "number" | "weight";
}

/** The weight of a new host grows for a while. */
export interface SlowStartConfig {
  readonly windowMs: number;
  /** 1 is linear; above that it grows faster at first. */
  readonly aggression: number;
  /** Whose value in the runtime counts instead, when it has one. */
  readonly aggressionKey: string;
  /** What it begins with, in percent of its weight. */
  readonly minWeightPercent: number;
}

/** How requests are spread by a hash. */
export interface HashingConfig {
  readonly ringSizeMin: number;
  readonly ringSizeMax: number;
  readonly hashFunction: "xx_hash" | "murmur_hash_2";
  /** Maglev's table; a prime number. */
  readonly tableSize: number;
  /** Hosts are known by their names rather than by their addresses. */
  readonly usesHostname: boolean;
  /** A host takes at most so much of the mean load, in percent; 0 is no bound. */
  readonly balanceFactorPercent: number;
}

/** What happens to a request whose metadata no subset has. */
export type SubsetFallback = "none" | "any" | "default";

/** How hosts are divided by their metadata. */
export interface SubsetConfig {
  readonly fallback: SubsetFallback;
  /** What a host of the default subset says; values in canonical form. */
  readonly defaultSubset: readonly (readonly [key: string, value: string])[];
  readonly selectors: readonly SubsetSelector[];
  readonly panicModeAny: boolean;
  /** Whether weights of localities count within a subset, and by how much of their hosts it has. */
  readonly localityWeights: "none" | "whole" | "scaled";
  readonly listAsAny: boolean;
  /** Keys that no selector has are left out before the subset is looked for. */
  readonly allowsRedundantKeys: boolean;
  /** A `fallback_list` of the route is tried entry by entry. */
  readonly usesFallbackList: boolean;
}

/** One way to divide hosts: every combination of the keys' values is a subset. */
export interface SubsetSelector {
  /** Sorted, each once. */
  readonly keys: readonly string[];
  readonly isSingleHost: boolean;
  /** `undefined`: as the whole configuration says. */
  readonly fallback: SubsetFallback | "keys" | undefined;
  /** For fallback "keys": the fewer keys to look with. */
  readonly fallbackKeys: readonly string[];
}

/** What a cluster's circuit breakers allow for one priority; `Infinity` is no limit. */
export interface Thresholds {
  readonly connectionsMax: number;
  readonly pendingMax: number;
  readonly requestsMax: number;
  readonly retriesMax: number;
  /** In place of `retriesMax`. */
  readonly retryBudget: RetryBudget | undefined;
  /** Of each single host. */
  readonly hostConnectionsMax: number;
  /** Whether gauges tell how much is left. */
  readonly tracksRemaining: boolean;
}

/** Retries as a share of what is in flight. */
export interface RetryBudget {
  readonly percent: number;
  /** So many are allowed in any case. */
  readonly concurrencyMin: number;
}

/** Which addresses of a name are taken, by Envoy's names. */
export type LookupFamily = "AUTO" | "V4_ONLY" | "V6_ONLY" | "V4_PREFERRED" | "ALL";

/** How the names of a STRICT_DNS or LOGICAL_DNS cluster are resolved. */
export interface DnsConfig {
  readonly family: LookupFamily;
  readonly refreshMs: number;
  /** After a failure: the wait and its bound, drawn at random; `undefined` is `refreshMs`. */
  readonly failureRefresh: { readonly baseMs: number; readonly maxMs: number } | undefined;
  readonly respectsTtl: boolean;
  /** The most that is added to the wait after an answer, drawn at random. */
  readonly jitterMs: number;
  readonly resolver: ResolverConfig;
  /** Whether the cluster may serve before its names are resolved. */
  readonly waitsForWarm: boolean;
}

/** Who is asked for the addresses of names: the machine's own way, or name servers. */
export type ResolverConfig =
  | { readonly kind: "getaddrinfo" }
  | ({ readonly kind: "name_servers" } & NameServerConfig);

/** How name servers are asked. */
export interface NameServerConfig {
  /** `address:port` each; without any those of the machine. */
  readonly servers: readonly string[];
  /** They are asked only where the machine has none. */
  readonly areFallback: boolean;
  /** Whether the machine's search list counts. */
  readonly searches: boolean;
  /** Families of which no network interface has an address are not asked for. */
  readonly skipsUnroutable: boolean;
}

/** A cache of names, decoded and checked (Envoy, `DnsCacheConfig`). */
export interface DnsCacheConfig {
  readonly name: string;
  readonly dns: DnsConfig;
  /** However short an address may be kept, it is kept so long. */
  readonly refreshMsMin: number;
  /** A name that nobody asked for during so long is forgotten. */
  readonly hostTtlMs: number;
  readonly hostsMax: number;
  /** Of those that wait for a name. */
  readonly pendingMax: number;
  /** For one look-up; 0 is none. */
  readonly queryTimeoutMs: number;
  /** Asked for before anybody else does. */
  readonly preresolved: readonly { readonly host: string; readonly port: number }[];
}

/** Where an ORIGINAL_DST cluster takes its addresses from. */
export interface OriginalDstConfig {
  /** A request header in lower case that names the address; "" for none. */
  readonly header: string;
  readonly portOverride: number | undefined;
  /** A host that nobody used for so long is dropped. */
  readonly cleanupMs: number;
}

/**
 * A version of HTTP, or what decides about it: TLS with each connection, or what the client of a
 * request speaks.
 */
export type HttpVersion = "HTTP/1.1" | "HTTP/2" | "by ALPN" | "as the client";

/** A cluster, decoded and checked; what it does not name has Envoy's default. */
export interface ClusterConfig {
  readonly name: string;
  /** What statistics are kept under. */
  readonly statName: string;
  /** What logs call it: `alt_stat_name`, else its name. */
  readonly alias: string;
  readonly type:
    | "STATIC"
    | "STRICT_DNS"
    | "LOGICAL_DNS"
    | "EDS"
    | "ORIGINAL_DST"
    | "AGGREGATE"
    | "DYNAMIC_FORWARD_PROXY";
  /** The clusters whose hosts an aggregate cluster uses, in order; of others none. */
  readonly aggregated: readonly string[];
  /** The name to ask EDS for; only for that type. */
  readonly edsName: string;
  /** How long the first EDS answer is waited for; 0 is for ever. */
  readonly edsFirstAnswerMs: number;
  /** The endpoints of STATIC; names to resolve for the DNS types. */
  readonly assignment: Assignment | undefined;
  readonly dns: DnsConfig | undefined;
  readonly originalDst: OriginalDstConfig | undefined;
  /** The names that a dynamic forward proxy has been asked for. */
  readonly dnsCache: DnsCacheConfig | undefined;
  readonly lb: LbConfig;
  readonly connectTimeoutMs: number;
  /** By priority: DEFAULT, HIGH. */
  readonly thresholds: readonly [Thresholds, Thresholds];
  readonly connection: ConnectionConfig;
  /** What sees each attempt of a request, in order. */
  readonly httpFilters: readonly HttpFilterConfig[];
  /** Most bytes of a request kept for a retry. */
  readonly bufferBytesMax: number;
  /** Of a request to this cluster, from its beginning to its end; 0 is none. */
  readonly maxStreamDurationMs: number;
  /** All connections close when the hosts change. */
  readonly closesOnHostSetChange: boolean;
  /** `undefined`: hosts are not checked. */
  readonly healthCheck: HealthCheckConfig | undefined;
  /** A host that discovery dropped goes at once, even while its checks succeed. */
  readonly dropsHealthyHosts: boolean;
  /** TCP connections end when their host fails. */
  readonly closesOnHostFailure: boolean;
  /** Hosts that discovery named count once they have been checked. */
  readonly ignoresUncheckedHosts: boolean;
  /** In which state a host may be that a request wants above all others. */
  readonly overrideStatuses: ReadonlySet<EdsHealth>;
  /** Which version of HTTP its hosts are spoken to in. */
  readonly httpVersion: HttpVersion;
  readonly http2: Http2Options;
  /** What hosts are connected over; `undefined` is plain text. */
  readonly transport: TransportConfig | undefined;
  /** `undefined`: hosts stay in use whatever they answer. */
  readonly outlier: OutlierConfig | undefined;
  readonly metadata: Metadata;
  /** The encoded resource: the same bytes mean that nothing changed. */
  readonly body: Uint8Array;
}

/** How a cluster's connections live. */
export interface ConnectionConfig {
  /** How long an unused connection is kept; 0 is for ever. */
  readonly idleTimeoutMs: number;
  /** How long a connection takes new requests; 0 is for ever. */
  readonly maxDurationMs: number;
  /** 0: no limit. */
  readonly maxRequests: number;
  readonly responseHeads: HeadOptions;
  /** Whether trailers go through in both directions; else they are dropped. */
  readonly passesTrailers: boolean;
  /** Whether requests go out with a whole URL as their target. */
  readonly sendsFullUrl: boolean;
  /** How names of headers of requests are written; `undefined` for lower case. */
  readonly nameFormat: NameFormat | undefined;
  /** How a silent peer is asked whether it is there; `undefined` is never. */
  readonly keepAlive: KeepAlive | undefined;
  /** Connections to a host for every request that it has or that waits for it; 1 is no more. */
  readonly preconnectRatio: number;
  /** The same for the whole cluster: the hosts that are next are connected to; 0 and 1 are none. */
  readonly predictiveRatio: number;
  /** In which order the addresses of a host with several are tried. */
  readonly addressOrder: AddressOrder;
  /** Where connections come from, by the IP version of where they go. */
  readonly sources: readonly PeerAddress[];
  /** How a request's TLS connection is named after it; `undefined` where it is not. */
  readonly names: NameRules | undefined;
}

/** What of TLS depends on the single request. */
export interface NameRules {
  /** Whether the server name that is asked for is the request's host. */
  readonly setsServerName: boolean;
  /** Whether the certificate must have that name. */
  readonly checksCertificate: boolean;
  /** Whose value counts in place of the host, in lower case; "" for none. */
  readonly header: string;
}
