import type { ServerTlsSettings } from "../config/server-tls.ts";
import { knownCipherSuites, knownEcdhCurves } from "../config/tls-names.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import type { Origin } from "./origin.ts";
import {
  type ServerTls,
  type TlsSource,
  type TlsVersion,
  WORKLOAD_CERTIFICATE,
  WORKLOAD_ROOTS,
} from "./tls.ts";

/** What is known of a listener besides its own TLS settings. */
export interface ServerTlsOptions {
  readonly settings: MeshSettings;
  readonly origin: Origin;
  /** What is offered by ALPN, the preferred first. */
  readonly alpn: readonly string[];
  /** The oldest version where nobody says. */
  readonly minVersion: TlsVersion | undefined;
}

/** Where the agent keeps the secrets that a Gateway names, as Istio calls them. */
const SECRET_PREFIX = "kubernetes://";
const CA_SUFFIX = "-cacert";

/**
 * The TLS that a `tls` section of a Gateway's server or of a Sidecar's ingress asks a listener to
 * end (Istio's `ServerTLSSettings`); `undefined` where it passes TLS on, or says nothing of it.
 */
export function buildServerTls(
  tls: ServerTlsSettings,
  { settings, origin, alpn, minVersion }: ServerTlsOptions,
): ServerTls | undefined {
  const { mode = "PASSTHROUGH" } = tls;
  if (mode === "PASSTHROUGH" || mode === "AUTO_PASSTHROUGH") return undefined;
  const isMutualIstio = mode === "ISTIO_MUTUAL";
  const { tlsDefaults } = settings;
  return {
    certificates: isMutualIstio
      ? [{ type: "sds", name: WORKLOAD_CERTIFICATE }]
      : certificatesOf(tls),
    trusted: isMutualIstio ? { type: "sds", name: WORKLOAD_ROOTS } : trustedOf(tls),
    isClientCertificateRequired: mode === "MUTUAL" || isMutualIstio,
    subjectAltNames: tls.subjectAltNames ?? [],
    ...(isMutualIstio && { trustDomains: [settings.trustDomain, ...settings.trustDomainAliases] }),
    spkiPins: tls.verifyCertificateSpki ?? [],
    certificatePins: tls.verifyCertificateHash ?? [],
    crlFile: tls.caCrl,
    alpn,
    minVersion: versionOf(tls.minProtocolVersion) ?? tlsDefaults.minVersion ?? minVersion,
    maxVersion: versionOf(tls.maxProtocolVersion) ?? tlsDefaults.maxVersion,
    cipherSuites: orElse(knownCipherSuites(tls.cipherSuites), tlsDefaults.cipherSuites),
    ecdhCurves: orElse(knownEcdhCurves(tls.ecdhCurves), tlsDefaults.ecdhCurves),
    origin,
  };
}

function orElse(names: readonly string[], whenNone: readonly string[]): readonly string[] {
  return names.length > 0 ? names : whenNone;
}

function versionOf(word: ServerTlsSettings["minProtocolVersion"]): TlsVersion | undefined {
  return word === "TLS_AUTO" ? undefined : word;
}

function certificatesOf(tls: ServerTlsSettings): readonly TlsSource[] {
  const names =
    tls.credentialNames ?? (tls.credentialName === undefined ? [] : [tls.credentialName]);
  if (names.length > 0) return names.map((name) => ({ type: "sds", name: SECRET_PREFIX + name }));
  const files = tls.tlsCertificates ?? [tls];
  return files.flatMap(({ serverCertificate, privateKey }): readonly TlsSource[] =>
    serverCertificate === undefined || privateKey === undefined
      ? []
      : [{ type: "files", certificate: serverCertificate, privateKey }],
  );
}

/** Who may sign clients' certificates; only the mutual modes ask for one. */
function trustedOf(tls: ServerTlsSettings): TlsSource | undefined {
  if (tls.mode !== "MUTUAL" && tls.mode !== "OPTIONAL_MUTUAL") return undefined;
  const name = tls.caCertCredentialName ?? tls.credentialName ?? tls.credentialNames?.[0];
  if (name !== undefined) return { type: "sds", name: `${SECRET_PREFIX}${name}${CA_SUFFIX}` };
  const file = tls.caCertificates ?? tls.tlsCertificates?.[0]?.caCertificates;
  return file === undefined ? undefined : { type: "trusted-file", file };
}
