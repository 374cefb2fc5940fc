import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { TransportSocketSchema } from "../api/gen/envoy/config/core/v3/base_pb.js";
import {
  type CertificateValidationContextSchema,
  SubjectAltNameMatcher_SanType as SanType,
  type SubjectAltNameMatcherSchema,
  type TlsParametersSchema,
  TlsParameters_TlsProtocol as TlsProtocol,
} from "../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js";
import {
  type CommonTlsContextSchema,
  DownstreamTlsContextSchema,
} from "../api/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { packAny } from "../api/type-url.ts";
import { isIPv4, isIPv6 } from "../base/ip.ts";
import type { ProxySettings } from "../model/proxy-settings.ts";
import type { ServerTls, TlsLimits, TlsSource, TlsVersion } from "../model/tls.ts";
import { file, sdsSecret, secretName, validationBy } from "./secret-source.ts";

type CommonTls = MessageInitShape<typeof CommonTlsContextSchema>;

/** How a filter chain opens TLS. Only for what `isTlsPossible` says yes to. */
export function downstreamTls(
  tls: ServerTls,
  settings: ProxySettings,
): MessageInitShape<typeof TransportSocketSchema> {
  const common: CommonTls = {
    ...tlsParameters(tls),
    ...certificates(tls.certificates, settings),
    ...validation(tls, settings),
    alpnProtocols: [...tls.alpn],
  };
  const context = create(DownstreamTlsContextSchema, {
    commonTlsContext: common,
    requireClientCertificate: tls.isClientCertificateRequired,
  });
  return {
    name: "envoy.transport_sockets.tls",
    configType: { case: "typedConfig", value: packAny(DownstreamTlsContextSchema, context) },
  };
}

/** Whether the proxy can get at all that is needed; where not, there must be no plain text instead. */
export function isTlsPossible(tls: ServerTls, { hasCertificates }: ProxySettings): boolean {
  const sources = [...tls.certificates, ...(tls.trusted === undefined ? [] : [tls.trusted])];
  return hasCertificates || sources.every(({ type }) => type !== "sds");
}

const VERSION: Readonly<Record<TlsVersion, TlsProtocol>> = {
  TLSV1_0: TlsProtocol.TLSv1_0,
  TLSV1_1: TlsProtocol.TLSv1_1,
  TLSV1_2: TlsProtocol.TLSv1_2,
  TLSV1_3: TlsProtocol.TLSv1_3,
};

/** Versions and ciphers; nothing where nobody says anything. */
export function tlsParameters({
  minVersion,
  maxVersion,
  cipherSuites,
  ecdhCurves,
}: TlsLimits): Pick<CommonTls, "tlsParams"> {
  const isSilent =
    minVersion === undefined &&
    maxVersion === undefined &&
    cipherSuites.length === 0 &&
    ecdhCurves.length === 0;
  if (isSilent) return {};
  const tlsParams: MessageInitShape<typeof TlsParametersSchema> = {
    ...(minVersion !== undefined && { tlsMinimumProtocolVersion: VERSION[minVersion] }),
    ...(maxVersion !== undefined && { tlsMaximumProtocolVersion: VERSION[maxVersion] }),
    cipherSuites: [...cipherSuites],
    ecdhCurves: [...ecdhCurves],
  };
  return { tlsParams };
}

/** Certificates with their keys: from the agent, or where there is none, files of the proxy's own. */
export function certificates(
  sources: readonly TlsSource[],
  { hasCertificates }: Pick<ProxySettings, "hasCertificates">,
): Pick<CommonTls, "tlsCertificates" | "tlsCertificateSdsSecretConfigs"> {
  if (hasCertificates) {
    const names = sources.map((source) => sdsSecret(secretName(source)));
    return { tlsCertificateSdsSecretConfigs: names };
  }
  return {
    tlsCertificates: sources.flatMap((source) =>
      source.type === "files"
        ? [{ certificateChain: file(source.certificate), privateKey: file(source.privateKey) }]
        : [],
    ),
  };
}

function validation(
  tls: ServerTls,
  { hasCertificates }: ProxySettings,
): Pick<CommonTls, "validationContextType"> {
  const { trusted, crlFile } = tls;
  if (trusted === undefined) return {};
  const context: MessageInitShape<typeof CertificateValidationContextSchema> = {
    verifyCertificateSpki: [...tls.spkiPins],
    verifyCertificateHash: [...tls.certificatePins],
    matchTypedSubjectAltNames: [
      ...tls.subjectAltNames.flatMap(exactName),
      ...(tls.trustDomains ?? []).map(anyOfTrustDomain),
    ],
    ...(crlFile !== undefined && { crl: file(crlFile) }),
  };
  return validationBy(trusted, context, hasCertificates);
}

type SanMatcher = MessageInitShape<typeof SubjectAltNameMatcherSchema>;

/** A name, wherever in a certificate one of its form may stand. */
export function exactName(name: string): readonly SanMatcher[] {
  const matcher = { matchPattern: { case: "exact", value: name } } as const;
  return sanTypes(name).map((sanType) => ({ sanType, matcher }));
}

function sanTypes(name: string): readonly SanType[] {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(name)) return [SanType.URI];
  if (isIPv4(name) || isIPv6(name)) return [SanType.IP_ADDRESS];
  return name.includes("@") ? [SanType.EMAIL] : [SanType.DNS, SanType.URI];
}

function anyOfTrustDomain(trustDomain: string): SanMatcher {
  const value = `spiffe://${trustDomain}/`;
  return { sanType: SanType.URI, matcher: { matchPattern: { case: "prefix", value } } };
}
