import type { TransportSocket } from "../../api/gen/envoy/config/core/v3/base_pb.js";
import { RawBufferSchema } from "../../api/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js";
import {
  type CommonTlsContext,
  CommonTlsContext_CombinedCertificateValidationContextSchema,
  CommonTlsContextSchema,
  type DownstreamTlsContext,
  DownstreamTlsContextSchema,
  DownstreamTlsContext_OcspStaplePolicy as OcspPolicy,
  type UpstreamTlsContext,
  UpstreamTlsContextSchema,
} from "../../api/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { wireText } from "../../match/wire-text.ts";
import type { HostTransport } from "../cluster/cluster-transports.ts";
import { checkTlsConfig } from "../tls/secure-context.ts";
import type {
  CertificateConfig,
  CommonTlsConfig,
  DownstreamTlsConfig,
  Given,
  SecretRef,
  UpstreamTlsConfig,
  ValidationConfig,
} from "../tls/tls-config.ts";
import { decodeExtension, type Extension, extension } from "./extension.ts";
import { decodeCertificate, decodeTicketKeys } from "./secret.ts";
import { decodeSecretRef } from "./secret-ref.ts";
import { decodeTlsParameters } from "./tls-parameters.ts";
import { decodeValidation } from "./tls-validation.ts";

const DOWNSTREAM: readonly Extension<{ readonly tls: DownstreamTlsConfig | undefined }>[] = [
  extension(RawBufferSchema, () => ({ tls: undefined })),
  extension(DownstreamTlsContextSchema, (message, path, issues) => ({
    tls: decodeDownstream(message, path, issues),
  })),
];

/** Hosts in plain text. */
export const PLAIN_UPSTREAM: Extension<HostTransport> = extension(RawBufferSchema, () => ({
  tls: undefined,
  header: undefined,
}));

/** TLS to hosts. */
export const TLS_UPSTREAM: Extension<HostTransport> = extension(
  UpstreamTlsContextSchema,
  (message, path, issues) => ({
    tls: decodeUpstream(message, path, issues),
    header: undefined,
  }),
);

/** Decodes a filter chain's transport socket; `undefined` is plain text. */
export function decodeDownstreamTransport(
  message: TransportSocket | undefined,
  path: string,
  issues: Issue[],
): DownstreamTlsConfig | undefined {
  if (message === undefined) return undefined;
  const { name, configType } = message;
  return decodeExtension(DOWNSTREAM, { name, any: configType.value, path }, issues)?.tls;
}

const DOWNSTREAM_FIELDS = [
  "common_tls_context",
  "require_client_certificate",
  "session_ticket_keys",
  "session_ticket_keys_sds_secret_config",
  "disable_stateless_session_resumption",
  // Sessions are kept by their clients only, in tickets.
  "disable_stateful_session_resumption",
  "session_timeout",
  "ocsp_staple_policy",
  "full_scan_certs_on_sni_mismatch",
];

function decodeDownstream(
  message: DownstreamTlsContext,
  path: string,
  issues: Issue[],
): DownstreamTlsConfig {
  const before = issues.length;
  issues.push(...refuseFields(DownstreamTlsContextSchema, message, DOWNSTREAM_FIELDS, path));
  const policy = message.ocspStaplePolicy;
  if (policy !== OcspPolicy.LENIENT_STAPLING) {
    const what = `${OcspPolicy[policy] ?? policy} is not supported yet: staples are not built`;
    issues.push({ path: joinPath(path, "ocsp_staple_policy"), message: what });
  }
  const common = decodeCommon(message.commonTlsContext, false, path, issues);
  if (common.certificates.length === 0 && issues.length === before) {
    issues.push({ path, message: "No TLS certificates found for server context" });
  }
  const tickets = message.sessionTicketKeysType;
  const stateless = "disableStatelessSessionResumption";
  const config: DownstreamTlsConfig = {
    ...common,
    requiresClientCertificate: message.requireClientCertificate ?? false,
    ticketKeys: decodeTickets(message, path, issues),
    issuesTickets: !(tickets.case === stateless && tickets.value),
    sessionTimeoutS: Math.floor((durationMs(message.sessionTimeout) ?? 0) / 1000),
    scansAllOnSniMismatch: message.fullScanCertsOnSniMismatch ?? false,
  };
  if (issues.length === before) checkTlsConfig(config, path, issues);
  return config;
}

function decodeTickets(
  message: DownstreamTlsContext,
  path: string,
  issues: Issue[],
): Given<readonly Buffer[]> {
  const tickets = message.sessionTicketKeysType;
  if (tickets.case === "sessionTicketKeys") {
    const at = joinPath(path, "session_ticket_keys");
    return { kind: "inline", value: decodeTicketKeys(tickets.value, at, issues) };
  }
  if (tickets.case === "sessionTicketKeysSdsSecretConfig") {
    const at = joinPath(path, "session_ticket_keys_sds_secret_config");
    const ref = decodeSecretRef(tickets.value, at, issues);
    if (ref !== undefined) return { kind: "secret", ref };
  }
  return { kind: "inline", value: [] };
}

const UPSTREAM_FIELDS = [
  "common_tls_context",
  "sni",
  "auto_host_sni",
  "auto_sni_san_validation",
  "max_session_keys",
  "enforce_rsa_key_usage",
  // Refused below when it is asked for.
  "allow_renegotiation",
];

function decodeUpstream(
  message: UpstreamTlsContext,
  path: string,
  issues: Issue[],
): UpstreamTlsConfig {
  const before = issues.length;
  issues.push(...refuseFields(UpstreamTlsContextSchema, message, UPSTREAM_FIELDS, path));
  if (message.allowRenegotiation) {
    const what = "is not supported: OpenSSL's renegotiation is left off for safety";
    issues.push({ path: joinPath(path, "allow_renegotiation"), message: what });
  }
  const common = decodeCommon(message.commonTlsContext, true, path, issues);
  if (common.certificates.length > 1) {
    const what = "Multiple TLS certificates are not supported for client contexts";
    issues.push({ path, message: what });
  }
  const config: UpstreamTlsConfig = {
    ...common,
    sni: wireText(message.sni),
    asksForHostname: message.autoHostSni,
    certifiesServerName: message.autoSniSanValidation,
    sessionsMax: message.maxSessionKeys ?? 1,
    enforcesRsaKeyUsage: message.enforceRsaKeyUsage ?? true,
  };
  if (message.autoSniSanValidation) checkCertified(config, path, issues);
  if (issues.length === before) checkTlsConfig(config, path, issues);
  return config;
}

/** A name says nothing in a certificate that anybody may have made. */
function checkCertified(
  { validation, validationRef }: UpstreamTlsConfig,
  parent: string,
  issues: Issue[],
): void {
  const path = joinPath(parent, "auto_sni_san_validation");
  const what = "'auto_sni_san_validation' was configured without";
  if (validation === undefined && validationRef === undefined) {
    issues.push({ path, message: `${what} a validation context` });
  } else if (validationRef === undefined && validation?.trustedCa === undefined) {
    issues.push({ path, message: `${what} configuring a trusted CA` });
  }
}

const COMMON_FIELDS = [
  "tls_params",
  "tls_certificates",
  "tls_certificate_sds_secret_configs",
  "validation_context",
  "validation_context_sds_secret_config",
  "combined_validation_context",
  "alpn_protocols",
];

function decodeCommon(
  message: CommonTlsContext | undefined,
  isClient: boolean,
  contextPath: string,
  issues: Issue[],
): CommonTlsConfig {
  const path = joinPath(contextPath, "common_tls_context");
  if (message !== undefined) {
    issues.push(...refuseFields(CommonTlsContextSchema, message, COMMON_FIELDS, path));
  }
  const parametersPath = joinPath(path, "tls_params");
  return {
    parameters: decodeTlsParameters(message?.tlsParams, isClient, parametersPath, issues),
    certificates: message === undefined ? [] : decodeCertificates(message, path, issues),
    ...decodeValidationType(message, path, issues),
    alpn: decodeAlpn(message?.alpnProtocols ?? [], joinPath(path, "alpn_protocols"), issues),
  };
}

/** Those that stand in the context go before secrets, as in Envoy. */
function decodeCertificates(
  message: CommonTlsContext,
  path: string,
  issues: Issue[],
): Given<CertificateConfig>[] {
  if (message.tlsCertificates.length > 0) {
    return message.tlsCertificates.flatMap((certificate, at) => {
      const certificatePath = joinPath(path, `tls_certificates[${at}]`);
      const value = decodeCertificate(certificate, "", certificatePath, issues);
      return value === undefined ? [] : [{ kind: "inline", value }];
    });
  }
  return message.tlsCertificateSdsSecretConfigs.flatMap((config, at) => {
    const refPath = joinPath(path, `tls_certificate_sds_secret_configs[${at}]`);
    const ref = decodeSecretRef(config, refPath, issues);
    return ref === undefined ? [] : [{ kind: "secret", ref }];
  });
}

function decodeValidationType(
  message: CommonTlsContext | undefined,
  path: string,
  issues: Issue[],
): { validation: ValidationConfig | undefined; validationRef: SecretRef | undefined } {
  const type = message?.validationContextType;
  switch (type?.case) {
    case "validationContext": {
      const at = joinPath(path, "validation_context");
      return { validation: decodeValidation(type.value, at, issues), validationRef: undefined };
    }
    case "validationContextSdsSecretConfig": {
      const at = joinPath(path, "validation_context_sds_secret_config");
      return { validation: undefined, validationRef: decodeSecretRef(type.value, at, issues) };
    }
    case "combinedValidationContext": {
      const at = joinPath(path, "combined_validation_context");
      const schema = CommonTlsContext_CombinedCertificateValidationContextSchema;
      const fields = ["default_validation_context", "validation_context_sds_secret_config"];
      issues.push(...refuseFields(schema, type.value, fields, at));
      const { defaultValidationContext: base, validationContextSdsSecretConfig: ref } = type.value;
      const refPath = joinPath(at, "validation_context_sds_secret_config");
      return {
        validation:
          base && decodeValidation(base, joinPath(at, "default_validation_context"), issues),
        validationRef: ref && decodeSecretRef(ref, refPath, issues),
      };
    }
    case "validationContextCertificateProvider":
    case "validationContextCertificateProviderInstance":
    case undefined:
      return { validation: undefined, validationRef: undefined };
  }
}

function decodeAlpn(protocols: readonly string[], path: string, issues: Issue[]): string[] {
  // Envoy joins and splits them again, so that a name of several is several names.
  const names = protocols.flatMap((name) => name.split(",")).filter((name) => name !== "");
  if (names.some((name) => Buffer.byteLength(name) > 255)) {
    issues.push({ path, message: "Invalid ALPN protocol string" });
  }
  return names.map(wireText);
}
