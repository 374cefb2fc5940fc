import { getCiphers } from "node:tls";
import {
  type TlsParameters as Message,
  TlsParameters_TlsProtocol as Protocol,
  TlsParametersSchema,
} from "../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { TlsParameters, TlsVersion } from "../tls/tls-config.ts";

/** In the order of their age. */
const VERSIONS: Readonly<Record<Protocol, TlsVersion | undefined>> = {
  [Protocol.TLS_AUTO]: undefined,
  [Protocol.TLSv1_0]: "TLSv1",
  [Protocol.TLSv1_1]: "TLSv1.1",
  [Protocol.TLSv1_2]: "TLSv1.2",
  [Protocol.TLSv1_3]: "TLSv1.3",
};

/** Envoy's default for both directions. */
const CURVES = "X25519:P-256";

/** Groups that OpenSSL has, by the names that BoringSSL takes. */
const KNOWN_CURVES: ReadonlySet<string> = new Set(["X25519", "P-256", "P-384", "P-521"]);

/** Signature algorithms of TLS 1.3 by OpenSSL's names. */
const SIGNATURES: Readonly<Record<string, string>> = {
  rsa_pkcs1_sha256: "RSA+SHA256",
  rsa_pkcs1_sha384: "RSA+SHA384",
  rsa_pkcs1_sha512: "RSA+SHA512",
  rsa_pkcs1_sha1: "RSA+SHA1",
  ecdsa_secp256r1_sha256: "ECDSA+SHA256",
  ecdsa_secp384r1_sha384: "ECDSA+SHA384",
  ecdsa_secp521r1_sha512: "ECDSA+SHA512",
  ecdsa_sha1: "ECDSA+SHA1",
  rsa_pss_rsae_sha256: "rsa_pss_rsae_sha256",
  rsa_pss_rsae_sha384: "rsa_pss_rsae_sha384",
  rsa_pss_rsae_sha512: "rsa_pss_rsae_sha512",
  ed25519: "ed25519",
};

/** Decodes what may be negotiated; `isClient` has other defaults. */
export function decodeTlsParameters(
  message: Message | undefined,
  isClient: boolean,
  path: string,
  issues: Issue[],
): TlsParameters {
  if (message !== undefined) {
    const fields = [
      "tls_minimum_protocol_version",
      "tls_maximum_protocol_version",
      "cipher_suites",
      "ecdh_curves",
      "signature_algorithms",
    ];
    issues.push(...refuseFields(TlsParametersSchema, message, fields, path));
  }
  const min = message?.tlsMinimumProtocolVersion ?? Protocol.TLS_AUTO;
  const max = message?.tlsMaximumProtocolVersion ?? Protocol.TLS_AUTO;
  return {
    minVersion: VERSIONS[min] ?? "TLSv1.2",
    maxVersion: VERSIONS[max] ?? (isClient ? "TLSv1.2" : "TLSv1.3"),
    ciphers: decodeCiphers(message?.cipherSuites ?? [], joinPath(path, "cipher_suites"), issues),
    curves: decodeCurves(message?.ecdhCurves ?? [], joinPath(path, "ecdh_curves"), issues),
    signatureAlgorithms: decodeSignatures(
      message?.signatureAlgorithms ?? [],
      joinPath(path, "signature_algorithms"),
      issues,
    ),
  };
}

/**
 * BoringSSL's cipher list in OpenSSL's form. Ciphers that `[A|B]` puts on a level are listed one
 * after the other: OpenSSL knows no such groups, but a client that prefers ChaCha20 gets it.
 */
function decodeCiphers(suites: readonly string[], path: string, issues: Issue[]): string {
  const all = suites.flatMap((suite) => suite.split(":"));
  const known = new Set(getCiphers());
  const names: string[] = [];
  for (const suite of all) {
    const group = /^\[(.*)\]$/.exec(suite)?.[1];
    for (const name of group === undefined ? [suite] : group.split("|")) {
      const bare = name.replace(/^[-!+]/, "");
      if (name === "") continue;
      if (!known.has(bare.toLowerCase()) && !CIPHER_WORDS.has(bare)) {
        const what = `Failed to initialize cipher suites ${all.join(":")}. The following ciphers were rejected when tried individually: ${name}`;
        issues.push({ path, message: what });
      }
      names.push(name);
    }
  }
  return names.join(":");
}

/** Words of cipher lists that both libraries understand. */
const CIPHER_WORDS: ReadonlySet<string> = new Set(
  "ALL HIGH ECDHE ECDSA RSA AES AES128 AES256 AESGCM CHACHA20 SHA1 SHA256 SHA384 aRSA aECDSA kRSA kECDHE 3DES".split(
    " ",
  ),
);

function decodeCurves(curves: readonly string[], path: string, issues: Issue[]): string {
  for (const curve of curves) {
    if (KNOWN_CURVES.has(curve)) continue;
    issues.push({ path, message: `Failed to initialize ECDH curves ${curves.join(":")}` });
  }
  return curves.length === 0 ? CURVES : curves.join(":");
}

function decodeSignatures(names: readonly string[], path: string, issues: Issue[]): string {
  return names
    .map((name) => {
      const known = SIGNATURES[name];
      if (known === undefined) {
        issues.push({
          path,
          message: `Failed to initialize TLS signature algorithms ${names.join(":")}`,
        });
      }
      return known;
    })
    .join(":");
}
