import type { CertificateInfo, TlsInfo } from "../../match/connection-info.ts";
import type { HeaderList } from "./header-list.ts";

/** What a connection manager tells its upstreams of a client's certificate. */
export interface ClientCertConfig {
  /** Whether what the client sends itself is passed on, and what is added to it. */
  readonly mode: "forward_only" | "append_forward" | "sanitize_set";
  readonly subject: boolean;
  readonly cert: boolean;
  readonly chain: boolean;
  readonly dns: boolean;
  readonly uri: boolean;
}

const NAME = "x-forwarded-client-cert";

/** Writes the header for one request of a connection; `tls` is `undefined` on plain text. */
export type ClientCertWriter = (headers: HeaderList, tls: TlsInfo | undefined) => void;

/** Takes away what a client claims: Envoy's default. */
export function removeClientCert(headers: HeaderList): void {
  headers.remove(NAME);
}

/** Leaves whatever a client says: for a client that is trusted without a certificate. */
export function keepClientCert(): void {
  // Nothing to do.
}

/** The writer for a configuration; without a client certificate the header never passes. */
export function createClientCertWriter(config: ClientCertConfig): ClientCertWriter {
  /** A connection's certificate never changes, and most connections carry many requests. */
  const elements = new WeakMap<TlsInfo, string>();
  return (headers, tls) => {
    const peer = tls?.peer;
    if (tls === undefined || peer === undefined) return headers.remove(NAME);
    if (config.mode === "forward_only") return;
    let element = elements.get(tls);
    if (element === undefined) {
      element = describe(config, peer, tls.local);
      elements.set(tls, element);
    }
    const before = config.mode === "append_forward" ? headers.get(NAME) : undefined;
    headers.set(NAME, before === undefined ? element : `${before},${element}`);
  };
}

/** One element of the header, as Envoy's documentation of it says ("x-forwarded-client-cert"). */
function describe(
  config: ClientCertConfig,
  peer: CertificateInfo,
  local: CertificateInfo | undefined,
): string {
  const parts = (local?.uriSans ?? []).map((uri) => `By=${uri}`);
  parts.push(`Hash=${peer.sha256}`);
  if (config.cert) parts.push(`Cert="${encodePem(peer.pem)}"`);
  if (config.chain) parts.push(`Chain="${encodePem(peer.chainPem)}"`);
  if (config.subject) parts.push(`Subject="${peer.subject}"`);
  if (config.uri) parts.push(...peer.uriSans.map((uri) => `URI=${uri}`));
  if (config.dns) parts.push(...peer.dnsSans.map((dns) => `DNS=${dns}`));
  return parts.join(";");
}

const ENCODED: Readonly<Record<string, string>> = {
  "\n": "%0A",
  " ": "%20",
  "+": "%2B",
  "/": "%2F",
  "=": "%3D",
};

function encodePem(pem: string): string {
  return pem.replace(/[\n +/=]/g, (char) => ENCODED[char] ?? char);
}
