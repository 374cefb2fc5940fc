import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import type { Clock } from "../base/clock.ts";
import { isIPv4, isIPv6 } from "../base/ip.ts";

/** A server's certificate and what its clients trust it by; all PEM. */
export interface ServingCertificate {
  /** The authority that signed it; its key is forgotten, so that it signs nothing else. */
  readonly caCertificate: string;
  readonly certificate: string;
  /** PKCS #8. For files that only their owner reads. */
  readonly privateKey: string;
}

/** Whom a serving certificate is for. */
export interface ServingCertificateOptions {
  readonly clock: Clock;
  /** IP addresses and host names that clients reach the server by. */
  readonly hosts: readonly string[];
  readonly lifetimeDays?: number;
}

const DAY_MS = 86_400_000;
const LIFETIME_DAYS = 365;
/** Clocks of clients may be behind. */
const BACKDATE_MS = 3_600_000;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** Creates an authority of its own and one certificate for a server on this machine. */
export async function createServingCertificate({
  clock,
  hosts,
  lifetimeDays = LIFETIME_DAYS,
}: ServingCertificateOptions): Promise<ServingCertificate> {
  const times = {
    notBefore: new Date(clock.nowMs() - BACKDATE_MS),
    notAfter: new Date(clock.nowMs() + lifetimeDays * DAY_MS),
    signingAlgorithm: ALGORITHM,
  };
  const caKeys = await generateKeys();
  const ca = await x509.X509CertificateGenerator.createSelfSigned(
    {
      ...times,
      name: "CN=weft-api-ca",
      keys: caKeys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
        await x509.SubjectKeyIdentifierExtension.create(caKeys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  const keys = await generateKeys();
  const names = hosts.map((value) => ({
    type: isIPv4(value) || isIPv6(value) ? ("ip" as const) : ("dns" as const),
    value,
  }));
  const certificate = await x509.X509CertificateGenerator.create(
    {
      ...times,
      subject: "CN=weft-api",
      issuer: ca.subject,
      publicKey: keys.publicKey,
      signingKey: caKeys.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(names),
        await x509.AuthorityKeyIdentifierExtension.create(caKeys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    caCertificate: `${ca.toString("pem")}\n`,
    certificate: `${certificate.toString("pem")}\n`,
    privateKey: `${x509.PemConverter.encode(pkcs8, "PRIVATE KEY")}\n`,
  };
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}
