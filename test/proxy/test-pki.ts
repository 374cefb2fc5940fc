import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

const DAY_MS = 86_400_000;
const EC = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const RSA = {
  name: "RSASSA-PKCS1-v1_5",
  hash: "SHA-256",
  publicExponent: new Uint8Array([1, 0, 1]),
  modulusLength: 2048,
} as const;

/** A certificate with its key; PEM. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
  readonly serial: string;
}

/** What a certificate of a test says. */
export interface TestCertificateOptions {
  readonly subject?: string;
  readonly sans?: x509.JsonGeneralNames;
  /** Days from now. */
  readonly validDays?: readonly [from: number, to: number];
  readonly isRsa?: boolean;
  readonly keyUsage?: number;
}

/** A certificate authority that lives as long as its test. */
export class TestAuthority {
  readonly #certificate: x509.X509Certificate;
  readonly #keys: webcrypto.CryptoKeyPair;

  private constructor(certificate: x509.X509Certificate, keys: webcrypto.CryptoKeyPair) {
    this.#certificate = certificate;
    this.#keys = keys;
  }

  static async create(name = "CN=root,O=weft", parent?: TestAuthority): Promise<TestAuthority> {
    const keys = await generate(EC);
    const signer = parent === undefined ? keys : parent.#keys;
    const certificate = await x509.X509CertificateGenerator.create(
      {
        ...lifetime([-1, 30]),
        subject: name,
        issuer: parent === undefined ? name : parent.#certificate.subject,
        publicKey: keys.publicKey,
        signingKey: signer.privateKey,
        signingAlgorithm: EC,
        extensions: [
          new x509.BasicConstraintsExtension(true, undefined, true),
          new x509.KeyUsagesExtension(
            x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
            true,
          ),
          await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
        ],
      },
      webcrypto,
    );
    return new TestAuthority(certificate, keys);
  }

  get cert(): string {
    return pem(this.#certificate.toString("pem"));
  }

  async issue(options: TestCertificateOptions = {}): Promise<TestCertificate> {
    const keys = await generate(options.isRsa === true ? RSA : EC);
    const { sans = [], validDays = [-1, 10], subject = "CN=leaf,O=weft", keyUsage } = options;
    const certificate = await x509.X509CertificateGenerator.create(
      {
        ...lifetime(validDays),
        subject,
        issuer: this.#certificate.subject,
        publicKey: keys.publicKey,
        signingKey: this.#keys.privateKey,
        signingAlgorithm: EC,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          ...(keyUsage === undefined ? [] : [new x509.KeyUsagesExtension(keyUsage, true)]),
          ...(sans.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(sans)]),
          await x509.AuthorityKeyIdentifierExtension.create(this.#keys.publicKey, false, webcrypto),
        ],
      },
      webcrypto,
    );
    const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
    return {
      cert: pem(certificate.toString("pem")),
      key: pem(x509.PemConverter.encode(pkcs8, "PRIVATE KEY")),
      serial: certificate.serialNumber,
    };
  }

  /** A list of what it revoked. */
  async revoke(serials: readonly string[]): Promise<string> {
    const crl = await x509.X509CrlGenerator.create(
      {
        issuer: this.#certificate.subject,
        thisUpdate: new Date(Date.now() - DAY_MS),
        nextUpdate: new Date(Date.now() + DAY_MS),
        entries: serials.map((serialNumber) => ({
          serialNumber,
          revocationDate: new Date(Date.now() - DAY_MS),
          // Without one there would be an empty list of extensions, which BoringSSL refuses.
          reason: x509.X509CrlReason.keyCompromise,
        })),
        signingAlgorithm: EC,
        signingKey: this.#keys.privateKey,
      },
      webcrypto,
    );
    // The library's own tag for lists is one that OpenSSL does not know.
    return pem(x509.PemConverter.encode(crl.rawData, "X509 CRL"));
  }
}

function pem(text: string): string {
  return `${text.trim()}\n`;
}

function lifetime([from, to]: readonly [number, number]): { notBefore: Date; notAfter: Date } {
  return {
    notBefore: new Date(Date.now() + from * DAY_MS),
    notAfter: new Date(Date.now() + to * DAY_MS),
  };
}

function generate(algorithm: typeof EC | typeof RSA): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}
