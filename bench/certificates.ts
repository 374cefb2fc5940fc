import "reflect-metadata";
import { randomBytes, webcrypto } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import type { CertificateFiles } from "./bootstrap.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const HOUR_MS = 3_600_000;

/** The identities of the two workloads of the pair. */
export const CLIENT_ID = "spiffe://bench.local/ns/default/sa/client";
export const SERVER_ID = "spiffe://bench.local/ns/default/sa/server";

/** Certificates of both, signed by one authority, P-256 as meshes use. */
export async function createCertificates(
  folder: string,
): Promise<{ readonly client: CertificateFiles; readonly server: CertificateFiles }> {
  x509.cryptoProvider.set(webcrypto);
  const caKeys = await generateKeys();
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    ...dates(),
    name: "CN=bench authority",
    keys: caKeys,
    signingAlgorithm: ALGORITHM,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  const caCertificate = join(folder, "ca.pem");
  writeFileSync(caCertificate, authority.toString("pem"));
  const issue = async (name: string, id: string): Promise<CertificateFiles> => {
    const keys = await generateKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      ...dates(),
      subject: `CN=${name}`,
      issuer: authority.subject,
      publicKey: keys.publicKey,
      signingKey: caKeys.privateKey,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.SubjectAlternativeNameExtension([
          { type: "url", value: id },
          { type: "dns", value: "bench.local" },
          { type: "ip", value: "127.0.0.1" },
        ]),
      ],
    });
    const files = {
      certificate: join(folder, `${name}.crt`),
      privateKey: join(folder, `${name}.key`),
      caCertificate,
    };
    const key = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
    const keyPem = x509.PemConverter.encode(key, "PRIVATE KEY");
    writeFileSync(files.certificate, `${certificate.toString("pem")}\n`);
    writeFileSync(files.privateKey, `${keyPem}\n`, { mode: 0o600 });
    return files;
  };
  return { client: await issue("client", CLIENT_ID), server: await issue("server", SERVER_ID) };
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

function dates(): {
  readonly serialNumber: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
} {
  return {
    serialNumber: `01${randomBytes(8).toString("hex")}`,
    notBefore: new Date(Date.now() - HOUR_MS),
    notAfter: new Date(Date.now() + 24 * HOUR_MS),
  };
}
