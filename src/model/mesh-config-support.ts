import type { Issue } from "../base/issue.ts";
import type { ExtensionProvider } from "../config/extension-provider.ts";
import { isSameJson, own } from "../config/json.ts";
import type { MeshConfig } from "../config/mesh-config.ts";
import type { ProxyConfigSettings, ProxyHeaders } from "../config/mesh-proxy-config.ts";
import type { Json } from "../config/schema.ts";
import { parseJsonFormat } from "./mesh-access-log.ts";

/** What becomes of a field: it does what it says, or why it does not. */
export type Support = true | NoSupport;

/** A field that is known and does nothing. */
export interface NoSupport {
  /** Ends "has no effect: …". */
  readonly why: string;
  /** Values that say what happens anyway: no word about them. */
  readonly silent?: readonly Json[];
}

const NO_IDENTITY: NoSupport = { why: "certificates are not issued yet" };
const NO_STATSD: NoSupport = {
  why: "proxies push no statistics: they are read at /stats/prometheus",
};

/** Every field of MeshConfig; the compiler sees to it that none is missing. */
export const MESH_CONFIG_SUPPORT: Readonly<Record<keyof MeshConfig, Support>> = {
  proxyListenPort: true,
  proxyInboundListenPort: true,
  proxyHttpPort: true,
  connectTimeout: true,
  protocolDetectionTimeout: true,
  tcpKeepalive: true,
  ingressClass: true,
  ingressService: {
    why: "Ingresses are not given an address: they are reached by the gateway's",
    silent: ["istio-ingressgateway"],
  },
  ingressControllerMode: true,
  ingressSelector: true,
  accessLogFile: true,
  accessLogFormat: true,
  accessLogEncoding: true,
  // Without an address in `defaultConfig`, `providerIssues` says so.
  enableEnvoyAccessLogService: true,
  disableEnvoyListenerLog: true,
  enableAutoMtls: true,
  trustDomain: true,
  trustDomainAliases: true,
  caCertificates: { ...NO_IDENTITY, silent: [[]] },
  certificates: { why: "Istio took it out: issue certificates with cert-manager", silent: [[]] },
  ca: NO_IDENTITY,
  verifyCertificateAtClient: true,
  meshMTLS: true,
  tlsDefaults: true,
  compliancePolicy: { why: "it is refused: say tlsDefaults and meshMTLS", silent: [""] },
  enableTracing: true,
  defaultConfig: true,
  outboundTrafficPolicy: true,
  inboundTrafficPolicy: true,
  configSources: { why: "configuration comes from the API or a folder of files", silent: [[]] },
  defaultServiceExportTo: true,
  defaultVirtualServiceExportTo: true,
  defaultDestinationRuleExportTo: true,
  rootNamespace: true,
  localityLbSetting: true,
  dnsRefreshRate: true,
  h2UpgradePolicy: true,
  inboundClusterStatName: { why: "clusters are counted by their own names", silent: [""] },
  outboundClusterStatName: { why: "clusters are counted by their own names", silent: [""] },
  serviceSettings: { why: "there is one cluster", silent: [[]] },
  enablePrometheusMerge: {
    why: "metrics of applications are not merged yet",
    // What Istio's own installation writes.
    silent: [true, false],
  },
  // What of them is used is said by `providerIssues`.
  extensionProviders: true,
  defaultProviders: true,
  discoverySelectors: true,
  pathNormalization: true,
  defaultHttpRetryPolicy: true,
  serviceScopeConfigs: { why: "ambient mode is not built yet", silent: [[]] },
  defaultTrafficPolicy: { why: "it is not built yet: say it in a DestinationRule for *.local" },
};

const NO_LEGACY: NoSupport = { why: "Istio does not use it any more" };

/** Every field of `defaultConfig`. */
export const PROXY_CONFIG_SUPPORT: Readonly<Record<keyof ProxyConfigSettings, Support>> = {
  configPath: { why: "it is not for the mesh to say", silent: ["./etc/istio/proxy"] },
  binaryPath: { why: "it is not for the mesh to say", silent: ["/usr/local/bin/envoy"] },
  serviceCluster: {
    why: "spans are said to be of the APP.NAMESPACE of their pod",
    silent: ["istio-proxy"],
  },
  tracingServiceName: {
    why: "spans are said to be of the APP.NAMESPACE of their pod",
    silent: ["APP_LABEL_AND_NAMESPACE"],
  },
  drainDuration: { why: "listeners are drained for Envoy's own time", silent: ["45s"] },
  parentShutdownDuration: { why: "proxies are not restarted while they run", silent: ["60s"] },
  discoveryAddress: {
    why: "proxies are told by whoever starts them",
    silent: ["istiod.istio-system.svc:15012"],
  },
  discoveryRefreshDelay: NO_LEGACY,
  zipkinAddress: { why: "Istio does not use it any more: say tracing.zipkin.address" },
  statsdUdpAddress: NO_STATSD,
  envoyMetricsServiceAddress: NO_STATSD,
  proxyAdminPort: { why: "it is 15000 in every pod", silent: [15_000] },
  availabilityZone: NO_LEGACY,
  controlPlaneAuthPolicy: { why: "the control plane is on the loopback", silent: ["MUTUAL_TLS"] },
  customConfigFile: { why: "weft proxy -c takes a start-up file" },
  statNameLength: { why: "names of statistics have no limit", silent: [189] },
  concurrency: { why: "a proxy of weft has one thread" },
  proxyBootstrapTemplatePath: { why: "weft proxy -c takes a start-up file" },
  interceptionMode: { why: "each proxy says its own mode", silent: ["REDIRECT"] },
  tracing: true,
  sds: NO_LEGACY,
  envoyAccessLogService: true,
  envoyMetricsService: NO_STATSD,
  proxyMetadata: { why: "each proxy says its own metadata", silent: [{}] },
  runtimeValues: { why: "the runtime of a proxy stands in its start-up file", silent: [{}] },
  statusPort: { why: "it is 15021 in every pod", silent: [15_020] },
  extraStatTags: { why: "metrics of requests by service are not built yet", silent: [[]] },
  gatewayTopology: true,
  terminationDrainDuration: { why: "a proxy ends when its application has", silent: ["5s"] },
  meshId: true,
  readinessProbe: { why: "virtual machines are not started here" },
  proxyStatsMatcher: { why: "all statistics are shown" },
  holdApplicationUntilProxyStarts: {
    why: "an application waits for its proxy anyway",
    silent: [true],
  },
  caCertificatesPem: { ...NO_IDENTITY, silent: [[]] },
  image: { why: "proxies are not containers here" },
  privateKeyProvider: { why: "private keys stay in the proxy" },
  proxyHeaders: true,
  fileFlushInterval: { why: "logs are flushed after Envoy's own time" },
  fileFlushMinSizeKb: { why: "logs are flushed at Envoy's own size" },
  statsCompression: { why: "statistics are not compressed", silent: [false] },
};

const NO_COLLECTOR: NoSupport = {
  why: "such collectors are not told yet: say zipkin, or an opentelemetry extension provider",
};
const NO_TLS: NoSupport = {
  why: "it is reached in plain text: say an extension provider, and TLS in a DestinationRule",
};

/** Every field of `defaultConfig.tracing`. */
const TRACING_SUPPORT: Readonly<
  Record<keyof NonNullable<ProxyConfigSettings["tracing"]>, Support>
> = {
  zipkin: true,
  lightstep: NO_COLLECTOR,
  datadog: NO_COLLECTOR,
  stackdriver: NO_COLLECTOR,
  openCensusAgent: NO_COLLECTOR,
  customTags: true,
  maxPathTagLength: true,
  sampling: true,
  tlsSettings: NO_TLS,
  enableIstioTags: true,
};

/** Every field of `defaultConfig.envoyAccessLogService`. */
const LOG_SERVICE_SUPPORT: Readonly<
  Record<keyof NonNullable<ProxyConfigSettings["envoyAccessLogService"]>, Support>
> = {
  address: true,
  tlsSettings: NO_TLS,
  tcpKeepalive: { why: "connections to it have no keep-alive" },
};

/** Every field of `defaultConfig.proxyHeaders`. */
const PROXY_HEADERS_SUPPORT: Readonly<Record<keyof ProxyHeaders, Support>> = {
  forwardedClientCert: true,
  setCurrentClientCertDetails: true,
  requestId: true,
  server: true,
  attemptCount: true,
  envoyDebugHeaders: true,
  metadataExchangeHeaders: { why: "proxies do not tell each other who they are", silent: [{}] },
  xForwardedHost: { why: "the header is not added", silent: [{}, { enabled: false }] },
  xForwardedPort: true,
  preserveHttp1HeaderCase: { why: "names of headers are lower case on their way", silent: [false] },
};

/** The parts of `defaultConfig` some of whose fields do nothing. */
const PARTS: Readonly<Record<string, Readonly<Record<string, Support>>>> = {
  proxyHeaders: PROXY_HEADERS_SUPPORT,
  tracing: TRACING_SUPPORT,
  envoyAccessLogService: LOG_SERVICE_SUPPORT,
};

/** Why a field, by its path, does nothing whatever its value; `undefined` for one that does. */
export function whyWithoutEffect(path: string): string | undefined {
  const [name = "", inner = "", innermost = ""] = path.split(/[.[{]/);
  const tables: readonly Readonly<Record<string, Support>>[] = [
    MESH_CONFIG_SUPPORT,
    name === "defaultConfig" ? PROXY_CONFIG_SUPPORT : {},
    (name === "defaultConfig" && own(PARTS, inner)) || {},
  ];
  for (const [at, field] of [name, inner, innermost].entries()) {
    const support = tables[at]?.[field];
    if (typeof support === "object") return support.why;
  }
  return undefined;
}

/** What a MeshConfig asks for in vain, as warnings: nothing is taken and ignored without a word. */
export function unsupportedIssues(mesh: MeshConfig): readonly Issue[] {
  const proxy = mesh.defaultConfig ?? {};
  return [
    ...issuesOf(mesh, MESH_CONFIG_SUPPORT, ""),
    ...issuesOf(proxy, PROXY_CONFIG_SUPPORT, "defaultConfig."),
    ...issuesOf(proxy.proxyHeaders ?? {}, PROXY_HEADERS_SUPPORT, "defaultConfig.proxyHeaders."),
    ...issuesOf(proxy.tracing ?? {}, TRACING_SUPPORT, "defaultConfig.tracing."),
    ...issuesOf(
      proxy.envoyAccessLogService ?? {},
      LOG_SERVICE_SUPPORT,
      "defaultConfig.envoyAccessLogService.",
    ),
    ...providerIssues(mesh),
    ...formatIssues(mesh),
  ];
}

/** Providers that nothing is built for, and what they may say. */
const UNUSED_PROVIDERS: readonly (keyof ExtensionProvider)[] = [
  "envoyExtAuthzHttp",
  "envoyExtAuthzGrpc",
  "lightstep",
  "datadog",
  "stackdriver",
  "opencensus",
  "skywalking",
  "prometheus",
  "sds",
];

/** What of a provider that is told nobody heeds. */
function partIssues(provider: ExtensionProvider, path: string): readonly Issue[] {
  const issues: Issue[] = [];
  const { resourceDetectors, dynatraceSampler } = provider.opentelemetry ?? {};
  if (resourceDetectors?.dynatrace !== undefined) {
    const where = `${path}.opentelemetry.resourceDetectors.dynatrace`;
    issues.push(noEffect(where, "only the environment is read"));
  }
  if (dynatraceSampler !== undefined) {
    const why = "spans are chosen by chance: say randomSamplingPercentage in a Telemetry";
    issues.push(noEffect(`${path}.opentelemetry.dynatraceSampler`, why));
  }
  return issues;
}

function providerIssues(mesh: MeshConfig): readonly Issue[] {
  const { extensionProviders = [], defaultProviders = {} } = mesh;
  const issues: Issue[] = [];
  for (const [at, provider] of extensionProviders.entries()) {
    const path = `extensionProviders[${at}]`;
    const type = UNUSED_PROVIDERS.find((one) => Object.hasOwn(provider, one));
    if (type !== undefined) {
      issues.push(noEffect(`${path}.${type}`, "what would use it is not built yet"));
    }
    issues.push(...partIssues(provider, path));
  }
  for (const at of (defaultProviders.tracing ?? []).slice(1).keys()) {
    const path = `defaultProviders.tracing[${at + 1}]`;
    issues.push(noEffect(path, "the provider before it is told, and one is"));
  }
  const metrics = defaultProviders.metrics ?? [];
  if (metrics.some((name) => name !== "prometheus")) {
    issues.push(noEffect("defaultProviders.metrics", NO_STATSD.why));
  }
  const logAddress = mesh.defaultConfig?.envoyAccessLogService?.address ?? "";
  if (mesh.enableEnvoyAccessLogService === true && logAddress === "") {
    const why = "nobody is told: say defaultConfig.envoyAccessLogService.address";
    issues.push(noEffect("enableEnvoyAccessLogService", why));
  }
  return issues;
}

function formatIssues({ accessLogEncoding, accessLogFormat = "" }: MeshConfig): readonly Issue[] {
  if (accessLogEncoding !== "JSON" || accessLogFormat === "") return [];
  if (parseJsonFormat(accessLogFormat) !== undefined) return [];
  const message =
    "is no JSON object, which the encoding JSON asks for: Istio's own fields are written";
  return [{ path: "accessLogFormat", message, severity: "warning" }];
}

function noEffect(path: string, why: string): Issue {
  return { path, message: `has no effect: ${why}`, severity: "warning" };
}

function issuesOf<T extends object>(
  value: T,
  table: Readonly<Record<keyof T, Support>>,
  prefix: string,
): readonly Issue[] {
  // The schema has only fields that the table has.
  return (Object.entries(value) as [keyof T & string, unknown][]).flatMap(
    ([name, item]): readonly Issue[] => {
      const support = table[name];
      if (support === true) return [];
      if (support.silent?.some((one) => isSameJson(one, item)) === true) return [];
      return [noEffect(`${prefix}${name}`, support.why)];
    },
  );
}
