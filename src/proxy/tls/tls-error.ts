/** A connection to a host that failed, in the words of Envoy's transport failure reason. */
export class TransportError extends Error {}

/** BoringSSL numbers its errors by library and reason; these are of the library SSL. */
const SSL_LIBRARY = 16 * 2 ** 24;

/** Reasons that both libraries know, with BoringSSL's numbers. */
const REASONS: Readonly<Record<string, number>> = {
  CERTIFICATE_VERIFY_FAILED: 125,
  HTTP_REQUEST: 155,
  HTTPS_PROXY_REQUEST: 156,
  NO_SHARED_CIPHER: 178,
  PEER_DID_NOT_RETURN_A_CERTIFICATE: 192,
  UNEXPECTED_MESSAGE: 223,
  UNSUPPORTED_PROTOCOL: 240,
  WRONG_VERSION_NUMBER: 247,
  BAD_DECRYPT: 101,
  DECRYPTION_FAILED_OR_BAD_RECORD_MAC: 113,
  KEY_USAGE_BIT_INCORRECT: 304,
  NO_COMMON_SIGNATURE_ALGORITHMS: 253,
  TLSV1_ALERT_NO_APPLICATION_PROTOCOL: 1120,
  TLSV13_ALERT_CERTIFICATE_REQUIRED: 1116,
};

/** Alerts of a peer (RFC 8446 6): BoringSSL's reason is 1000 and the alert's number. */
const ALERT = /SSL alert number (\d+)/;

/**
 * What OpenSSL says of a broken connection, in BoringSSL's words as far as they are the same;
 * `undefined` when it was not the library that broke it.
 */
export function libraryError(error: Error): string | undefined {
  const { code, reason } = error as Error & { readonly code?: string; readonly reason?: string };
  if (code?.startsWith("ERR_SSL_") !== true && code !== "EPROTO") return undefined;
  const name = (reason ?? code.slice("ERR_SSL_".length)).toUpperCase().replaceAll(" ", "_");
  const alert = ALERT.exec(error.message)?.[1];
  return alert === undefined ? name : `${name}#${1000 + Number(alert)}`;
}

/**
 * The text of Envoy's `UPSTREAM_TRANSPORT_FAILURE_REASON`. What only OpenSSL knows has the number
 * of the library alone.
 */
export function formatTlsError(reason: string): string {
  const [name = "", number] = reason.split("#");
  const code = Number(number ?? REASONS[name.split(":")[0] ?? ""] ?? 0);
  return `TLS_error:|${SSL_LIBRARY + code}:SSL routines:OPENSSL_internal:${name}:TLS_error_end`;
}
