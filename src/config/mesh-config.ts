import type { Issue, Result } from "../base/issue.ts";
import { isError } from "../base/issue.ts";
import { clientTlsSchema } from "./client-tls.ts";
import { connectionPoolSchema } from "./connection-pool.ts";
import { extensionProviderSchema } from "./extension-provider.ts";
import { httpRetrySchema } from "./http-route.ts";
import { own } from "./json.ts";
import { validateMeshConfig } from "./kind/mesh-config-rules.ts";
import { validateMeshNetworks } from "./kind/mesh-networks-rules.ts";
import { labelSelectorSchema } from "./label-selector.ts";
import { localityLbSettingSchema } from "./locality-lb-setting.ts";
import { type MeshNetworks, meshNetworksSchema } from "./mesh-networks.ts";
import { proxyConfigSettingsSchema } from "./mesh-proxy-config.ts";
import { outlierDetectionSchema } from "./outlier-detection.ts";
import { type ProtoYaml, parseProtoYaml, problemsOf } from "./proto-yaml.ts";
import type { Infer } from "./schema.ts";
import {
  array,
  atMostOne,
  boolean,
  builtFor,
  duration,
  integer,
  notBuilt,
  object,
  port,
  positiveDuration,
  string,
} from "./schema.ts";
import { tcpKeepaliveSchema } from "./tcp-keepalive.ts";
import type { FileProblem } from "./yaml.ts";

const exportTo = array(string(), { description: "Namespaces, `.`, `~`, or `*`, the default." });

const outboundTrafficPolicy = object({
  mode: string({ enum: ["REGISTRY_ONLY", "ALLOW_ANY", "ALLOW_ANY_DYNAMIC_DNS"] }),
  // To ignore it would send in plain text what was meant to be hidden.
  tls: notBuilt("TLS towards hosts that nobody knows, with ALLOW_ANY_DYNAMIC_DNS."),
});

const certificateData = object(
  {
    pem: string(),
    spiffeBundleUrl: string(),
    certSigners: array(string()),
    trustDomains: array(string()),
  },
  atMostOne("pem", "spiffeBundleUrl"),
);

const tlsConfig = object({
  minProtocolVersion: string({ enum: ["TLS_AUTO", "TLSV1_2", "TLSV1_3"] }),
  ecdhCurves: array(string()),
  cipherSuites: array(string()),
});

const serviceSettings = object({
  settings: object({ clusterLocal: boolean() }),
  hosts: array(string(), { description: "Names of services; a wildcard may lead." }),
});

const serviceScopeConfig = object({
  servicesSelector: labelSelectorSchema,
  namespaceSelector: labelSelectorSchema,
  scope: string({ enum: ["LOCAL", "GLOBAL"] }),
});

const listening = {
  proxyListenPort: port({ description: "Of captured outbound traffic; 15001." }),
  proxyInboundListenPort: port({ description: "Of captured inbound traffic; 15006." }),
  proxyHttpPort: integer({ minimum: 0, maximum: 65_535, description: "An HTTP proxy; 0: none." }),
  connectTimeout: positiveDuration({ description: "Of every cluster that says no other; 10s." }),
  protocolDetectionTimeout: duration({ description: "0s, the default: no limit." }),
  tcpKeepalive: tcpKeepaliveSchema,
};

const ingress = {
  ingressClass: string({ description: "Of the Ingresses that are served; `istio`." }),
  ingressService: string({ description: "Whose address an Ingress gets." }),
  ingressControllerMode: string({ enum: ["UNSPECIFIED", "OFF", "DEFAULT", "STRICT"] }),
  ingressSelector: string({ description: "The label `istio` of the pods that serve Ingresses." }),
};

const accessLog = {
  accessLogFile: string({ description: "`/dev/stdout` for example; empty: no log." }),
  accessLogFormat: string({ description: "Empty: Istio's own." }),
  accessLogEncoding: string({ enum: ["TEXT", "JSON"] }),
  enableEnvoyAccessLogService: boolean(),
  disableEnvoyListenerLog: boolean(),
};

const trust = {
  enableAutoMtls: boolean(),
  trustDomain: string({ description: "`cluster.local` when absent." }),
  trustDomainAliases: array(string()),
  caCertificates: array(certificateData),
  certificates: array(object({ secretName: string(), dnsNames: array(string()) })),
  ca: object({
    address: string(),
    tlsSettings: clientTlsSchema,
    requestTimeout: duration(),
    istiodSide: boolean(),
  }),
  verifyCertificateAtClient: boolean(),
  meshMTLS: tlsConfig,
  tlsDefaults: tlsConfig,
  // To ignore it would allow what was meant to be forbidden.
  compliancePolicy: builtFor(string(), [""]),
};

/** `MeshConfig`, as it stands under the key `mesh` of ConfigMap `istio` in `istio-system`. */
export const meshConfigSchema = object({
  ...listening,
  ...ingress,
  ...accessLog,
  ...trust,
  enableTracing: boolean(),
  defaultConfig: proxyConfigSettingsSchema,
  outboundTrafficPolicy,
  inboundTrafficPolicy: object({ mode: string({ enum: ["PASSTHROUGH", "LOCALHOST"] }) }),
  configSources: array(
    object({
      address: string(),
      tlsSettings: clientTlsSchema,
      subscribedResources: array(string({ enum: ["SERVICE_REGISTRY"] })),
    }),
  ),
  defaultServiceExportTo: exportTo,
  defaultVirtualServiceExportTo: exportTo,
  defaultDestinationRuleExportTo: exportTo,
  rootNamespace: string({ description: "Whose objects hold for every namespace." }),
  localityLbSetting: localityLbSettingSchema,
  dnsRefreshRate: positiveDuration({ description: "Of clusters that look names up; 60s." }),
  h2UpgradePolicy: string({ enum: ["DO_NOT_UPGRADE", "UPGRADE"] }),
  inboundClusterStatName: string(),
  outboundClusterStatName: string(),
  serviceSettings: array(serviceSettings),
  enablePrometheusMerge: boolean(),
  extensionProviders: array(extensionProviderSchema),
  defaultProviders: object({
    tracing: array(string()),
    metrics: array(string()),
    accessLogging: array(string()),
  }),
  discoverySelectors: array(labelSelectorSchema),
  pathNormalization: object({
    normalization: string({
      enum: ["DEFAULT", "NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"],
    }),
  }),
  defaultHttpRetryPolicy: httpRetrySchema,
  serviceScopeConfigs: array(serviceScopeConfig),
  defaultTrafficPolicy: object({
    connectionPool: connectionPoolSchema,
    outlierDetection: outlierDetectionSchema,
  }),
});

/** What holds for the whole mesh, as its author wrote it; `resolveMeshConfig` fills in the rest. */
export type MeshConfig = Infer<typeof meshConfigSchema>;
/** TLS between the workloads of the mesh, or of everything else. */
export type MeshTlsConfig = Infer<typeof tlsConfig>;

/**
 * MeshConfig from YAML or JSON text, in camelCase or, as protobuf's JSON allows, snake_case. An
 * empty text is an empty one. Fields that Istio does not know are warnings, as they are there.
 */
export function parseMeshConfig(text: string): Result<MeshConfig> {
  return readMeshConfig(text).result;
}

/** MeshNetworks from YAML or JSON text; see `parseMeshConfig`. */
export function parseMeshNetworks(text: string): Result<MeshNetworks> {
  return withRules(parseProtoYaml(meshNetworksSchema, text).result, validateMeshNetworks);
}

/** A file that `--mesh-config` names: what it says, and what is wrong in which line. */
export function decodeMeshConfigFile(
  text: string,
  file: string,
): { readonly meshConfig: MeshConfig | undefined; readonly problems: readonly FileProblem[] } {
  const read = readMeshConfig(text);
  const problems = problemsOf(read, file);
  return { meshConfig: read.result.ok ? read.result.value : undefined, problems };
}

function readMeshConfig(text: string): ProtoYaml<MeshConfig> {
  const { result, positionOf } = parseProtoYaml(meshConfigSchema, text);
  const checked = withRules(result, validateMeshConfig);
  if (!checked.ok)
    return { result: { ok: false, issues: checked.issues.map(explain) }, positionOf };
  const { value, warnings = [] } = checked;
  const explained = warnings.length === 0 ? {} : { warnings: warnings.map(explain) };
  return { result: { ok: true, value, ...explained }, positionOf };
}

function withRules<T>(parsed: Result<T>, validate: (value: T) => readonly Issue[]): Result<T> {
  if (!parsed.ok) return parsed;
  const issues = [...(parsed.warnings ?? []), ...validate(parsed.value)];
  if (issues.some(isError)) return { ok: false, issues };
  return { ok: true, value: parsed.value, ...(issues.length === 0 ? {} : { warnings: issues }) };
}

/** Fields that are often met and were never there, or are not any more. */
const HINTS: Readonly<Record<string, string>> = {
  enableAutoDNSSuffix:
    "Istio has no such field: DNS is proxied by defaultConfig.proxyMetadata.ISTIO_META_DNS_CAPTURE",
  mixerCheckServer: "Mixer is gone since Istio 1.8",
  mixerReportServer: "Mixer is gone since Istio 1.8",
  disablePolicyChecks: "Mixer is gone since Istio 1.8",
  sdsUdsPath: "certificates always come by SDS",
  thriftConfig: "Istio took it out in 1.23",
};

function explain(issue: Issue): Issue {
  const hint = own(HINTS, issue.path);
  return hint === undefined
    ? issue
    : { ...issue, message: `unknown field "${issue.path}": ${hint}` };
}
