import { constants, createHash } from "node:crypto";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import type { Issue } from "../../base/issue.ts";
import { Certificate } from "./certificate.ts";
import type {
  CertificateConfig,
  CommonTlsConfig,
  Given,
  Pem,
  ValidationConfig,
} from "./tls-config.ts";

/** Says in Envoy's words why a certificate, key or authority cannot be used. */
export class ContextError extends Error {}

/** What a context is made of besides its configuration: everything that a secret may bring. */
export interface ContextParts {
  readonly certificate: CertificateConfig | undefined;
  readonly validation: ValidationConfig | undefined;
}

/** What only one direction sets. */
export type ContextExtras = Pick<
  SecureContextOptions,
  "secureOptions" | "sessionIdContext" | "sessionTimeout" | "ticketKeys" | "honorCipherOrder"
>;

/** TLS 1.3 has no configuration of its ciphers; the cheapest goes first, as a client's wish. */
const TLS13_CIPHERS = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

/** BoringSSL's default list in Envoy. */
const DEFAULT_CIPHERS = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-RSA-CHACHA20-POLY1305",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
].join(":");

const RSA_BITS_MIN = 2048;
const EC_CURVES: ReadonlySet<string> = new Set(["prime256v1", "secp384r1", "secp521r1"]);

/**
 * Contexts by what they are made of. The clusters of a mesh most often ask for the same one, which
 * takes half a millisecond and tens of kilobytes each time.
 */
export class ContextCache {
  readonly #contexts = new Map<string, WeakRef<SecureContext>>();

  /** The context of these parts; throws a `ContextError`. */
  get(config: CommonTlsConfig, parts: ContextParts, extras: ContextExtras): SecureContext {
    const key = digest([config.parameters, parts, extras]);
    const known = this.#contexts.get(key)?.deref();
    if (known !== undefined) return known;
    for (const [old, context] of this.#contexts) {
      if (context.deref() === undefined) this.#contexts.delete(old);
    }
    const context = createContext(config, parts, extras);
    this.#contexts.set(key, new WeakRef(context));
    return context;
  }
}

/** A short name for values: equal when they are. */
export function digest(values: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(values)).digest("hex").slice(0, 32);
}

/** Makes a context; throws a `ContextError`. */
export function createContext(
  { parameters }: CommonTlsConfig,
  { certificate, validation }: ContextParts,
  extras: ContextExtras,
): SecureContext {
  if (validation !== undefined) checkValidation(validation);
  const options: SecureContextOptions & { allowPartialTrustChain?: boolean } = {
    minVersion: parameters.minVersion,
    maxVersion: parameters.maxVersion,
    ciphers: `${TLS13_CIPHERS}:${parameters.ciphers || DEFAULT_CIPHERS}`,
    ecdhCurve: parameters.curves,
    // An empty list keeps Node from loading the authorities that it ships.
    ca: authorities(validation),
    // One that was signed by a trusted authority may itself be trusted, as in Envoy.
    allowPartialTrustChain: true,
    ...extras,
  };
  if (parameters.signatureAlgorithms !== "") options.sigalgs = parameters.signatureAlgorithms;
  if (validation?.crl !== undefined) {
    options.crl = splitPem(validation.crl.text);
  }
  if (certificate !== undefined) {
    checkCertificate(certificate);
    const { chain, key, password } = certificate;
    options.cert = chain.text;
    options.key = [{ pem: key.text, ...(password === undefined ? {} : { passphrase: password }) }];
  }
  try {
    return createSecureContext(options);
  } catch (error) {
    throw new ContextError(explain(error, certificate), { cause: error });
  }
}

/** Their names are told to clients that are asked for a certificate. */
function authorities(validation: ValidationConfig | undefined): string[] {
  if (validation === undefined) return [];
  const { trustedCa, trustDomains } = validation;
  return [
    ...(trustedCa === undefined ? [] : [trustedCa]),
    ...trustDomains.map((one) => one.bundle),
  ].map(({ text }) => text);
}

/** What Envoy says when its library refuses a key or a parameter. */
function explain(error: unknown, certificate: CertificateConfig | undefined): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (certificate === undefined || code === undefined) return String(message);
  const { chain, key } = certificate;
  if (code === "ERR_OSSL_PEM_NO_START_LINE" && !key.text.includes("-----BEGIN")) {
    return keyError(key, "error:0900006e:PEM routines:OPENSSL_internal:NO_START_LINE");
  }
  if (code === "ERR_OSSL_X509_KEY_VALUES_MISMATCH") {
    return keyError(
      key,
      "error:0b000074:X.509 certificate routines:OPENSSL_internal:KEY_VALUES_MISMATCH",
    );
  }
  if (code.startsWith("ERR_OSSL_X509") || code.startsWith("ERR_OSSL_ASN1")) {
    return `Failed to load certificate chain from ${chain.from}`;
  }
  return keyError(key, message);
}

function keyError(key: Pem, cause: string): string {
  return `Failed to load private key from ${key.from}, Cause: ${cause}`;
}

/** Reads the leaf; throws when it is none, or its key too weak. */
export function checkCertificate({ chain, key }: CertificateConfig): Certificate {
  const [leaf] = readCertificates(chain, "certificate chain");
  if (leaf === undefined)
    throw new ContextError(`Failed to load certificate chain from ${chain.from}`);
  if (!key.text.includes("-----BEGIN")) {
    throw new ContextError(
      keyError(key, "error:0900006e:PEM routines:OPENSSL_internal:NO_START_LINE"),
    );
  }
  const { asymmetricKeyType, asymmetricKeyDetails } = leaf.x509.publicKey;
  if (asymmetricKeyType === "rsa" && (asymmetricKeyDetails?.modulusLength ?? 0) < RSA_BITS_MIN) {
    const what = "only RSA certificates with 2048-bit or larger keys are supported";
    throw new ContextError(`Failed to load certificate chain from ${chain.from}, ${what}`);
  }
  if (asymmetricKeyType === "ec" && !EC_CURVES.has(asymmetricKeyDetails?.namedCurve ?? "")) {
    const what = "only P-256, P-384 or P-521 ECDSA certificates are supported";
    throw new ContextError(`Failed to load certificate chain from ${chain.from}, ${what}`);
  }
  return leaf;
}

function readCertificates({ text, from }: Pem, what: string): Certificate[] {
  try {
    return Certificate.readAll(text);
  } catch (error) {
    throw new ContextError(`Failed to load ${what} from ${from}`, { cause: error });
  }
}

/** Throws when a validation context cannot be what somebody meant. */
export function checkValidation(validation: ValidationConfig): void {
  const { trustedCa, crl, sans, allowsExpired, trustDomains } = validation;
  for (const { bundle } of trustDomains) {
    if (readCertificates(bundle, "trusted CA certificates").length === 0) {
      throw new ContextError(`SPIFFE: Failed to load trusted CA certificate from ${bundle.from}`);
    }
  }
  if (trustDomains.length > 0) return;
  if (trustedCa === undefined) {
    if (crl !== undefined)
      throw new ContextError(`Failed to load CRL from ${crl.from} without trusted CA`);
    if (sans.length > 0) {
      throw new ContextError(
        "SAN-based verification of peer certificates without trusted CA is insecure and not allowed",
      );
    }
    if (allowsExpired) {
      throw new ContextError("Certificate validity period is always ignored without trusted CA");
    }
    return;
  }
  if (readCertificates(trustedCa, "trusted CA certificates").length === 0) {
    throw new ContextError(`Failed to load trusted CA certificates from ${trustedCa.from}`);
  }
  if (crl === undefined) return;
  if (allowsExpired) {
    throw new ContextError("crl together with allow_expired_certificate is not supported yet");
  }
  const lists = splitPem(crl.text);
  if (lists.length === 0) throw new ContextError(`Failed to load CRL from ${crl.from}`);
  try {
    createSecureContext({ ca: [], crl: lists });
  } catch (error) {
    throw new ContextError(`Failed to load CRL from ${crl.from}`, { cause: error });
  }
}

/** Node takes one revocation list from each text. */
function splitPem(text: string): string[] {
  return text.match(/-----BEGIN X509 CRL-----[^-]*-----END X509 CRL-----/g) ?? [];
}

/** Tries what stands in a context itself; what secrets bring is tried when it comes. */
export function checkTlsConfig(config: CommonTlsConfig, path: string, issues: Issue[]): void {
  const inline = config.certificates.filter(isInline);
  const validation = config.validationRef === undefined ? config.validation : undefined;
  try {
    for (const { value } of inline) createContext(config, { certificate: value, validation }, {});
    if (inline.length === 0) createContext(config, { certificate: undefined, validation }, {});
  } catch (error) {
    if (!(error instanceof ContextError)) throw error;
    issues.push({ path, message: error.message });
  }
}

function isInline<T>(given: Given<T>): given is Extract<Given<T>, { kind: "inline" }> {
  return given.kind === "inline";
}

/** Neither side may begin a second handshake on a connection (TLS 1.2): BoringSSL forbids it too. */
export const NO_RENEGOTIATION = constants.SSL_OP_NO_RENEGOTIATION;
