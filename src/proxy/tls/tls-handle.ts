import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";

/** The part of Node's TLS handle (`tls_wrap.cc`) that is used without its `TLSSocket`. */
export interface TlsHandle {
  onerror: (error: Error) => void;
  onhandshakestart: () => void;
  onhandshakedone: () => void;
  onnewsession: (id: Buffer, session: Buffer) => void;
  verifyError(): (Error & { readonly code?: string }) | null;
  isSessionReused(): boolean;
  enableSessionCallbacks(): void;
  getServername(): string | false | undefined;
}

/** The handle of a TLS socket; `undefined` once it is closed. */
export function tlsHandle(socket: TLSSocket): TlsHandle | undefined {
  return (socket as unknown as { readonly _handle?: TlsHandle | null })._handle ?? undefined;
}

/** The peer's certificate with what it came with, the peer's own first. */
export function peerChain(peer: X509Certificate): X509Certificate[] {
  const chain: X509Certificate[] = [];
  for (let next: X509Certificate | undefined = peer; next !== undefined; ) {
    chain.push(next);
    const issuer: X509Certificate | undefined = next.issuerCertificate;
    // A root is its own issuer.
    next =
      issuer === undefined || issuer.fingerprint256 === next.fingerprint256 ? undefined : issuer;
  }
  return chain;
}
