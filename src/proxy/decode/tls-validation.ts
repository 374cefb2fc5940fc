import {
  type CertificateValidationContext,
  CertificateValidationContextSchema,
  SubjectAltNameMatcher_SanType as SanType,
  type SubjectAltNameMatcher,
  SubjectAltNameMatcherSchema,
  CertificateValidationContext_TrustChainVerification as Verification,
} from "../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js";
import {
  type SPIFFECertValidatorConfig,
  SPIFFECertValidatorConfigSchema,
} from "../../api/gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.js";
import type { StringMatcher } from "../../api/gen/envoy/type/matcher/v3/string_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { compileStringMatch } from "../../match/string-match.ts";
import type { Pem, SanMatcher, ValidationConfig } from "../tls/tls-config.ts";
import { loadDataSource } from "./data-source.ts";
import { decodeExtension, extension } from "./extension.ts";

const FIELDS = [
  "trusted_ca",
  // Of secrets whose files are watched; elsewhere it has no effect in Envoy either.
  "watched_directory",
  "verify_certificate_spki",
  "verify_certificate_hash",
  "match_typed_subject_alt_names",
  "match_subject_alt_names",
  "crl",
  "allow_expired_certificate",
  "trust_chain_verification",
  "max_verify_depth",
  "custom_validator_config",
];

const SAN_TYPES: Readonly<Record<SanType, SanMatcher["type"] | undefined>> = {
  [SanType.SAN_TYPE_UNSPECIFIED]: undefined,
  [SanType.EMAIL]: "EMAIL",
  [SanType.DNS]: "DNS",
  [SanType.URI]: "URI",
  [SanType.IP_ADDRESS]: "IP_ADDRESS",
  [SanType.OTHER_NAME]: "OTHER_NAME",
};

/** The types that a matcher without a type looks at. */
const UNTYPED = ["DNS", "URI", "EMAIL", "IP_ADDRESS"] as const;

/** Files that a decoded message was read from, for whoever watches them. */
export type FileList = string[];

/** Decodes how peers are validated, reading its files. */
export function decodeValidation(
  message: CertificateValidationContext,
  path: string,
  issues: Issue[],
  files: FileList = [],
): ValidationConfig {
  issues.push(...refuseFields(CertificateValidationContextSchema, message, FIELDS, path));
  const pem = (name: "trustedCa" | "crl", at: string): Pem | undefined => {
    const loaded = loadDataSource(message[name], joinPath(path, at), issues);
    if (loaded === undefined) return undefined;
    if (loaded.file !== undefined) files.push(loaded.file);
    return { text: loaded.bytes.toString("utf8"), from: loaded.from };
  };
  const trustedCa = pem("trustedCa", "trusted_ca");
  const crl = pem("crl", "crl");
  const hashes = message.verifyCertificateHash.map((hash) =>
    hash.replaceAll(":", "").toLowerCase(),
  );
  for (const hash of hashes) {
    if (/^[0-9a-f]{64}$/.test(hash)) continue;
    const at = joinPath(path, "verify_certificate_hash");
    issues.push({ path: at, message: `Invalid hex-encoded SHA-256 ${hash}` });
  }
  for (const spki of message.verifyCertificateSpki) {
    if (Buffer.from(spki, "base64").length === 32) continue;
    const at = joinPath(path, "verify_certificate_spki");
    issues.push({ path: at, message: `Invalid base64-encoded SHA-256 ${spki}` });
  }
  return {
    trustedCa,
    crl,
    hashes,
    spkis: message.verifyCertificateSpki,
    sans: decodeSans(message, path, issues),
    allowsExpired: message.allowExpiredCertificate,
    acceptsUntrusted: message.trustChainVerification === Verification.ACCEPT_UNTRUSTED,
    depthMax: message.maxVerifyDepth,
    trustDomains: decodeTrustDomains(message, path, issues, files),
    identity: JSON.stringify([trustedCa, crl, message], withoutFiles),
  };
}

/** The one validator besides the default one that is built: SPIFFE's. */
function decodeTrustDomains(
  { customValidatorConfig: custom }: CertificateValidationContext,
  path: string,
  issues: Issue[],
  files: FileList,
): ValidationConfig["trustDomains"] {
  if (custom === undefined) return [];
  const at = joinPath(path, "custom_validator_config");
  const validators = [
    extension(SPIFFECertValidatorConfigSchema, (message, spiffePath) =>
      decodeSpiffe(message, spiffePath, issues, files),
    ),
  ];
  const named = { name: custom.name, any: custom.typedConfig, path: at };
  return decodeExtension(validators, named, issues) ?? [];
}

function decodeSpiffe(
  message: SPIFFECertValidatorConfig,
  path: string,
  issues: Issue[],
  files: FileList,
): ValidationConfig["trustDomains"] {
  const names = new Set<string>();
  return message.trustDomains.flatMap(({ name, trustBundle }, at) => {
    const bundlePath = joinPath(path, `trust_domains[${at}].trust_bundle`);
    if (names.has(name)) {
      issues.push({
        path,
        message: `Multiple trust bundles are given for one trust domain for ${name}`,
      });
    }
    names.add(name);
    const loaded = loadDataSource(trustBundle, bundlePath, issues);
    if (loaded === undefined) {
      if (trustBundle === undefined) issues.push({ path: bundlePath, message: "is missing" });
      return [];
    }
    if (loaded.file !== undefined) files.push(loaded.file);
    return [{ name, bundle: { text: loaded.bytes.toString("utf8"), from: loaded.from } }];
  });
}

/** Bytes of protobuf that JSON would write out number by number. */
function withoutFiles(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value;
}

function decodeSans(
  message: CertificateValidationContext,
  path: string,
  issues: Issue[],
): SanMatcher[] {
  if (message.matchTypedSubjectAltNames.length > 0) {
    return message.matchTypedSubjectAltNames.flatMap((matcher, at) => {
      const sanPath = joinPath(path, `match_typed_subject_alt_names[${at}]`);
      return decodeSan(matcher, sanPath, issues) ?? [];
    });
  }
  return message.matchSubjectAltNames.flatMap((matcher, at) => {
    const sanPath = joinPath(path, `match_subject_alt_names[${at}]`);
    const matches = compileStringMatch(matcher, sanPath, issues);
    return UNTYPED.map((type) => ({ type, oid: "", dnsName: dnsName(type, matcher), matches }));
  });
}

function decodeSan(
  message: SubjectAltNameMatcher,
  path: string,
  issues: Issue[],
): SanMatcher | undefined {
  const fields = ["san_type", "matcher", "oid"];
  issues.push(...refuseFields(SubjectAltNameMatcherSchema, message, fields, path));
  const matches = compileStringMatch(message.matcher, joinPath(path, "matcher"), issues);
  const type = SAN_TYPES[message.sanType];
  if (type === "OTHER_NAME" && !/^\d+(?:\.\d+)+$/.test(message.oid)) {
    const what = `Failed to create SAN matcher for OTHER_NAME with OID: ${message.oid}`;
    issues.push({ path, message: what });
  }
  if (type === undefined) {
    issues.push({ path: joinPath(path, "san_type"), message: "is missing" });
    return undefined;
  }
  return { type, oid: message.oid, dnsName: dnsName(type, message.matcher), matches };
}

/** The name of an exact matcher, which a wildcard of the certificate may cover. */
function dnsName(type: SanMatcher["type"], matcher: StringMatcher | undefined): string {
  const pattern = matcher?.matchPattern;
  return type === "DNS" && pattern?.case === "exact" ? pattern.value.toLowerCase() : "";
}

/** What a validation context with both halves means: the secret's word goes over the other's. */
export function mergeValidation(base: ValidationConfig, over: ValidationConfig): ValidationConfig {
  return {
    trustedCa: over.trustedCa ?? base.trustedCa,
    crl: over.crl ?? base.crl,
    hashes: [...base.hashes, ...over.hashes],
    spkis: [...base.spkis, ...over.spkis],
    sans: [...base.sans, ...over.sans],
    allowsExpired: base.allowsExpired || over.allowsExpired,
    acceptsUntrusted: base.acceptsUntrusted || over.acceptsUntrusted,
    depthMax: over.depthMax ?? base.depthMax,
    trustDomains: over.trustDomains.length > 0 ? over.trustDomains : base.trustDomains,
    identity: `${base.identity}\n${over.identity}`,
  };
}
