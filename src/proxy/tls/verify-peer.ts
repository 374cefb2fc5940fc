import type { Certificate } from "./certificate.ts";
import type { SslStats } from "./ssl-stats.ts";
import type { SanMatcher, ValidationConfig } from "./tls-config.ts";

/** What became of a peer's certificate: `undefined` lets it pass, text says why not. */
export type Refusal = string | undefined;

/**
 * Whether a peer may stay, after OpenSSL built its chain and `chainError` said what it found wrong
 * with it. The order and the words are Envoy's default validator's.
 */
export function verifyPeer(
  config: ValidationConfig,
  certificate: Certificate,
  chainError: Error | undefined,
  stats: SslStats,
): Refusal {
  if (config.trustedCa !== undefined && chainError !== undefined && !config.acceptsUntrusted) {
    stats.counters["ssl.fail_verify_error"]++;
    return `verify cert failed: X509_verify_cert: certificate verification error: ${chainError.message}`;
  }
  if (config.sans.length > 0 && !matchesSans(config.sans, certificate)) {
    if (!config.acceptsUntrusted) {
      stats.counters["ssl.fail_verify_san"]++;
      const sans = certificate.names.all.join(", ");
      return `verify cert failed: SAN matcher, certificate SANs are [${sans}]`;
    }
  }
  const { hashes, spkis } = config;
  if (hashes.length === 0 && spkis.length === 0) return undefined;
  if (hashes.includes(certificate.sha256) || spkis.includes(certificate.spkiSha256))
    return undefined;
  if (config.acceptsUntrusted) return undefined;
  stats.counters["ssl.fail_verify_cert_hash"]++;
  return "verify cert failed: cert hash and spki";
}

/** Whether one of the names is one of those asked for. */
export function matchesSans(matchers: readonly SanMatcher[], { names }: Certificate): boolean {
  return matchers.some((matcher) => {
    switch (matcher.type) {
      case "DNS":
        return names.dns.some((name) => matchesDns(matcher, name));
      case "URI":
        return names.uri.some(matcher.matches);
      case "IP_ADDRESS":
        return names.ip.some(matcher.matches);
      case "EMAIL":
        return names.email.some(matcher.matches);
      case "OTHER_NAME":
        return names.other.some(({ oid, value }) => oid === matcher.oid && matcher.matches(value));
    }
  });
}

function matchesDns({ dnsName, matches }: SanMatcher, name: string): boolean {
  return dnsName === "" ? matches(name) : coversDns(name.toLowerCase(), dnsName);
}

/** Whether a certificate's DNS name, perhaps with a wildcard for its first label, covers another. */
export function coversDns(pattern: string, name: string): boolean {
  if (pattern === name) return true;
  if (!pattern.startsWith("*.")) return false;
  const dot = name.indexOf(".");
  return dot > 0 && name.slice(dot) === pattern.slice(1);
}
