import type { MetadataValue } from "./match-request.ts";

/** An address and port as text and number; the port is 0 for a Unix socket. */
export interface PeerAddress {
  /** Without brackets; an IPv4 address that came in IPv6 form (`::ffff:…`) in IPv4 form. */
  readonly address: string;
  readonly port: number;
}

/** What a certificate says, as matchers, header values and access logs ask for it. */
export interface CertificateInfo {
  /** RFC 2253 form, as Envoy prints it: `CN=…,O=…`. */
  readonly subject: string;
  readonly issuer: string;
  /** Hexadecimal, lower case, without colons. */
  readonly serial: string;
  readonly sha256: string;
  readonly sha1: string;
  readonly uriSans: readonly string[];
  readonly dnsSans: readonly string[];
  readonly ipSans: readonly string[];
  readonly emailSans: readonly string[];
  readonly validFromMs: number;
  readonly validToMs: number;
  /** PEM text of the certificate alone, and of it with what it came with. */
  readonly pem: string;
  readonly chainPem: string;
}

/** The TLS session of a connection, after its handshake. */
export interface TlsInfo {
  /** `TLSv1.2`, `TLSv1.3`. */
  readonly version: string;
  readonly cipher: string;
  /** The protocol that ALPN chose; "" for none. */
  readonly alpn: string;
  readonly sessionId: string;
  /** `undefined` when the peer presented none. */
  readonly peer: CertificateInfo | undefined;
  /** Whether the peer's certificate was verified against a trusted authority. */
  readonly isPeerValidated: boolean;
  readonly local: CertificateInfo | undefined;
}

/** An extension of a PROXY protocol header (version 2). */
export interface ProxyTlv {
  readonly type: number;
  /** Latin-1, one character for each byte. */
  readonly value: string;
}

/** Connections to hosts come from the client's own address. */
export interface OriginalSource {
  readonly address: string;
  /** Of their packets (`SO_MARK`); 0 for none. */
  readonly mark: number;
}

/** Metadata by namespace. */
type Metadata = Readonly<Record<string, MetadataValue>>;

/** Where a connection came in, and what its configuration says besides. */
export interface ListenerInfo {
  readonly metadata: Metadata;
  /** Of the filter chain. */
  readonly chainMetadata: Metadata;
  /** Envoy's `TrafficDirection`: 1 for what comes in, 2 for what goes out, 0 where nothing is said. */
  readonly direction: number;
}

/** What is known of a downstream connection: what filter chains, policies and logs look at. */
export interface ConnectionInfo {
  /** Counts the connections of one proxy, from 1. */
  readonly id: number;
  /** The filter chain that took it; "" while none has, and for one without a name. */
  readonly filterChainName: string;
  /** `undefined` while no filter chain has taken it. */
  readonly listener: ListenerInfo | undefined;
  /** Who the client is: the PROXY protocol's word for it where that is trusted. */
  readonly remote: PeerAddress;
  /** The other end of the socket itself. */
  readonly directRemote: PeerAddress;
  /** Where the client wanted to go: the original destination where it was restored. */
  readonly local: PeerAddress;
  /** `local`, where somebody restored it: it is not the listener's own address then. */
  readonly originalDestination: PeerAddress | undefined;
  /** What a PROXY header in front said besides, of what is to be passed on. */
  readonly proxyTlvs: readonly ProxyTlv[];
  /** `undefined`: connections to hosts come from the proxy's own address. */
  readonly originalSource: OriginalSource | undefined;
  /** The name in the ClientHello; "" for none. */
  readonly serverName: string;
  readonly transportProtocol: "raw_buffer" | "tls";
  /** What the client offered by ALPN, or what the HTTP inspector found. */
  readonly applicationProtocols: readonly string[];
  /** `undefined` on plain text. */
  readonly tls: TlsInfo | undefined;
  /** Why its handshake failed, in the form of Envoy's transport failure reason; "" when not. */
  readonly transportFailure: string;
}
