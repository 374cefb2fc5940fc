import type { X509Certificate } from "node:crypto";
import type { Certificate } from "./certificate.ts";

/** How a chain is looked at beyond what the TLS library does in its handshake. */
export interface ChainRules {
  readonly anchors: readonly Certificate[];
  readonly nowMs: number;
  readonly ignoresTime: boolean;
  /** Most certificates between the peer's own and the anchor. */
  readonly depthMax: number;
  /** What an extended key usage must allow where there is one (RFC 5280 4.2.1.12). */
  readonly purpose: typeof PURPOSE.client | typeof PURPOSE.server;
}

/** Who presents a certificate. */
export const PURPOSE = { client: "1.3.6.1.5.5.7.3.2", server: "1.3.6.1.5.5.7.3.1" } as const;

/** A longer chain is not looked through. */
export const DEPTH_MAX = 100;
const ANY_PURPOSE = "2.5.29.37.0";

/**
 * What is wrong with a peer's certificate by the trust anchors, in OpenSSL's words; `undefined`
 * when a chain leads to one. It is stricter than RFC 5280 6 in one way: a chain with constraints on
 * names is refused, as nothing here would apply them.
 */
export function checkChain(
  leaf: Certificate,
  presented: readonly Certificate[],
  rules: ChainRules,
): string | undefined {
  const purposes = leaf.purposes;
  if (
    purposes !== undefined &&
    ![rules.purpose, ANY_PURPOSE].some((one) => purposes.includes(one))
  ) {
    return "unsuitable certificate purpose";
  }
  return search(leaf, presented, rules, 0);
}

function search(
  certificate: Certificate,
  presented: readonly Certificate[],
  rules: ChainRules,
  depth: number,
): string | undefined {
  const timeError = rules.ignoresTime ? undefined : checkTime(certificate, rules.nowMs);
  if (timeError !== undefined) return timeError;
  // One that is trusted itself needs no other to vouch for it.
  if (rules.anchors.some((anchor) => anchor.sha256 === certificate.sha256)) return undefined;
  let error = "unable to get local issuer certificate";
  for (const issuer of rules.anchors) {
    if (!isIssuedBy(certificate.x509, issuer.x509)) continue;
    error = checkAuthority(issuer, rules, depth) ?? "";
    if (error === "") return undefined;
  }
  if (depth >= rules.depthMax || depth >= presented.length) {
    return depth >= rules.depthMax ? "certificate chain too long" : error;
  }
  for (const issuer of presented) {
    if (issuer.sha256 === certificate.sha256 || !isIssuedBy(certificate.x509, issuer.x509))
      continue;
    const found =
      checkAuthority(issuer, rules, depth) ?? search(issuer, presented, rules, depth + 1);
    if (found === undefined) return undefined;
    error = found;
  }
  return error;
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** `below` is how many authorities stand between it and the peer. */
function checkAuthority(issuer: Certificate, rules: ChainRules, below: number): string | undefined {
  if (!issuer.x509.ca || !issuer.allowsCertificateSigning) return "invalid CA certificate";
  if (issuer.hasNameConstraints) return "unsupported name constraint";
  if (issuer.pathLength !== undefined && issuer.pathLength < below) {
    return "path length constraint exceeded";
  }
  return rules.ignoresTime ? undefined : checkTime(issuer, rules.nowMs);
}

function checkTime({ validFromMs, validToMs }: Certificate, nowMs: number): string | undefined {
  if (nowMs < validFromMs) return "certificate is not yet valid";
  return nowMs > validToMs ? "certificate has expired" : undefined;
}
