import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { TlsInfo } from "../../match/connection-info.ts";
import { Certificate } from "./certificate.ts";
import { countNegotiated, type SslStats } from "./ssl-stats.ts";
import { peerChain } from "./tls-handle.ts";

/** What an open TLS session is; read once, as the library forgets it with the connection. */
export class SessionInfo implements TlsInfo {
  readonly version: string;
  readonly cipher: string;
  readonly alpn: string;
  readonly sessionId: string;
  readonly peer: Certificate | undefined;
  readonly isPeerValidated: boolean;
  readonly local: Certificate | undefined;

  constructor(
    socket: TLSSocket,
    sides: {
      readonly peer: Certificate | undefined;
      readonly isPeerValidated: boolean;
      readonly local: Certificate | undefined;
    },
  ) {
    this.version = socket.getProtocol() ?? "";
    this.cipher = socket.getCipher().name;
    this.alpn = typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : "";
    // TLS 1.3 keeps a field for it that means nothing.
    this.sessionId = "";
    this.peer = sides.peer;
    this.isPeerValidated = sides.isPeerValidated;
    this.local = sides.local;
  }
}

/** The certificate that the peer presented; `undefined` when it presented none. */
export function readPeer(socket: TLSSocket): Certificate | undefined {
  const peer: X509Certificate | undefined = socket.getPeerX509Certificate();
  return peer && new Certificate(peer, () => peerChain(peer));
}

/** Counts a handshake that succeeded. */
export function countHandshake(
  stats: SslStats,
  { version, cipher, peer }: SessionInfo,
  isReused: boolean,
): void {
  const { counters } = stats;
  counters["ssl.handshake"]++;
  if (isReused) counters["ssl.session_reused"]++;
  if (peer === undefined) counters["ssl.no_certificate"]++;
  countNegotiated(stats, `ssl.versions.${version}`);
  countNegotiated(stats, `ssl.ciphers.${cipher}`);
}
