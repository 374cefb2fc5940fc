import { createPrivateKey, randomBytes, X509Certificate } from "node:crypto";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import type { Clock } from "../base/clock.ts";
import {
  createServingCertificate,
  type ServingCertificate,
} from "../identity/serving-certificate.ts";

const TOKEN_BYTES = 32;
/** What is shorter was not made here. */
const TOKEN_LENGTH_MIN = 32;
/** A certificate that ends sooner is replaced at the next start. */
const REMAINING_MS_MIN = 30 * 86_400_000;

/** What the API server shows and what its clients must know. */
export interface ApiCredentials extends ServingCertificate {
  readonly token: string;
}

/**
 * The credentials of a home, made at its first start and kept, so that a kubeconfig that somebody
 * copied stays good. Only the owner may read the file.
 */
export async function loadApiCredentials(file: string, clock: Clock): Promise<ApiCredentials> {
  const kept = readKept(file);
  if (kept !== undefined && isGood(kept, clock)) return kept;
  const certificate = await createServingCertificate({ clock, hosts: ["127.0.0.1", "localhost"] });
  const token = kept?.token ?? randomBytes(TOKEN_BYTES).toString("base64url");
  const credentials = { ...certificate, token };
  // Whole or not at all, and never with the mode of a file that was there before.
  const aside = `${file}.new`;
  rmSync(aside, { force: true });
  writeFileSync(aside, JSON.stringify(credentials), { mode: 0o600 });
  renameSync(aside, file);
  return credentials;
}

function readKept(file: string): ApiCredentials | undefined {
  try {
    const value = JSON.parse(readFileSync(file, "utf8")) as Partial<ApiCredentials>;
    const { token, certificate, privateKey, caCertificate } = value;
    // An empty token would let in whoever sends none.
    if (typeof token !== "string" || token.length < TOKEN_LENGTH_MIN) return undefined;
    if (typeof certificate !== "string" || typeof privateKey !== "string") return undefined;
    if (typeof caCertificate !== "string") return undefined;
    return { token, certificate, privateKey, caCertificate };
  } catch {
    // None yet, or broken: others are made.
    return undefined;
  }
}

function isGood({ certificate, privateKey, caCertificate }: ApiCredentials, clock: Clock): boolean {
  try {
    const own = new X509Certificate(certificate);
    return (
      own.checkPrivateKey(createPrivateKey(privateKey)) &&
      own.verify(new X509Certificate(caCertificate).publicKey) &&
      Date.parse(own.validTo) - clock.nowMs() > REMAINING_MS_MIN
    );
  } catch {
    return false;
  }
}
