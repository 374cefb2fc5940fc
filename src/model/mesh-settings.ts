import type { ExtensionProvider } from "../config/extension-provider.ts";
import type { HttpRetry } from "../config/http-route.ts";
import type { LabelSelector } from "../config/label-selector.ts";
import type { LocalityLbSetting } from "../config/locality-lb-setting.ts";
import type { TlsLimits, TlsVersion } from "./tls.ts";

/** Mesh-wide settings that concern traffic, with every default in its place (Istio's MeshConfig). */
export interface MeshSettings {
  /** The namespace of policies that are for the whole mesh, and of the settings themselves. */
  readonly rootNamespace: string;
  readonly trustDomain: string;
  readonly outboundMode: OutboundMode;
  readonly inboundMode: "PASSTHROUGH" | "LOCALHOST";
  readonly isAutoMtls: boolean;
  readonly connectTimeoutMs: number;
  /** Ports of the capturing listeners, and of the explicit proxy (0: none). */
  readonly outboundPort: number;
  readonly inboundPort: number;
  readonly httpProxyPort: number;
  /** What `exportTo` says where an object of the kind says nothing. */
  readonly exportTo: {
    readonly service: readonly string[];
    readonly virtualService: readonly string[];
    readonly destinationRule: readonly string[];
  };
  /** Further trust domains whose identities are taken as the mesh's own. */
  readonly trustDomainAliases: readonly string[];
  /** The oldest TLS between workloads (`meshMTLS.minProtocolVersion`). */
  readonly meshTlsMinVersion: TlsVersion;
  /** Cipher suites between workloads for TLS 1.2 (`meshMTLS.cipherSuites`); none: Istio's own. */
  readonly meshTlsCipherSuites: readonly string[];
  /** What holds for TLS with others where nobody says it (`tlsDefaults`). */
  readonly tlsDefaults: TlsLimits;
  /** How long a client may take to show its protocol; 0 for ever. */
  readonly protocolDetectionTimeoutMs: number;
  readonly pathNormalization: PathNormalization;
  /** `accessLogFile`; absent: there is none. What counts before it is up to Telemetries and `defaultProviders`. */
  readonly accessLog: AccessLogSettings | undefined;
  /** Of it, and of Istio's own provider `envoy`. */
  readonly accessLogFormat: AccessLogSettings["format"];
  /** Whether the service of `defaultConfig.envoyAccessLogService` is told beside it. */
  readonly hasAccessLogService: boolean;
  /** Whether proxies trace to where their ProxyConfig says, where no Telemetry says anything. */
  readonly isTracingEnabled: boolean;
  /** Names of those that are told where no Telemetry says it. */
  readonly defaultProviders: {
    readonly tracing: readonly string[];
    readonly accessLogging: readonly string[];
  };
  /** Whether connections that no filter chain takes are logged too. */
  readonly isListenerLogged: boolean;
  /** `defaultConfig`: what holds for proxies that bring no `proxyConfig` of their own. */
  readonly proxyConfig: Readonly<Record<string, unknown>>;
  /** Of connections to endpoints, where no DestinationRule says so; absent: none is asked for. */
  readonly tcpKeepalive: TcpKeepaliveSettings | undefined;
  /** Where no DestinationRule says so; failover counts only with outlier detection. */
  readonly localityLb: LocalityLbSetting;
  /** How often clusters look up a name whose answer says nothing about that. */
  readonly dnsRefreshMs: number;
  /** Whether HTTP/1.1 becomes HTTP/2 between proxies where no DestinationRule says so. */
  readonly isHttp2Upgrade: boolean;
  /** Retries of routes that say nothing; absent: Istio's own two. */
  readonly defaultRetry: HttpRetry | undefined;
  /** Whether a server's certificate is checked where a DestinationRule names no CA. */
  readonly isServerVerified: boolean;
  readonly ingress: IngressSettings;
  /** By name; Istio's own `envoy`, which writes to the standard output, is among them. */
  readonly extensionProviders: ReadonlyMap<string, ExtensionProvider>;
  /** Whose endpoints are only for clients of their own cluster; `isLocal` false takes one out again. */
  readonly clusterLocal: readonly { readonly host: string; readonly isLocal: boolean }[];
  /** Namespaces that are looked at: those that one of them selects; none: all. */
  readonly discoverySelectors: readonly LabelSelector[];
  /** Whether an application's metrics come with those of its proxy. */
  readonly isPrometheusMerged: boolean;
}

/** SO_KEEPALIVE; what is absent is left to the operating system. */
export interface TcpKeepaliveSettings {
  readonly probes: number | undefined;
  readonly timeMs: number | undefined;
  readonly intervalMs: number | undefined;
}

/** Which Ingresses are served, and by which pods. */
export interface IngressSettings {
  /** `DEFAULT` also serves those that name no class. */
  readonly mode: "OFF" | "DEFAULT" | "STRICT";
  readonly className: string;
  /** The Service whose addresses an Ingress gets, in the root namespace. */
  readonly service: string;
  /** The label `istio` of the gateway's pods. */
  readonly selector: string;
}

/** What becomes of a request's path before it is matched (Istio's `pathNormalization`). */
export type PathNormalization = "NONE" | "BASE" | "MERGE_SLASHES" | "DECODE_AND_MERGE_SLASHES";

/** One log line for each request and TCP connection. */
export interface AccessLogSettings {
  /** A file, or `/dev/stdout`. */
  readonly path: string;
  /** A format string, or the format of each field; absent: Istio's own of that encoding. */
  readonly format:
    | { readonly encoding: "TEXT"; readonly text: string | undefined }
    | { readonly encoding: "JSON"; readonly fields: JsonFormat | undefined };
  /** Leaves out what there is no value for, in place of a "-". */
  readonly omitsEmpty: boolean;
}

/** Names and format strings; objects and lists inside are written as such. */
export type JsonFormat = Readonly<Record<string, unknown>>;

/** What happens to requests for hosts that the mesh does not know. */
export type OutboundMode = "ALLOW_ANY" | "REGISTRY_ONLY" | "ALLOW_ANY_DYNAMIC_DNS";

/** The provider that every mesh has. */
export const BUILT_IN_LOG: ExtensionProvider = {
  name: "envoy",
  envoyFileAccessLog: { path: "/dev/stdout" },
};

/** What holds where nobody says anything; Istio's defaults. */
export const DEFAULT_SETTINGS: MeshSettings = {
  rootNamespace: "istio-system",
  trustDomain: "cluster.local",
  outboundMode: "ALLOW_ANY",
  inboundMode: "PASSTHROUGH",
  isAutoMtls: true,
  connectTimeoutMs: 10_000,
  outboundPort: 15_001,
  inboundPort: 15_006,
  httpProxyPort: 0,
  exportTo: { service: ["*"], virtualService: ["*"], destinationRule: ["*"] },
  trustDomainAliases: [],
  meshTlsMinVersion: "TLSV1_2",
  meshTlsCipherSuites: [],
  tlsDefaults: { minVersion: undefined, maxVersion: undefined, cipherSuites: [], ecdhCurves: [] },
  protocolDetectionTimeoutMs: 0,
  pathNormalization: "BASE",
  accessLog: undefined,
  accessLogFormat: { encoding: "TEXT", text: undefined },
  hasAccessLogService: false,
  isTracingEnabled: true,
  defaultProviders: { tracing: [], accessLogging: [] },
  isListenerLogged: true,
  proxyConfig: {},
  tcpKeepalive: undefined,
  localityLb: { enabled: true },
  dnsRefreshMs: 60_000,
  isHttp2Upgrade: false,
  defaultRetry: undefined,
  isServerVerified: true,
  ingress: {
    mode: "STRICT",
    className: "istio",
    service: "istio-ingressgateway",
    selector: "ingressgateway",
  },
  extensionProviders: new Map([["envoy", BUILT_IN_LOG]]),
  clusterLocal: [],
  discoverySelectors: [],
  isPrometheusMerged: true,
};
