import type { ClientHello } from "../listener-filter/client-hello.ts";
import { latin1 } from "../net/latin1.ts";

/** What a client offers before anything is agreed on. */
export interface Offer {
  /** In lower case; "" for none. */
  readonly serverName: string;
  readonly alpn: readonly string[];
  /** Whether it can use a certificate with an ECDSA key. */
  readonly takesEcdsa: boolean;
}

/** Where there is no hello to read: the TLS library will say what is wrong. */
export const NO_OFFER: Offer = { serverName: "", alpn: [], takesEcdsa: true };

const TLS13 = 0x0304;
const P256 = 23;
/** ecdsa_secp256r1_sha256, ecdsa_secp384r1_sha384, ecdsa_secp521r1_sha512 (RFC 8446 4.2.3). */
const ECDSA_SIGNATURES = [0x0403, 0x0503, 0x0603];
/** TLS_ECDHE_ECDSA_WITH_ AES-GCM, ChaCha20 and AES-CBC (RFC 5289, 7905, 4492). */
const ECDSA_CIPHERS = [0xc02b, 0xc02c, 0xcca9, 0xc009, 0xc00a, 0xc023, 0xc024];

/** What a hello offers. */
export function offerOf(hello: ClientHello): Offer {
  const { serverName, protocols } = hello;
  return {
    serverName: latin1(serverName, 0, serverName.length).toLowerCase(),
    alpn: protocols.map((name) => latin1(name, 0, name.length)),
    takesEcdsa: takesEcdsa(hello),
  };
}

function takesEcdsa({ ciphers, groups, signatures, versions }: ClientHello): boolean {
  if (groups.length > 0 && !has(groups, [P256])) return false;
  if (!has(signatures, ECDSA_SIGNATURES)) return false;
  return has(versions, [TLS13]) || has(ciphers, ECDSA_CIPHERS);
}

/** Whether one of the wanted numbers is among those of two bytes each. */
function has(numbers: Buffer, wanted: readonly number[]): boolean {
  for (let at = 0; at + 1 < numbers.length; at += 2) {
    if (wanted.includes(numbers.readUInt16BE(at))) return true;
  }
  return false;
}
