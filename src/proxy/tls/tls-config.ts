import type { StringPredicate } from "../../match/string-match.ts";
import type { VariantName } from "../../xdsclient/wire-variant.ts";

/** Text in PEM form and where it came from, in Envoy's words: a path, or `<inline>`. */
export interface Pem {
  readonly text: string;
  readonly from: string;
}

/** What may be negotiated, in OpenSSL's names. */
export interface TlsParameters {
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
  /** The list for TLS 1.2 and below, `:` between; empty for the default. */
  readonly ciphers: string;
  readonly curves: string;
  /** Empty for the library's own. */
  readonly signatureAlgorithms: string;
}

export type TlsVersion = "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";

/** A certificate with its chain and its private key. */
export interface CertificateConfig {
  /** The secret's name; "" when it stands in the context itself. */
  readonly name: string;
  readonly chain: Pem;
  readonly key: Pem;
  readonly password: string | undefined;
}

/** One accepted subject alternative name. */
export interface SanMatcher {
  readonly type: "EMAIL" | "DNS" | "URI" | "IP_ADDRESS" | "OTHER_NAME";
  /** Of other names; "" for the rest. */
  readonly oid: string;
  /** The name, for DNS, where a certificate's wildcard may cover it; "" for all other matchers. */
  readonly dnsName: string;
  readonly matches: StringPredicate;
}

/** How the peer's certificate is looked at; what is `undefined` may come from another context. */
export interface ValidationConfig {
  readonly trustedCa: Pem | undefined;
  readonly crl: Pem | undefined;
  /** SHA-256 of the certificate, lower-case hexadecimal without colons. */
  readonly hashes: readonly string[];
  /** SHA-256 of its public key, base64. */
  readonly spkis: readonly string[];
  readonly sans: readonly SanMatcher[];
  readonly allowsExpired: boolean;
  readonly acceptsUntrusted: boolean;
  readonly depthMax: number | undefined;
  /** The authorities of each SPIFFE trust domain, in place of `trustedCa`. */
  readonly trustDomains: readonly { readonly name: string; readonly bundle: Pem }[];
  /** Says what it asks for: two with the same identity accept the same peers. */
  readonly identity: string;
}

/** A control plane, reached by gRPC through a cluster of the bootstrap. */
export interface GrpcSource {
  readonly kind: "grpc";
  readonly cluster: string;
  readonly variant: VariantName;
  /** Whether every request says who asks, not only the first of its stream. */
  readonly repeatsNode: boolean;
}

/** Where a secret comes from at run time. */
export type SecretSource =
  | { readonly kind: "static" }
  | { readonly kind: "ads" }
  | GrpcSource
  | { readonly kind: "file"; readonly path: string; readonly watchedDirectory: string };

/** A secret that is asked for by name. */
export interface SecretRef {
  readonly name: string;
  readonly source: SecretSource;
  /** How long whoever needs it waits before going on without. */
  readonly initialFetchMs: number;
}

/** A value that stands in the configuration, or a secret that will bring it. */
export type Given<T> =
  | { readonly kind: "inline"; readonly value: T }
  | { readonly kind: "secret"; readonly ref: SecretRef };

/** What contexts of both directions have in common. */
export interface CommonTlsConfig {
  readonly parameters: TlsParameters;
  readonly certificates: readonly Given<CertificateConfig>[];
  /** Applied alone, or under what the secret says. */
  readonly validation: ValidationConfig | undefined;
  readonly validationRef: SecretRef | undefined;
  readonly alpn: readonly string[];
}

/** TLS of a filter chain. */
export interface DownstreamTlsConfig extends CommonTlsConfig {
  readonly requiresClientCertificate: boolean;
  /** Each 80 bytes: a name of 16, and two keys of 32. Empty: the proxy makes its own. */
  readonly ticketKeys: Given<readonly Buffer[]>;
  readonly issuesTickets: boolean;
  /** 0: the library's default. */
  readonly sessionTimeoutS: number;
  readonly scansAllOnSniMismatch: boolean;
}

/** TLS to the hosts of a cluster. */
export interface UpstreamTlsConfig extends CommonTlsConfig {
  readonly sni: string;
  /** Whether the name of the host, where it has one, is asked for in place of `sni`. */
  readonly asksForHostname: boolean;
  /** Whether the certificate must be for the name that was asked for, and no other names count. */
  readonly certifiesServerName: boolean;
  /** Sessions kept for resumption; 0 keeps none. */
  readonly sessionsMax: number;
  readonly enforcesRsaKeyUsage: boolean;
}
