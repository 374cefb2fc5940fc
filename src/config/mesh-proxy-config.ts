import { clientTlsSchema } from "./client-tls.ts";
import { samplingSchema } from "./extension-provider.ts";
import type { Infer } from "./schema.ts";
import {
  array,
  atMostOne,
  boolean,
  duration,
  integer,
  map,
  object,
  port,
  string,
  uint32,
} from "./schema.ts";
import { tcpKeepaliveSchema } from "./tcp-keepalive.ts";
import { workloadGroupProbeSchema } from "./workload-group.ts";

const remoteService = object({
  address: string(),
  tlsSettings: clientTlsSchema,
  tcpKeepalive: tcpKeepaliveSchema,
});

const customTag = object(
  {
    literal: object({ value: string() }),
    environment: object({ name: string(), defaultValue: string() }),
    header: object({ name: string(), defaultValue: string() }),
  },
  atMostOne("literal", "environment", "header"),
);

const tracing = object(
  {
    zipkin: object({ address: string() }),
    lightstep: object({ address: string(), accessToken: string() }),
    datadog: object({ address: string() }),
    stackdriver: object({
      debug: boolean(),
      maxNumberOfAttributes: integer({ format: "int64" }),
      maxNumberOfAnnotations: integer({ format: "int64" }),
      maxNumberOfMessageEvents: integer({ format: "int64" }),
    }),
    openCensusAgent: object({ address: string(), context: array(string()) }),
    customTags: map(customTag),
    maxPathTagLength: uint32(),
    sampling: samplingSchema,
    tlsSettings: clientTlsSchema,
    enableIstioTags: boolean(),
  },
  atMostOne("zipkin", "lightstep", "datadog", "stackdriver", "openCensusAgent"),
);

const FORWARD_CLIENT_CERT = [
  "UNDEFINED",
  "SANITIZE",
  "FORWARD_ONLY",
  "APPEND_FORWARD",
  "SANITIZE_SET",
  "ALWAYS_FORWARD_ONLY",
] as const;

const gatewayTopology = object({
  numTrustedProxies: uint32({ description: "In front of the gateways; their addresses count." }),
  forwardClientCertDetails: string({ enum: FORWARD_CLIENT_CERT }),
  proxyProtocol: object({}, { description: "Gateways read a PROXY header from every client." }),
});

const disabled = object({ disabled: boolean() });

const proxyHeaders = object({
  forwardedClientCert: string({ enum: FORWARD_CLIENT_CERT }),
  setCurrentClientCertDetails: object({
    subject: boolean(),
    cert: boolean(),
    chain: boolean(),
    dns: boolean(),
    uri: boolean(),
  }),
  requestId: disabled,
  server: object({ disabled: boolean(), value: string() }),
  attemptCount: disabled,
  envoyDebugHeaders: disabled,
  metadataExchangeHeaders: object({ mode: string({ enum: ["UNDEFINED", "IN_MESH"] }) }),
  xForwardedHost: object({ enabled: boolean() }),
  xForwardedPort: object({ enabled: boolean() }),
  preserveHttp1HeaderCase: boolean(),
});

const privateKeyProvider = object(
  {
    cryptomb: object({ pollDelay: duration(), fallback: boolean() }),
    qat: object({ pollDelay: duration(), fallback: boolean() }),
  },
  atMostOne("cryptomb", "qat"),
);

/** `ProxyConfig` of MeshConfig (`defaultConfig`) and of the annotation `proxy.istio.io/config`. */
export const proxyConfigSettingsSchema = object(
  {
    configPath: string(),
    binaryPath: string(),
    serviceCluster: string(),
    tracingServiceName: string({
      enum: ["APP_LABEL_AND_NAMESPACE", "CANONICAL_NAME_ONLY", "CANONICAL_NAME_AND_NAMESPACE"],
    }),
    drainDuration: duration({ description: "How long listeners that go are drained." }),
    parentShutdownDuration: duration(),
    discoveryAddress: string({ description: "Of the control plane: `istiod.istio-system:15012`." }),
    discoveryRefreshDelay: duration(),
    zipkinAddress: string(),
    statsdUdpAddress: string(),
    envoyMetricsServiceAddress: string(),
    proxyAdminPort: port(),
    availabilityZone: string(),
    controlPlaneAuthPolicy: string({ enum: ["NONE", "MUTUAL_TLS"] }),
    customConfigFile: string(),
    statNameLength: integer(),
    concurrency: integer({ minimum: 0, description: "0: one thread per core." }),
    proxyBootstrapTemplatePath: string(),
    interceptionMode: string({ enum: ["REDIRECT", "TPROXY", "NONE"] }),
    tracing,
    sds: object({ enabled: boolean(), k8sSaJwtPath: string() }),
    envoyAccessLogService: remoteService,
    envoyMetricsService: remoteService,
    proxyMetadata: map(string(), { description: "Environment variables of the proxy's agent." }),
    runtimeValues: map(string()),
    statusPort: port(),
    extraStatTags: array(string()),
    gatewayTopology,
    terminationDrainDuration: duration({ description: "How long a proxy drains when it ends." }),
    meshId: string(),
    readinessProbe: workloadGroupProbeSchema,
    proxyStatsMatcher: object({
      inclusionPrefixes: array(string()),
      inclusionSuffixes: array(string()),
      inclusionRegexps: array(string()),
    }),
    holdApplicationUntilProxyStarts: boolean(),
    caCertificatesPem: array(string()),
    image: object({ imageType: string() }),
    privateKeyProvider,
    proxyHeaders,
    fileFlushInterval: duration({ description: "How long a line of a log may wait." }),
    fileFlushMinSizeKb: uint32(),
    statsCompression: boolean(),
  },
  atMostOne("serviceCluster", "tracingServiceName"),
);

/** How proxies are started and what they do with headers. */
export type ProxyConfigSettings = Infer<typeof proxyConfigSettingsSchema>;
/** Which headers proxies add, keep and take away. */
export type ProxyHeaders = Infer<typeof proxyHeaders>;
