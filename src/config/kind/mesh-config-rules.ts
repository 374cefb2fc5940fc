import { parseDurationMs } from "../../base/duration.ts";
import type { Issue } from "../../base/issue.ts";
import { EXTENSION_PROVIDER_TYPES } from "../extension-provider.ts";
import { isDnsLabel } from "../format.ts";
import { checkDomain, checkWildcardDomain } from "../host.ts";
import { validateLabelSelector } from "../label-selector.ts";
import type { MeshConfig } from "../mesh-config.ts";
import type { ProxyConfigSettings } from "../mesh-proxy-config.ts";
import { validateExportTo } from "./export-to-rules.ts";
import { isCipherSuite, isEcdhCurve } from "./server-tls-rules.ts";
import { validateProbe } from "./workload-group-rules.ts";

const CONNECT_TIMEOUT_MS_MAX = 30_000;
const DRAIN_MS_MIN = 1000;
const DRAIN_MS_MAX = 3_600_000;

/** What Istio refuses about a MeshConfig beyond its schema. */
export function validateMeshConfig(mesh: MeshConfig): readonly Issue[] {
  return [
    ...validateTimes(mesh),
    ...validateNames(mesh),
    ...validateProviders(mesh),
    ...validateTls(mesh),
    ...validateServices(mesh),
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

function checkTrustDomain(domain: string, path: string): readonly Issue[] {
  const wrong = checkDomain(domain);
  return wrong === undefined ? [] : [{ path, message: wrong }];
}

function validateProviders(mesh: MeshConfig): readonly Issue[] {
  const { extensionProviders = [], defaultProviders = {} } = mesh;
  const issues: Issue[] = [];
  const names = new Set<string>();
  for (const [at, provider] of extensionProviders.entries()) {
    const path = `extensionProviders[${at}]`;
    if (names.has(provider.name)) {
      issues.push({ path: `${path}.name`, message: `duplicate of "${provider.name}"` });
    }
    names.add(provider.name);
    const types = EXTENSION_PROVIDER_TYPES.filter((type) => Object.hasOwn(provider, type));
    if (types.length === 0) {
      const message = `must say what it is: one of ${EXTENSION_PROVIDER_TYPES.join(", ")}`;
      issues.push({ path, message });
    }
    const status =
      provider.envoyExtAuthzHttp?.statusOnError ?? provider.envoyExtAuthzGrpc?.statusOnError;
    if (status !== undefined && status !== "" && !/^[1-5]\d\d$/.test(status)) {
      const message = `must be the number of an HTTP status: got "${status}"`;
      issues.push({ path: `${path}.${types[0]}.statusOnError`, message });
    }
  }
  // Istio builds this one in.
  names.add("prometheus");
  for (const [kind, wanted] of Object.entries(defaultProviders)) {
    for (const [at, name] of wanted.entries()) {
      if (names.has(name) || name === "envoy" || name === "stackdriver") continue;
      const message = `there is no "${name}" in extensionProviders`;
      issues.push({ path: `defaultProviders.${kind}[${at}]`, message });
    }
  }
  return issues;
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
      const message = `must be a cipher suite of TLS 1.2 in OpenSSL's name: got "${suite}"`;
      issues.push({ path: `${field}.cipherSuites[${at}]`, message });
    }
  }
  for (const [at, curve] of (tlsDefaults?.ecdhCurves ?? []).entries()) {
    if (isEcdhCurve(curve)) continue;
    const message = `must be a key exchange group like "P-256" or "X25519": got "${curve}"`;
    issues.push({ path: `tlsDefaults.ecdhCurves[${at}]`, message });
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
  for (const field of ["drainDuration", "parentShutdownDuration"] as const) {
    const text = proxy[field];
    const ms = msOf(text ?? "45s");
    if (ms >= DRAIN_MS_MIN && ms <= DRAIN_MS_MAX) continue;
    issues.push({ path: `${path}.${field}`, message: `must be between 1s and 1h: got ${text}` });
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
  return at > 0 && /^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535;
}

/** The schema has seen to it that it is a duration. */
function msOf(text: string): number {
  return parseDurationMs(text) ?? 0;
}
