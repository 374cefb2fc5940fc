/** Suites of TLS 1.2 and older that Envoy knows, in OpenSSL's names. */
const CIPHER_SUITES = new Set([
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
  "ECDHE-PSK-CHACHA20-POLY1305",
  "ECDHE-ECDSA-AES128-SHA256",
  "ECDHE-RSA-AES128-SHA256",
  "ECDHE-ECDSA-AES128-SHA",
  "ECDHE-RSA-AES128-SHA",
  "ECDHE-PSK-AES128-CBC-SHA",
  "ECDHE-ECDSA-AES256-SHA",
  "ECDHE-RSA-AES256-SHA",
  "ECDHE-PSK-AES256-CBC-SHA",
  "AES128-GCM-SHA256",
  "AES256-GCM-SHA384",
  "AES128-SHA",
  "PSK-AES128-CBC-SHA",
  "AES256-SHA",
  "PSK-AES256-CBC-SHA",
  "DES-CBC3-SHA",
]);

/** Key exchange groups that Envoy knows. */
const ECDH_CURVES = new Set(["P-256", "P-384", "P-521", "X25519", "X25519MLKEM768", "MLKEM1024"]);

/** Whether a name is that of a cipher suite of TLS 1.2 or older that proxies know. */
export function isCipherSuite(name: string): boolean {
  return CIPHER_SUITES.has(name);
}

/** Whether a name is that of a key exchange group that proxies know. */
export function isEcdhCurve(name: string): boolean {
  return ECDH_CURVES.has(name);
}

/**
 * The suites that proxies know, each once: a proxy refuses all that is around a name that it does
 * not know. Their author was warned.
 */
export function knownCipherSuites(names: readonly string[] = []): readonly string[] {
  return [...new Set(names)].filter(isCipherSuite);
}

/** The key exchange groups that proxies know, each once; see `knownCipherSuites`. */
export function knownEcdhCurves(names: readonly string[] = []): readonly string[] {
  return [...new Set(names)].filter(isEcdhCurve);
}
