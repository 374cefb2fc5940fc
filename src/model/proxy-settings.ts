import { memoise } from "../base/memo.ts";
import type { Lookup } from "./cluster.ts";
import { lookupOf } from "./dns-lookup.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import type { ProxyNode } from "./proxy.ts";

/** What becomes of `x-forwarded-client-cert` (Envoy's words). */
export type ForwardClientCert =
  | "SANITIZE"
  | "FORWARD_ONLY"
  | "APPEND_FORWARD"
  | "SANITIZE_SET"
  | "ALWAYS_FORWARD_ONLY";

/** What a proxy tells of its clients' certificates. */
export interface ClientCertDetails {
  readonly subject: boolean;
  readonly cert: boolean;
  readonly chain: boolean;
  readonly dns: boolean;
  readonly uri: boolean;
}

/**
 * What one proxy does with connections besides what its listeners say: the mesh's settings, its own
 * `proxyConfig` (Istio's ProxyConfig) and its abilities. The same value for proxies that agree.
 */
export interface ProxySettings {
  readonly mesh: MeshSettings;
  /** What a `server` header says. */
  readonly serverName: string;
  /** Whether the user chose that name; else sidecars do not tell it to their own app. */
  readonly isServerNamed: boolean;
  /** Leaves the `server` header as the upstream wrote it. */
  readonly isServerHeaderPassed: boolean;
  /** By sidecars, for what comes in. */
  readonly forwardClientCert: ForwardClientCert;
  readonly clientCertDetails: ClientCertDetails;
  /** By gateways, and how many proxies in front of them are believed. */
  readonly gatewayForwardClientCert: ForwardClientCert;
  readonly trustedProxies: number;
  /** Whether every client of a gateway begins with a PROXY protocol header. */
  readonly gatewayTakesProxyProtocol: boolean;
  readonly addsRequestId: boolean;
  readonly addsDebugHeaders: boolean;
  /** Whether upstreams are told how often a request was tried. */
  readonly countsAttempts: boolean;
  readonly addsForwardedPort: boolean;
  readonly takesHttp10: boolean;
  readonly idleTimeoutMs: number | undefined;
  readonly isWeft: boolean;
  /** See `ProxyNode.hasCertificates`. */
  readonly hasCertificates: boolean;
  readonly lookup: Lookup;
}

/** Istio's name in the `server` header. */
const SERVER_NAME = "istio-envoy";

/** What holds for one proxy. */
export function proxySettings(proxy: ProxyNode, mesh: MeshSettings): ProxySettings {
  const { takesHttp10, idleTimeoutMs, isWeft, hasCertificates } = proxy;
  const own = ownProxyConfig(proxy, mesh);
  const { proxyHeaders, gatewayTopology } = own;
  const abilities: Abilities = {
    takesHttp10,
    idleTimeoutMs,
    isWeft,

    hasCertificates,
    lookup: lookupOf(proxy, mesh),
  };
  // As text, since every proxy brings objects of its own.
  return fromText(mesh, JSON.stringify({ proxyHeaders, gatewayTopology, abilities }));
}

/**
 * The ProxyConfig that a proxy goes by: its own, which Istio's agent has put together with the
 * mesh's, or the mesh's. weft's agent only tells what the pod's annotation says, key by key.
 */
export function ownProxyConfig(
  { proxyConfig, hasWeftAgent }: ProxyNode,
  mesh: MeshSettings,
): Readonly<Record<string, unknown>> {
  if (Object.keys(proxyConfig).length === 0) return mesh.proxyConfig;
  return hasWeftAgent ? { ...mesh.proxyConfig, ...proxyConfig } : proxyConfig;
}

type Abilities = Pick<
  ProxySettings,
  "takesHttp10" | "idleTimeoutMs" | "isWeft" | "hasCertificates" | "lookup"
>;

const fromText = memoise((mesh: MeshSettings, text: string): ProxySettings => {
  const { proxyHeaders, gatewayTopology, abilities } = JSON.parse(text) as {
    proxyHeaders?: unknown;
    gatewayTopology?: unknown;
    abilities: Abilities;
  };
  const headers = record(proxyHeaders);
  const server = record(headers["server"]);
  const serverName = filled(server["value"]);
  const topology = record(gatewayTopology);
  const trusted = topology["numTrustedProxies"];
  return {
    mesh,
    serverName: serverName ?? SERVER_NAME,
    isServerNamed: serverName !== undefined,
    isServerHeaderPassed: server["disabled"] === true,
    forwardClientCert: forwardClientCert(headers["forwardedClientCert"]) ?? "APPEND_FORWARD",
    clientCertDetails: clientCertDetails(record(headers["setCurrentClientCertDetails"])),
    gatewayForwardClientCert:
      forwardClientCert(topology["forwardClientCertDetails"]) ?? "SANITIZE_SET",
    trustedProxies: typeof trusted === "number" && trusted > 0 ? Math.trunc(trusted) : 0,
    gatewayTakesProxyProtocol: topology["proxyProtocol"] !== undefined,
    addsRequestId: !isDisabled(headers["requestId"]),
    addsDebugHeaders: !isDisabled(headers["envoyDebugHeaders"]),
    countsAttempts: !isDisabled(headers["attemptCount"]),
    addsForwardedPort: record(headers["xForwardedPort"])["enabled"] === true,
    takesHttp10: abilities.takesHttp10,
    idleTimeoutMs: abilities.idleTimeoutMs,
    isWeft: abilities.isWeft,
    hasCertificates: abilities.hasCertificates,
    lookup: abilities.lookup,
  };
});

/** Subject and names unless they are switched off; the certificate itself only when asked for. */
function clientCertDetails(said: Readonly<Record<string, unknown>>): ClientCertDetails {
  return {
    subject: said["subject"] !== false,
    cert: said["cert"] === true,
    chain: said["chain"] === true,
    dns: said["dns"] !== false,
    uri: said["uri"] !== false,
  };
}

const FORWARD_CLIENT_CERT: ReadonlySet<unknown> = new Set<ForwardClientCert>([
  "SANITIZE",
  "FORWARD_ONLY",
  "APPEND_FORWARD",
  "SANITIZE_SET",
  "ALWAYS_FORWARD_ONLY",
]);

function forwardClientCert(said: unknown): ForwardClientCert | undefined {
  return FORWARD_CLIENT_CERT.has(said) ? (said as ForwardClientCert) : undefined;
}

function isDisabled(said: unknown): boolean {
  return record(said)["disabled"] === true;
}

function filled(said: unknown): string | undefined {
  return typeof said === "string" && said !== "" ? said : undefined;
}

/** What a proxy tells of itself is checked no further: what is of another form says nothing. */
export function record(said: unknown): Readonly<Record<string, unknown>> {
  const isRecord = typeof said === "object" && said !== null && !Array.isArray(said);
  return isRecord ? (said as Record<string, unknown>) : {};
}
