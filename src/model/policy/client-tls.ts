import type { ClientTlsSettings } from "../../config/client-tls.ts";
import type { Transport } from "../cluster.ts";
import type { Origin } from "../origin.ts";
import type { Service } from "../service.ts";
import {
  type ClientTls,
  type TlsLimits,
  type TlsSource,
  WORKLOAD_CERTIFICATE,
  WORKLOAD_ROOTS,
} from "../tls.ts";
import type { TlsRule, TrafficPolicy } from "../traffic-policy.ts";
import type { ClientFacts } from "./client-facts.ts";

/** How a cluster's connections begin. */
export type ClientTransport =
  | { readonly type: "plain"; readonly warning?: TransportWarning }
  | { readonly type: "tls"; readonly transport: Transport }
  /** TLS is asked for and cannot be had: no connection may be made instead. */
  | { readonly type: "closed"; readonly warning: TransportWarning };

/** What is wrong with the TLS that a rule asks for, and where. */
export interface TransportWarning {
  readonly origin: Origin;
  readonly field: keyof ClientTlsSettings;
  readonly message: string;
}

/** What the TLS of a cluster depends on besides its policy. */
export interface TransportContext {
  readonly facts: ClientFacts;
  readonly service: Service;
  /** What Istio's mutual TLS asks for: see `sniName`. */
  readonly sni: string;
  readonly isHttp2: boolean;
  /** SPIFFE identities of those who answer. */
  readonly identities: readonly string[];
  /** Which endpoints take Istio's mutual TLS, where nobody says whether to use it. */
  readonly takers: "chosen" | "all" | "none";
}

/** Istio's bounds between workloads. */
const MESH_LIMITS: TlsLimits = {
  minVersion: "TLSV1_2",
  maxVersion: "TLSV1_3",
  cipherSuites: [],
  ecdhCurves: [],
};

const ALPN_MESH = ["istio-peer-exchange", "istio"];
const ALPN_MESH_HTTP2 = [...ALPN_MESH, "h2"];
const ALPN_HTTP2 = ["h2"];

/** The trusted certificates of the proxy's own system, by the agent's name for them. */
const SYSTEM_ROOTS = "system";

/** How connections begin: as the rule says, else with mutual TLS to those who take it. */
export function clientTransport(policy: TrafficPolicy, context: TransportContext): ClientTransport {
  const { tls: rule } = policy;
  if (rule === undefined) return automatic(context);
  const { mode = "DISABLE", subjectAltNames = [], sni = "" } = rule.settings;
  switch (mode) {
    case "DISABLE":
      return { type: "plain" };
    case "ISTIO_MUTUAL": {
      if (!context.facts.hasCertificates) return noCertificates(rule, "mode");
      const names = subjectAltNames.length > 0 ? subjectAltNames : context.identities;
      return {
        type: "tls",
        transport: {
          tls: mutualTls(context, names, sni === "" ? context.sni : sni, rule.origin),
          isByEndpoint: false,
        },
      };
    }
    case "SIMPLE":
    case "MUTUAL":
      return written(rule, mode, context);
  }
}

function automatic(context: TransportContext): ClientTransport {
  const { facts, service, identities, sni, takers } = context;
  const isPossible = facts.hasCertificates && facts.settings.isAutoMtls && !service.isExternal;
  if (!isPossible || takers === "none") return { type: "plain" };
  const origin = { key: service.key, path: service.path };
  const tls = mutualTls(context, identities, sni, origin);
  return { type: "tls", transport: { tls, isByEndpoint: takers === "chosen" } };
}

function mutualTls(
  { isHttp2 }: TransportContext,
  subjectAltNames: readonly string[],
  sni: string,
  origin: Origin,
): ClientTls {
  return {
    ...MESH_LIMITS,
    isMutualIstio: true,
    certificate: { type: "sds", name: WORKLOAD_CERTIFICATE },
    trusted: { type: "sds", name: WORKLOAD_ROOTS },
    subjectAltNames,
    sni,
    isSniFromHost: false,
    isNameFromHost: false,
    crlFile: undefined,
    alpn: isHttp2 ? ALPN_MESH_HTTP2 : ALPN_MESH,
    origin,
  };
}

/** TLS with certificates that the rule names. */
function written(
  rule: TlsRule,
  mode: "SIMPLE" | "MUTUAL",
  context: TransportContext,
): ClientTransport {
  const { settings } = rule;
  const { facts } = context;
  const refused = credentialProblem(rule, facts);
  if (refused !== undefined) return refused;
  const trusted = settings.insecureSkipVerify === true ? undefined : trustedOf(settings, facts);
  if (!facts.hasCertificates && trusted?.type === "trusted-file" && trusted.file === SYSTEM_ROOTS) {
    const message =
      "is needed: there is no agent yet that hands proxies the system's trusted certificates. Until then no connection is made";
    return { type: "closed", warning: { origin: rule.origin, field: "caCertificates", message } };
  }
  const tls: ClientTls = {
    ...MESH_LIMITS,
    minVersion: facts.settings.tlsDefaults.minVersion ?? MESH_LIMITS.minVersion,
    cipherSuites: facts.settings.tlsDefaults.cipherSuites,
    ecdhCurves: facts.settings.tlsDefaults.ecdhCurves,
    isMutualIstio: false,
    certificate: mode === "MUTUAL" ? certificateOf(settings) : undefined,
    trusted,
    ...namesOf(settings, trusted !== undefined, context),
    crlFile: settings.caCrl === "" ? undefined : settings.caCrl,
    alpn: context.isHttp2 ? ALPN_HTTP2 : [],
    origin: rule.origin,
  };
  return { type: "tls", transport: { tls, isByEndpoint: false } };
}

/** Why a credential is not to be had; absent where there is none, or it is. */
function credentialProblem(rule: TlsRule, facts: ClientFacts): ClientTransport | undefined {
  const { credentialName = "" } = rule.settings;
  if (credentialName === "") return undefined;
  if (!facts.isGateway && !rule.isForSelected && !credentialName.startsWith("configmap://")) {
    const message =
      "sidecars use a credential only of a rule that selects workloads; they send as without tls";
    return { type: "plain", warning: { origin: rule.origin, field: "credentialName", message } };
  }
  return facts.hasCertificates ? undefined : noCertificates(rule, "credentialName");
}

/** What is asked for, and what the server's certificate must say. */
function namesOf(
  { sni = "", subjectAltNames: own = [] }: ClientTlsSettings,
  isChecked: boolean,
  { service, identities }: TransportContext,
): Pick<ClientTls, "subjectAltNames" | "sni" | "isSniFromHost" | "isNameFromHost"> {
  const isFromHost = sni === "";
  // Names of the service stand in only where it is not the mesh's own.
  const ofService =
    service.registry === "External" ? [...service.subjectAltNames, ...identities] : [];
  return {
    subjectAltNames: own.length > 0 ? own : ofService,
    sni: isFromHost ? undefined : sni,
    isSniFromHost: isFromHost,
    isNameFromHost: isFromHost && own.length === 0 && isChecked,
  };
}

function certificateOf(settings: ClientTlsSettings): TlsSource {
  const { credentialName = "", clientCertificate = "", privateKey = "" } = settings;
  return credentialName === ""
    ? { type: "files", certificate: clientCertificate, privateKey }
    : { type: "sds", name: credentialUrl(credentialName) };
}

function trustedOf(settings: ClientTlsSettings, facts: ClientFacts): TlsSource | undefined {
  const { credentialName = "", caCertificates = "" } = settings;
  if (credentialName.startsWith("configmap://")) return { type: "sds", name: credentialName };
  if (credentialName !== "")
    return { type: "sds", name: `${credentialUrl(credentialName)}-cacert` };
  if (caCertificates !== "") return { type: "trusted-file", file: caCertificates };
  return facts.settings.isServerVerified ? { type: "trusted-file", file: SYSTEM_ROOTS } : undefined;
}

function credentialUrl(name: string): string {
  return name.includes("://") ? name : `kubernetes://${name}`;
}

function noCertificates(
  { settings, origin }: TlsRule,
  field: "mode" | "credentialName",
): ClientTransport {
  const message = `"${settings[field] ?? ""}" needs certificates, which proxies of this mesh are not given yet: no connection is made, instead of one without TLS`;
  return { type: "closed", warning: { origin, field, message } };
}
