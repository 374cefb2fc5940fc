import type { Origin } from "./origin.ts";

/** Where a certificate with its key, or trusted certificates, come from. */
export type TlsSource =
  /** By name over SDS: `default`, `ROOTCA`, `kubernetes://name`, `file-cert:…~…`. */
  | { readonly type: "sds"; readonly name: string }
  /** The proxy reads its own disk. */
  | { readonly type: "files"; readonly certificate: string; readonly privateKey: string }
  | { readonly type: "trusted-file"; readonly file: string };

/** Secret names of a workload's own identity (Istio's). */
export const WORKLOAD_CERTIFICATE = "default";
export const WORKLOAD_ROOTS = "ROOTCA";

/** What both sides of TLS may be told; absent means the proxy's default. */
export interface TlsLimits {
  /** `TLSV1_2`, …; absent: Istio's default. */
  readonly minVersion: TlsVersion | undefined;
  readonly maxVersion: TlsVersion | undefined;
  readonly cipherSuites: readonly string[];
  readonly ecdhCurves: readonly string[];
}

export type TlsVersion = "TLSV1_0" | "TLSV1_1" | "TLSV1_2" | "TLSV1_3";

/** TLS that a listener's filter chain ends. */
export interface ServerTls extends TlsLimits {
  /** Several only of different key types. */
  readonly certificates: readonly TlsSource[];
  /** Who may sign a client's certificate; absent: clients are not asked for one. */
  readonly trusted: TlsSource | undefined;
  readonly isClientCertificateRequired: boolean;
  /** Names of which a client's certificate must have one; empty: any that is signed. */
  readonly subjectAltNames: readonly string[];
  /** Trust domains one of which a client's identity must be of; empty or absent: any. */
  readonly trustDomains?: readonly string[];
  /** Base64 SHA-256 of public keys, hex SHA-256 of certificates: of each that is given one must be. */
  readonly spkiPins: readonly string[];
  readonly certificatePins: readonly string[];
  /** File of revoked certificates. */
  readonly crlFile: string | undefined;
  readonly alpn: readonly string[];
  /** Absent where nobody but the mesh itself asks for it. */
  readonly origin: Origin | undefined;
}

/** TLS that a cluster begins. */
export interface ClientTls extends TlsLimits {
  /** Whether it is between meshed workloads, with their own identities. */
  readonly isMutualIstio: boolean;
  readonly certificate: TlsSource | undefined;
  /** Who may sign the server's certificate; absent: nobody is checked. */
  readonly trusted: TlsSource | undefined;
  /** Names of which the server's certificate must have one; empty: see `isNameFromHost`. */
  readonly subjectAltNames: readonly string[];
  /** Fixed name to ask for; absent: none, or see `isSniFromHost`. */
  readonly sni: string | undefined;
  /** Whether the request's host is asked for, where no name is fixed. */
  readonly isSniFromHost: boolean;
  /** Whether the certificate must be for the request's host. */
  readonly isNameFromHost: boolean;
  readonly crlFile: string | undefined;
  readonly alpn: readonly string[];
  readonly origin: Origin;
}
