import type { Clock } from "../../base/clock.ts";
import { Certificate } from "./certificate.ts";
import { type ChainRules, checkChain, DEPTH_MAX, PURPOSE } from "./certificate-chain.ts";
import type { SslStats } from "./ssl-stats.ts";
import type { SanMatcher, ValidationConfig } from "./tls-config.ts";

/** What became of a peer's certificate: `undefined` lets it pass, text says why not. */
export type Refusal = string | undefined;

/** Names that a certificate must be for because of the connection; each is "" for none. */
export interface ExpectedNames {
  /** Besides what is configured: a DNS name that a wildcard may cover, a URI or an address. */
  readonly certifiedName: string;
  /** A DNS name in place of the configured ones. */
  readonly onlyName: string;
}

const NO_NAMES: ExpectedNames = { certifiedName: "", onlyName: "" };

/** Looks at the certificates of peers, by one validation context. */
export class PeerValidator {
  readonly #config: ValidationConfig;
  readonly #clock: Clock;
  readonly #purpose: ChainRules["purpose"];
  /** For what the TLS library itself cannot leave out or add. */
  readonly #anchors: readonly Certificate[] | undefined;
  readonly #domains: ReadonlyMap<string, readonly Certificate[]> | undefined;

  constructor(config: ValidationConfig, peer: keyof typeof PURPOSE, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    this.#purpose = PURPOSE[peer];
    const { trustedCa, trustDomains, allowsExpired, depthMax } = config;
    if (trustedCa !== undefined && (allowsExpired || depthMax !== undefined)) {
      this.#anchors = Certificate.readAll(trustedCa.text);
    }
    if (trustDomains.length > 0) {
      this.#domains = new Map(
        trustDomains.map(({ name, bundle }) => [name, Certificate.readAll(bundle.text)] as const),
      );
    }
  }

  /**
   * Whether what the library keeps of a session is enough to judge its peer again: the peer's own
   * certificate, and whether OpenSSL found its chain good.
   */
  get allowsResumption(): boolean {
    return this.#anchors === undefined && this.#domains === undefined;
  }

  /** Whether a chain to an authority is asked for at all. */
  get validates(): boolean {
    return this.#config.trustedCa !== undefined || this.#domains !== undefined;
  }

  /** What is wrong with the chain, after OpenSSL has built one and `found` says what it thinks. */
  checkChain(peer: Certificate, found: Error | undefined): string | undefined {
    if (this.#domains !== undefined) return this.#checkIdentity(peer, this.#domains);
    if (this.#config.trustedCa === undefined) return undefined;
    if (this.#anchors === undefined) return found?.message;
    // OpenSSL tells one error of several, so that of its word only "all is well" can be used.
    if (found !== undefined && !this.#config.allowsExpired) return found.message;
    return this.#search(peer, this.#anchors);
  }

  #search(peer: Certificate, anchors: readonly Certificate[]): string | undefined {
    const presented = peer.chain.map((x509) => new Certificate(x509));
    return checkChain(peer, presented, {
      anchors,
      nowMs: this.#clock.nowMs(),
      ignoresTime: this.#config.allowsExpired,
      depthMax: this.#config.depthMax ?? DEPTH_MAX,
      purpose: this.#purpose,
    });
  }

  /** By the authorities of its own trust domain (SPIFFE X.509-SVID, 5). */
  #checkIdentity(
    peer: Certificate,
    domains: ReadonlyMap<string, readonly Certificate[]>,
  ): string | undefined {
    if (peer.x509.ca || peer.allowsSigning) return "SPIFFE certificate is one of an authority";
    const id = peer.uriSans.find((uri) => uri.startsWith("spiffe://"));
    const domain = id?.slice("spiffe://".length).split("/", 1)[0] ?? "";
    const anchors = domains.get(domain);
    if (anchors === undefined) return "no trust bundle for the SPIFFE identity of the certificate";
    return this.#search(peer, anchors);
  }

  /**
   * Whether a peer may stay; `chainError` is what `checkChain` found. The order and the words are
   * those of Envoy's default validator.
   */
  verify(
    peer: Certificate,
    chainError: string | undefined,
    stats: SslStats,
    { certifiedName, onlyName }: ExpectedNames = NO_NAMES,
  ): Refusal {
    const { acceptsUntrusted, sans, hashes, spkis } = this.#config;
    if (acceptsUntrusted) return undefined;
    const { counters } = stats;
    if (chainError !== undefined) {
      counters["ssl.fail_verify_error"]++;
      return `verify cert failed: X509_verify_cert: certificate verification error: ${chainError}`;
    }
    if (certifiedName !== "" && !isFor(peer, certifiedName)) {
      counters["ssl.fail_verify_san"]++;
      return "verify cert failed: verify SAN list";
    }
    const areSansGood =
      onlyName === ""
        ? sans.length === 0 || matchesSans(sans, peer)
        : peer.names.dns.some((name) => coversDns(name.toLowerCase(), onlyName.toLowerCase()));
    if (!areSansGood) {
      counters["ssl.fail_verify_san"]++;
      const names = peer.names.all.join(", ");
      return `verify cert failed: SAN matcher, certificate SANs are [${names}]`;
    }
    if (hashes.length === 0 && spkis.length === 0) return undefined;
    if (hashes.includes(peer.sha256) || spkis.includes(peer.spkiSha256)) return undefined;
    counters["ssl.fail_verify_cert_hash"]++;
    return "verify cert failed: cert hash and spki";
  }
}

/** Whether a certificate is for a name, whatever kind of name that is. */
function isFor({ names }: Certificate, wanted: string): boolean {
  const lower = wanted.toLowerCase();
  if (names.dns.some((name) => coversDns(name.toLowerCase(), lower))) return true;
  return names.uri.includes(wanted) || names.ip.includes(wanted);
}

/** Whether one of the names is one of those asked for. */
function matchesSans(matchers: readonly SanMatcher[], { names }: Certificate): boolean {
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
