import { createPrng, type Prng } from "../../src/base/prng.ts";
import { destinationRuleKind } from "../../src/config/destination-rule.ts";
import { gatewayKind } from "../../src/config/gateway.ts";
import type { Kind } from "../../src/config/kind.ts";
import { type KubeObject, keyOf, keyText, type ObjectMeta } from "../../src/config/object.ts";
import { peerAuthenticationKind } from "../../src/config/peer-authentication.ts";
import type { Json } from "../../src/config/schema.ts";
import { serviceEntryKind } from "../../src/config/service-entry.ts";
import { sidecarKind } from "../../src/config/sidecar.ts";
import { virtualServiceKind } from "../../src/config/virtual-service.ts";
import { workloadEntryKind } from "../../src/config/workload-entry.ts";
import type { ProxyNode } from "../../src/model/proxy.ts";
import { decodeProxyNode } from "../../src/model/proxy-node.ts";
import { type Hints, randomObject } from "./random-object.ts";

const NAMES = ["a", "b", "c"];
const NAMESPACES = ["default", "elsewhere", "istio-system"];
const APPS = ["a", "b"];
const PORTS = [80, 443, 8080, 9080];

const SERVICES = ["a", "b", "a.default.svc.cluster.local", "b.elsewhere.svc.cluster.local"];
const FOREIGN = ["x.io", "www.x.io", "y.example.com"];
const WILDCARDS = ["*", "*.io", "*.svc.cluster.local"];
const PROTOCOLS = ["HTTP", "HTTPS", "TCP", "TLS", "GRPC", "HTTP2"];

/** What objects say of each other, so that they meet. */
const HINTS: Hints = {
  words: [
    [/^spec\.hosts\[\]$/, [...SERVICES, ...FOREIGN, ...WILDCARDS]],
    [/\.egress\[\]\.hosts\[\]$/, ["*/*", "./*", "~/*", "default/*", "*/x.io"]],
    [/\.servers\[\]\.hosts\[\]$/, [...FOREIGN, "*", "*.io", "default/*", "./x.io"]],
    [/\bgateways\[\]$/, ["mesh", "a", "default/a", "elsewhere/b"]],
    [/\bsniHosts\[\]$/, [...SERVICES.slice(2), ...FOREIGN, "*.io"]],
    [/\bexportTo\[\]$/, ["*", ".", "default", "elsewhere"]],
    [/\.(?:targetHost|sni|subjectAltNames\[\])$/, FOREIGN],
    [/\.(?:host|authority)$/, [...SERVICES, ...FOREIGN]],
    [/\bauthority\.(?:exact|prefix)$/, ["a", "x.io"]],
    [/\.subset$|\bsubsets\[\]\.name$/, ["v1", "v2"]],
    [/\bdelegate\.name$/, NAMES],
    [/(?:\bsourceNamespace|\bnamespace)$/, NAMESPACES],
    [/(?:\b[lL]abels|\bselector)\{key\}$/, ["app", "version"]],
    [/(?:\b[lL]abels|\bselector)\{\}$/, ["a", "b", "v1", "v2"]],
    [/\bportLevelMtls\{key\}$/, ["80", "8080"]],
    [/\bport\.number$|\btargetPort$|\.match\[\]\.port$|\bports\[\]\.number$/, PORTS],
    [/\.protocol$/, PROTOCOLS],
    [/\bports?(?:\[\])?\.name$/, ["http", "tls", "tcp", "grpc-a"]],
    [/^spec\.addresses\[\]$/, ["240.1.0.1", "240.1.0.2", "10.9.0.0/16", "fd00::9"]],
    [/\.address$/, ["10.0.0.7", "10.0.0.8", "y.example.com"]],
    [/\.bind$/, ["127.0.0.1", "10.0.0.1", "0.0.0.0"]],
    [/\.defaultEndpoint$/, ["127.0.0.1:8080", "0.0.0.0:9080"]],
    [/\blocality$/, ["r1/z1/s1", "r1/z2", "r2"]],
    [/\.(?:from|to\{key\}|failover\[\]\.to)$/, ["r1", "r2", "r1/z1/*"]],
    [/\bdistribute\[\]\.to\{\}$/, [100]],
    [/\bendpoints\[\]\.ports\{key\}$|^spec\.ports\{key\}$/, ["http", "tls", "tcp"]],
    [/\bports\{\}$/, PORTS],
    [/\bverifyCertificateHash\[\]$/, ["a".repeat(64)]],
    [/\bverifyCertificateSpki\[\]$/, ["NvqYIYSbgK2vCJpQhObf77vv+bQWtc5ek5RIOwPiC9A="]],
    [/\bprobes$/, [1, 9]],
    [/\.ttl$/, ["0s", "10s"]],
    [/\b(?:uri|path|prefixRewrite)(?:\.(?:exact|prefix))?$/, ["/", "/x", "/x/y", "/api"]],
    [/\bregex$|\buriRegexRewrite\.match$/, ["/x.*", "v[12]", "(a|b)+"]],
    [/\bmethod\.(?:exact|prefix)$|\ballowMethods\[\]$/, ["GET", "POST"]],
    [/\bscheme(?:\.(?:exact|prefix))?$/, ["http", "https"]],
    [/\b(?:headers|withoutHeaders|add|set)\{key\}$|\bremove\[\]$/, ["x-a", "end-user"]],
    [/\bretryOn$/, ["5xx", "connect-failure,503", "gateway-error"]],
    [/\bredirectCode$/, [301, 302, 307]],
    [/\bstatus$|\bhttpStatus$/, [200, 404, 503]],
    [/\bgrpcStatus$/, ["UNAVAILABLE", "14"]],
    [/\bweight$/, [0, 1, 50, 100]],
    [/\bcredentialName$/, ["cert"]],
    [/\btableSize$/, [11, 65537]],
    [/\bdestinationSubnets\[\]$|\bsourceSubnet$/, ["10.0.0.0/8", "10.1.2.3", "10.1.2.3/24"]],
  ],
  telling: /^spec\.(?:hosts?|http|servers|egress|mtls|address|ports|subsets|trafficPolicy)$/,
  // Data planes read the files at once, and refuse what is not on this machine.
  never: /\.(?:tlsCertificates|\w+Certificate|privateKey|caCertificates|caCrl)$/,
  oneOf: [
    [/^spec\.http\[\]$/, ["route", "route", "route", "redirect", "directResponse", "delegate"]],
    [/^spec\.http\[\]\.match\[\]\.(?:uri|headers\{\})$/, ["exact", "prefix", "regex"]],
  ],
};

const KINDS: readonly (readonly [kind: Kind, share: number])[] = [
  [virtualServiceKind, 5],
  [destinationRuleKind, 4],
  [gatewayKind, 2],
  [serviceEntryKind, 3],
  [workloadEntryKind, 1],
  [sidecarKind, 1],
  [peerAuthenticationKind, 1],
];

const CREATED = ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", undefined];

/** A world of objects that all are valid; the same seed gives the same. */
export function randomWorld(seed: number, size: number): readonly KubeObject[] {
  const prng = createPrng(seed);
  const objects = [meshConfig(prng), ...Array.from({ length: size }, () => oneObject(prng))];
  const byKey = objects.flatMap((one) => (one === undefined ? [] : [[keyText(keyOf(one)), one]]));
  return [...new Map(byKey as [string, KubeObject][]).values()];
}

function oneObject(prng: Prng): KubeObject | undefined {
  const share = prng.next();
  if (share < 0.2) return service(prng);
  if (share < 0.3) return slice(prng);
  if (share < 0.4) return pod(prng);
  const bag = KINDS.flatMap(([kind, count]) => Array.from({ length: count }, () => kind));
  const kind = pick(prng, bag);
  return randomObject(kind, meta(prng), HINTS, prng) ?? randomObject(kind, meta(prng), HINTS, prng);
}

/** Lines of MeshConfig, each of which is there or not. */
const MESH_SETTINGS = [
  "outboundTrafficPolicy: {mode: REGISTRY_ONLY}",
  "inboundTrafficPolicy: {mode: LOCALHOST}",
  "proxyHttpPort: 15002",
  "enableAutoMtls: false",
  "connectTimeout: 3s",
  "protocolDetectionTimeout: 2s",
  "h2UpgradePolicy: UPGRADE",
  "accessLogFile: /dev/stdout",
  "accessLogEncoding: JSON",
  "pathNormalization: {normalization: DECODE_AND_MERGE_SLASHES}",
  "defaultServiceExportTo: ['.']",
  "defaultVirtualServiceExportTo: ['.']",
  "defaultHttpRetryPolicy: {attempts: 5}",
  "localityLbSetting: {enabled: false}",
  "tcpKeepalive: {time: 10s}",
  "verifyCertificateAtClient: false",
  "meshMTLS: {minProtocolVersion: TLSV1_3}",
];

/** Without any of them half of the time; the other way of unknown hosts now and then. */
function meshConfig(prng: Prng): KubeObject | undefined {
  if (prng.next() < 0.5) return undefined;
  const lines = MESH_SETTINGS.filter(() => prng.next() < 0.3);
  const hasMode = lines.some((line) => line.startsWith("outbound"));
  if (!hasMode) lines.push("outboundTrafficPolicy: {mode: ALLOW_ANY_DYNAMIC_DNS}");
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "istio", namespace: "istio-system" },
    data: { mesh: lines.join("\n") },
  } as KubeObject;
}

function meta(prng: Prng, labels?: ObjectMeta["labels"]): ObjectMeta {
  const creationTimestamp = pick(prng, CREATED);
  return {
    name: pick(prng, NAMES),
    namespace: pick(prng, NAMESPACES),
    ...(labels === undefined ? {} : { labels }),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
  };
}

function service(prng: Prng): KubeObject {
  const forms: readonly Readonly<Record<string, Json>>[] = [
    { clusterIP: `10.96.0.${1 + Math.floor(prng.next() * 9)}` },
    { clusterIP: `10.96.0.${1 + Math.floor(prng.next() * 9)}` },
    { clusterIP: "None" },
    { type: "ExternalName", externalName: pick(prng, [...FOREIGN, "b.default.svc.cluster.local"]) },
  ];
  const ports = PORTS.filter(() => prng.next() < 0.5).map((port) => ({
    name: `${pick(prng, ["http", "tcp", "tls", "https", "grpc", "grpc-web", "auto"])}-${port}`,
    port,
    protocol: "TCP",
    targetPort: pick(prng, [port, 8080]),
  }));
  const one = ports.length === 0 ? [{ name: "http", port: 80, protocol: "TCP" }] : ports;
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: meta(prng),
    spec: { ...pick(prng, forms), ports: one, selector: { app: pick(prng, APPS) } },
  } as KubeObject;
}

function pod(prng: Prng): KubeObject {
  const labels = { app: pick(prng, APPS), version: pick(prng, ["v1", "v2"]) };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: meta(prng, labels),
    spec: { containers: [{ name: "app", image: "app" }] },
    status: { podIP: `10.0.0.${1 + Math.floor(prng.next() * 9)}` },
  } as KubeObject;
}

function slice(prng: Prng): KubeObject {
  const addresses = [1, 2, 3].filter(() => prng.next() < 0.6).map((last) => `10.0.0.${last}`);
  const service = { "kubernetes.io/service-name": pick(prng, NAMES) };
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: meta(prng, service),
    addressType: "IPv4",
    ports: PORTS.map((port) => ({ name: `http-${port}`, port })),
    endpoints: addresses.map((address) => ({
      addresses: [address],
      conditions: { ready: prng.next() < 0.8 },
    })),
  } as KubeObject;
}

const PORTABLE = { INTERCEPTION_MODE: "NONE" };
const WEFT = { WEFT_PROXY: "weft" };
/** What says that Istio's agent stands beside a proxy. */
const AGENT = { ISTIO_VERSION: "1.29.0" };

/** weft's own sidecars, in portable mode and with captured traffic, and gateway. */
export const PROXIES: readonly ProxyNode[] = [
  proxy("sidecar", "default", { app: "a", version: "v1" }, { ...PORTABLE, ...WEFT }),
  proxy("sidecar", "elsewhere", { app: "b" }, WEFT),
  proxy("router", "istio-system", { app: "b" }, { ...PORTABLE, ...WEFT }),
];

/** Envoys: they speak HTTP/2, and have certificates. */
export const ENVOYS: readonly ProxyNode[] = [
  proxy("sidecar", "elsewhere", { app: "b" }, { ...PORTABLE, ...AGENT }),
  proxy("sidecar", "default", { app: "a" }, { HTTP10: "1", IDLE_TIMEOUT: "10s" }),
  proxy("router", "istio-system", { app: "b" }, {}),
];

function proxy(
  type: ProxyNode["type"],
  namespace: string,
  labels: Readonly<Record<string, string>>,
  metadata: Readonly<Record<string, string>>,
): ProxyNode {
  const node = decodeProxyNode({
    id: `${type}~10.0.0.1~p.${namespace}~${namespace}.svc.cluster.local`,
    metadata: { NAMESPACE: namespace, LABELS: labels, ...metadata },
  });
  if (!node.ok) throw new Error(JSON.stringify(node.issues));
  return node.value;
}

function pick<T>(prng: Prng, words: readonly T[]): T {
  return words[Math.floor(prng.next() * words.length)] as T;
}
