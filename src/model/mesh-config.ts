import { parseDurationMs } from "../base/duration.ts";
import { type Issue, isError } from "../base/issue.ts";
import type { ConfigMap } from "../config/config-map.ts";
import { isSameJson, own } from "../config/json.ts";
import {
  type MeshConfig,
  type MeshTlsConfig,
  parseMeshConfig,
  parseMeshNetworks,
} from "../config/mesh-config.ts";
import type { TcpKeepalive } from "../config/tcp-keepalive.ts";
import { knownCipherSuites, knownEcdhCurves } from "../config/tls-names.ts";
import { meshLogFormat } from "./mesh-access-log.ts";
import { unsupportedIssues } from "./mesh-config-support.ts";
import {
  BUILT_IN_LOG,
  DEFAULT_SETTINGS,
  type IngressSettings,
  type MeshSettings,
  type TcpKeepaliveSettings,
} from "./mesh-settings.ts";
import type { ObjectIssue } from "./origin.ts";
import type { TlsVersion } from "./tls.ts";

/** The ConfigMap that holds the settings of the mesh, and its keys. */
export const MESH_CONFIG_MAP = {
  group: "",
  kind: "ConfigMap",
  namespace: "istio-system",
  name: "istio",
};
const MESH_KEY = "mesh";
const NETWORKS_KEY = "meshNetworks";

/** The settings of a mesh, and where they come from. */
export interface MeshConfigState {
  readonly settings: MeshSettings;
  /** What is wrong with the ConfigMap, or asked for in vain. */
  readonly issues: readonly ObjectIssue[];
  /** The texts that they were read from. */
  readonly source: { readonly mesh: string; readonly networks: string };
}

/**
 * The settings as ConfigMap `istio` has them now; Istio's defaults where there is none. A text that
 * cannot be read leaves those of before in force, and says so. The same texts give the same value.
 */
export function readMeshConfig(
  configMap: ConfigMap | undefined,
  previous?: MeshConfigState,
): MeshConfigState {
  const data = configMap?.data;
  const source = { mesh: own(data, MESH_KEY) ?? "", networks: own(data, NETWORKS_KEY) ?? "" };
  if (isSameJson(previous?.source, source) && previous !== undefined) return previous;
  const issues = networkIssues(source.networks);
  const parsed = parseMeshConfig(source.mesh);
  if (!parsed.ok) {
    const kept = previous === undefined ? "Istio's defaults hold" : "what held before still holds";
    const count = parsed.issues.filter(isError).length;
    const message = `is not used, ${kept}: ${count} ${count === 1 ? "error" : "errors"}`;
    return {
      settings: previous?.settings ?? DEFAULT_SETTINGS,
      issues: [
        onConfigMap({ path: "", message }, MESH_KEY),
        ...parsed.issues.map((issue) => onConfigMap(issue, MESH_KEY)),
        ...issues,
      ],
      source,
    };
  }
  const { value, warnings = [] } = parsed;
  const unsupported = unsupportedIssues(value);
  return {
    settings:
      source.mesh === ""
        ? DEFAULT_SETTINGS
        : keepParts(previous?.settings ?? DEFAULT_SETTINGS, resolveMeshConfig(value)),
    issues: [
      ...[...warnings, ...unsupported].map((issue) => onConfigMap(issue, MESH_KEY)),
      ...issues,
    ],
    source,
  };
}

/**
 * The settings with the parts of the earlier ones that say the same, since what is computed from a
 * part is remembered by its identity; the earlier ones themselves where all do.
 */
function keepParts(earlier: MeshSettings, current: MeshSettings): MeshSettings {
  const fields = Object.entries(current) as [keyof MeshSettings, unknown][];
  const kept = fields.map(([name, value]): [string, unknown] => [
    name,
    isSamePart(earlier[name], value) ? earlier[name] : value,
  ]);
  const isUnchanged = kept.every(([name, value]) => value === earlier[name as keyof MeshSettings]);
  return isUnchanged ? earlier : (Object.fromEntries(kept) as unknown as MeshSettings);
}

function isSamePart(earlier: unknown, current: unknown): boolean {
  return earlier instanceof Map && current instanceof Map
    ? isSameJson([...earlier], [...current])
    : isSameJson(earlier, current);
}

function networkIssues(text: string): readonly ObjectIssue[] {
  const parsed = parseMeshNetworks(text);
  const issues: Issue[] = [...(parsed.ok ? (parsed.warnings ?? []) : parsed.issues)];
  if (parsed.ok && Object.keys(parsed.value.networks ?? {}).length > 0) {
    const message =
      "has no effect: several networks are not built yet, all endpoints are reached directly";
    issues.push({ path: "networks", message, severity: "warning" });
  }
  return issues.map((issue) => onConfigMap(issue, NETWORKS_KEY));
}

function onConfigMap({ path, ...rest }: Issue, key: string): ObjectIssue {
  const issue = { ...rest, path: path === "" ? `data[${key}]` : `data[${key}].${path}` };
  return { object: MESH_CONFIG_MAP, issue };
}

/** Istio's defaults with what a MeshConfig says laid over them. */
export function resolveMeshConfig(mesh: MeshConfig | undefined): MeshSettings {
  if (mesh === undefined) return DEFAULT_SETTINGS;
  return {
    ...resolveTrust(mesh),
    ...resolveConnections(mesh),
    ...resolvePolicies(mesh),
    ...resolveTelemetry(mesh),
    exportTo: {
      service: orDefault(mesh.defaultServiceExportTo),
      virtualService: orDefault(mesh.defaultVirtualServiceExportTo),
      destinationRule: orDefault(mesh.defaultDestinationRuleExportTo),
    },
    ingress: resolveIngress(mesh),
    clusterLocal: (mesh.serviceSettings ?? []).flatMap(({ settings, hosts = [] }) =>
      hosts.map((host) => ({ host, isLocal: settings?.clusterLocal === true })),
    ),
    discoverySelectors: mesh.discoverySelectors ?? [],
    proxyConfig: mesh.defaultConfig ?? {},
  };
}

type Trust = Pick<
  MeshSettings,
  | "rootNamespace"
  | "trustDomain"
  | "trustDomainAliases"
  | "isAutoMtls"
  | "meshTlsMinVersion"
  | "meshTlsCipherSuites"
  | "tlsDefaults"
  | "isServerVerified"
>;

function resolveTrust(mesh: MeshConfig): Trust {
  return {
    rootNamespace: mesh.rootNamespace || DEFAULT_SETTINGS.rootNamespace,
    trustDomain: mesh.trustDomain || DEFAULT_SETTINGS.trustDomain,
    trustDomainAliases: mesh.trustDomainAliases ?? [],
    isAutoMtls: mesh.enableAutoMtls ?? true,
    meshTlsMinVersion: minVersionOf(mesh.meshMTLS) ?? DEFAULT_SETTINGS.meshTlsMinVersion,
    meshTlsCipherSuites: knownCipherSuites(mesh.meshMTLS?.cipherSuites),
    tlsDefaults: {
      minVersion: minVersionOf(mesh.tlsDefaults),
      maxVersion: undefined,
      cipherSuites: knownCipherSuites(mesh.tlsDefaults?.cipherSuites),
      ecdhCurves: knownEcdhCurves(mesh.tlsDefaults?.ecdhCurves),
    },
    isServerVerified: mesh.verifyCertificateAtClient ?? true,
  };
}

type Connections = Pick<
  MeshSettings,
  | "connectTimeoutMs"
  | "outboundPort"
  | "inboundPort"
  | "httpProxyPort"
  | "protocolDetectionTimeoutMs"
  | "tcpKeepalive"
  | "dnsRefreshMs"
  | "isHttp2Upgrade"
>;

function resolveConnections(mesh: MeshConfig): Connections {
  const { proxyListenPort, proxyInboundListenPort, proxyHttpPort, tcpKeepalive } = mesh;
  return {
    connectTimeoutMs: msOf(mesh.connectTimeout) ?? DEFAULT_SETTINGS.connectTimeoutMs,
    outboundPort: proxyListenPort ?? DEFAULT_SETTINGS.outboundPort,
    inboundPort: proxyInboundListenPort ?? DEFAULT_SETTINGS.inboundPort,
    httpProxyPort: proxyHttpPort ?? DEFAULT_SETTINGS.httpProxyPort,
    protocolDetectionTimeoutMs: msOf(mesh.protocolDetectionTimeout) ?? 0,
    tcpKeepalive: tcpKeepalive === undefined ? undefined : resolveKeepalive(tcpKeepalive),
    dnsRefreshMs: msOf(mesh.dnsRefreshRate) ?? DEFAULT_SETTINGS.dnsRefreshMs,
    isHttp2Upgrade: mesh.h2UpgradePolicy === "UPGRADE",
  };
}

type Policies = Pick<
  MeshSettings,
  "outboundMode" | "inboundMode" | "localityLb" | "defaultRetry" | "pathNormalization"
>;

function resolvePolicies(mesh: MeshConfig): Policies {
  const { outboundTrafficPolicy, pathNormalization, localityLbSetting } = mesh;
  const normalization = pathNormalization?.normalization ?? "DEFAULT";
  return {
    outboundMode: outboundTrafficPolicy?.mode ?? DEFAULT_SETTINGS.outboundMode,
    inboundMode: mesh.inboundTrafficPolicy?.mode ?? "PASSTHROUGH",
    localityLb: { ...DEFAULT_SETTINGS.localityLb, ...localityLbSetting },
    defaultRetry: mesh.defaultHttpRetryPolicy,
    pathNormalization: normalization === "DEFAULT" ? "BASE" : normalization,
  };
}

type Telemetry = Pick<
  MeshSettings,
  | "accessLog"
  | "accessLogFormat"
  | "hasAccessLogService"
  | "isTracingEnabled"
  | "isListenerLogged"
  | "extensionProviders"
  | "defaultProviders"
  | "isPrometheusMerged"
>;

function resolveTelemetry(mesh: MeshConfig): Telemetry {
  const { extensionProviders = [], defaultProviders = {}, accessLogFile = "" } = mesh;
  const format = meshLogFormat(mesh);
  return {
    accessLog:
      accessLogFile === "" ? undefined : { path: accessLogFile, format, omitsEmpty: false },
    accessLogFormat: format,
    hasAccessLogService: mesh.enableEnvoyAccessLogService === true,
    isTracingEnabled: mesh.enableTracing ?? true,
    isListenerLogged: mesh.disableEnvoyListenerLog !== true,
    extensionProviders: new Map(
      [BUILT_IN_LOG, ...extensionProviders].map((one) => [one.name, one]),
    ),
    defaultProviders: {
      tracing: defaultProviders.tracing ?? [],
      accessLogging: defaultProviders.accessLogging ?? [],
    },
    isPrometheusMerged: mesh.enablePrometheusMerge ?? true,
  };
}

function resolveIngress(mesh: MeshConfig): IngressSettings {
  const { ingressControllerMode: mode = "UNSPECIFIED" } = mesh;
  const { ingress } = DEFAULT_SETTINGS;
  return {
    mode: mode === "UNSPECIFIED" ? ingress.mode : mode,
    className: mesh.ingressClass || ingress.className,
    service: mesh.ingressService || ingress.service,
    selector: mesh.ingressSelector || ingress.selector,
  };
}

function minVersionOf({ minProtocolVersion }: MeshTlsConfig = {}): TlsVersion | undefined {
  return minProtocolVersion === "TLS_AUTO" ? undefined : minProtocolVersion;
}

/** The keep-alive of connections with its times in milliseconds. */
export function resolveKeepalive({ probes, time, interval }: TcpKeepalive): TcpKeepaliveSettings {
  return { probes, timeMs: msOf(time), intervalMs: msOf(interval) };
}

function orDefault(exportTo: readonly string[] = []): readonly string[] {
  return exportTo.length === 0 ? ["*"] : exportTo;
}

/** The schema has seen to it that it is a duration. */
function msOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDurationMs(text);
}
