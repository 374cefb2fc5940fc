import { isIP } from "node:net";
import { parseDurationMs } from "../../base/duration.ts";
import type { Issue } from "../../base/issue.ts";
import { EXTENSION_PROVIDER_TYPES, type ExtensionProvider } from "../extension-provider.ts";
import { isDnsLabel } from "../format.ts";
import { checkDomain, checkWildcardDomain, isHostLabel } from "../host.ts";
import { isJsonObject } from "../json.ts";
import { validateLabelSelector } from "../label-selector.ts";
import type { MeshConfig } from "../mesh-config.ts";
import type { ProxyConfigSettings } from "../mesh-proxy-config.ts";
import { isCipherSuite, isEcdhCurve } from "../tls-names.ts";
import { validateExportTo } from "./export-to-rules.ts";
import { validateRetries } from "./http-action-rules.ts";
import { validateLocalityLbSetting } from "./locality-lb-rules.ts";
import { validateProbe } from "./workload-group-rules.ts";

const CONNECT_TIMEOUT_MS_MAX = 30_000;

/** What Istio refuses about a MeshConfig beyond its schema. */
export function validateMeshConfig(mesh: MeshConfig): readonly Issue[] {
  return [
    ...validateTimes(mesh),
    ...validateNames(mesh),
    ...validateProviders(mesh),
    ...validateTls(mesh),
    ...validateServices(mesh),
    // What outlier detection there is, DestinationRules say.
    ...validateLocalityLbSetting(mesh.localityLbSetting, "localityLbSetting", true),
    ...validateRetries(mesh.defaultHttpRetryPolicy, "defaultHttpRetryPolicy"),
    ...validateProxyConfig(mesh.defaultConfig ?? {}, "defaultConfig"),
  ];
}

function validateTimes({ connectTimeout, protocolDetectionTimeout }: MeshConfig): readonly Issue[] {
  const issues: Issue[] = [];
  if (connectTimeout !== undefined && msOf(connectTimeout) > CONNECT_TIMEOUT_MS_MAX) {
    const message = `must be at most 30s: got ${connectTimeout}`;
    issues.push({ path: "connectTimeout", message });
  }
  const detectionMs = msOf(protocolDetectionTimeout ?? "0s");
  if (detectionMs !== 0 && detectionMs < 1) {
    const message = `must be 0s or at least 1ms: got ${protocolDetectionTimeout}`;
    issues.push({ path: "protocolDetectionTimeout", message });
  }
  return issues;
}

function validateNames(mesh: MeshConfig): readonly Issue[] {
  const { trustDomain, trustDomainAliases = [], rootNamespace } = mesh;
  const issues: Issue[] = [];
  if (trustDomain !== undefined && trustDomain !== "") {
    issues.push(...checkTrustDomain(trustDomain, "trustDomain"));
  }
  for (const [at, alias] of trustDomainAliases.entries()) {
    issues.push(...checkTrustDomain(alias, `trustDomainAliases[${at}]`));
  }
  if (rootNamespace !== undefined && rootNamespace !== "" && !isDnsLabel(rootNamespace)) {
    const message = `must be the name of a namespace: got "${rootNamespace}"`;
    issues.push({ path: "rootNamespace", message });
  }
  const fields = [
    "defaultServiceExportTo",
    "defaultVirtualServiceExportTo",
    "defaultDestinationRuleExportTo",
  ] as const;
  for (const path of fields) {
    issues.push(
      ...validateExportTo(mesh[path], { path, namespace: undefined, isNobodyAllowed: true }),
    );
  }
  return issues;
}

/** Labels and dots, and the last label may be a number. */
function checkTrustDomain(domain: string, path: string): readonly Issue[] {
  const labels = domain.replace(/\.$/, "").split(".");
  if (labels.every((label) => isHostLabel(label))) return [];
  return [{ path, message: `must be a trust domain, DNS labels with dots: got "${domain}"` }];
}

/** What is wrong with a provider matters to those that use it only: a warning, as in Istio. */
function validateProviders(mesh: MeshConfig): readonly Issue[] {
  const { extensionProviders = [], defaultProviders = {} } = mesh;
  const issues: Issue[] = [];
  const names = new Set<string>();
  for (const [at, provider] of extensionProviders.entries()) {
    const path = `extensionProviders[${at}]`;
    if (names.has(provider.name)) {
      issues.push(warning(`${path}.name`, `duplicate of "${provider.name}": the later counts`));
    }
    names.add(provider.name);
    issues.push(...validateProvider(provider, path));
  }
  for (const [kind, wanted] of Object.entries(defaultProviders)) {
    for (const [at, name] of wanted.entries()) {
      if (names.has(name) || BUILT_IN_PROVIDERS.includes(name)) continue;
      const message = `there is no "${name}" in extensionProviders`;
      issues.push(warning(`defaultProviders.${kind}[${at}]`, message));
    }
  }
  return issues;
}

const BUILT_IN_PROVIDERS = ["prometheus", "stackdriver", "envoy"];

function validateProvider(provider: ExtensionProvider, path: string): readonly Issue[] {
  const issues: Issue[] = [];
  const types = EXTENSION_PROVIDER_TYPES.filter((type) => Object.hasOwn(provider, type));
  const [type = ""] = types;
  if (types.length === 0) {
    const message = `must say what it is: one of ${EXTENSION_PROVIDER_TYPES.join(", ")}`;
    issues.push(warning(path, message));
  }
  const settings = (provider as Readonly<Record<string, unknown>>)[type];
  if (!SERVICELESS_PROVIDERS.includes(type) && isJsonObject(settings)) {
    const { service = "", port = 0 } = settings as { service?: string; port?: number };
    if (service === "") issues.push(warning(`${path}.${type}.service`, "is required"));
    if (port < 1 || port > 65_535) {
      const message = `must be between 1 and 65535: got ${port}`;
      issues.push(warning(`${path}.${type}.port`, message));
    }
  }
  const { envoyExtAuthzHttp, envoyExtAuthzGrpc } = provider;
  const status = envoyExtAuthzHttp?.statusOnError ?? envoyExtAuthzGrpc?.statusOnError ?? "";
  if (status !== "" && !/^[1-5]\d\d$/.test(status)) {
    const message = `must be the number of an HTTP status: got "${status}"`;
    issues.push(warning(`${path}.${type}.statusOnError`, message));
  }
  return issues;
}

const SERVICELESS_PROVIDERS = ["", "stackdriver", "prometheus", "envoyFileAccessLog"];

function warning(path: string, message: string): Issue {
  return { path, message, severity: "warning" };
}

function validateTls({ meshMTLS, tlsDefaults }: MeshConfig): readonly Issue[] {
  const issues: Issue[] = [];
  if ((meshMTLS?.ecdhCurves ?? []).length > 0) {
    const message =
      "may not be set: mutual TLS of the mesh has its own, tlsDefaults is for the rest";
    issues.push({ path: "meshMTLS.ecdhCurves", message });
  }
  for (const [field, tls] of [
    ["meshMTLS", meshMTLS] as const,
    ["tlsDefaults", tlsDefaults] as const,
  ]) {
    for (const [at, suite] of (tls?.cipherSuites ?? []).entries()) {
      if (isCipherSuite(suite)) continue;
      const message = `is left out: "${suite}" is not a cipher suite that proxies know`;
      issues.push(warning(`${field}.cipherSuites[${at}]`, message));
    }
  }
  for (const [at, curve] of (tlsDefaults?.ecdhCurves ?? []).entries()) {
    if (isEcdhCurve(curve)) continue;
    const message = `is left out: "${curve}" is not a key exchange group that proxies know`;
    issues.push(warning(`tlsDefaults.ecdhCurves[${at}]`, message));
  }
  return issues;
}

function validateServices({
  serviceSettings = [],
  discoverySelectors = [],
}: MeshConfig): readonly Issue[] {
  const issues: Issue[] = [];
  for (const [at, { hosts = [] }] of serviceSettings.entries()) {
    for (const [index, host] of hosts.entries()) {
      const wrong = checkWildcardDomain(host);
      if (wrong === undefined) continue;
      issues.push({ path: `serviceSettings[${at}].hosts[${index}]`, message: wrong });
    }
  }
  for (const [at, selector] of discoverySelectors.entries()) {
    issues.push(...validateLabelSelector(selector, `discoverySelectors[${at}]`));
  }
  return issues;
}

/** What Istio refuses about `defaultConfig`, or about the annotation `proxy.istio.io/config`. */
export function validateProxyConfig(proxy: ProxyConfigSettings, path: string): readonly Issue[] {
  const issues: Issue[] = [];
  const { drainDuration } = proxy;
  const drainMs = msOf(drainDuration ?? "45s");
  if (drainMs <= 0 || drainMs % 1000 !== 0) {
    const message = `must be whole seconds, at least one: got ${drainDuration}`;
    issues.push({ path: `${path}.drainDuration`, message });
  }
  for (const field of ["discoveryAddress", "statsdUdpAddress", "zipkinAddress"] as const) {
    const text = proxy[field] ?? "";
    if (text === "" || isHostPort(text)) continue;
    issues.push({ path: `${path}.${field}`, message: `must be HOST:PORT: got "${text}"` });
  }
  if (proxy.readinessProbe !== undefined) {
    issues.push(...validateProbe(proxy.readinessProbe, `${path}.readinessProbe`));
  }
  return issues;
}

function isHostPort(text: string): boolean {
  const at = text.lastIndexOf(":");
  const port = text.slice(at + 1);
  const host = text.slice(0, at).replace(/^\[(.*)\]$/, "$1");
  const isPort = /^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535;
  return at > 0 && isPort && (isIP(host) !== 0 || checkDomain(host) === undefined);
}

/** The schema has seen to it that it is a duration. */
function msOf(text: string): number {
  return parseDurationMs(text) ?? 0;
}
