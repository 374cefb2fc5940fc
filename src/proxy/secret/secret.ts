import type { CertificateConfig, ValidationConfig } from "../tls/tls-config.ts";

interface SecretBase {
  readonly name: string;
  /** The files that it was read from: when one changes, the secret is read again. */
  readonly files: readonly string[];
  /** Looked at instead of the folders of the files; "" for those. */
  readonly watchedDirectory: string;
}

/** A secret, decoded and checked by itself. */
export type Secret =
  | (SecretBase & { readonly kind: "certificate"; readonly value: CertificateConfig })
  | (SecretBase & { readonly kind: "validation"; readonly value: ValidationConfig })
  | (SecretBase & { readonly kind: "ticketKeys"; readonly value: readonly Buffer[] });
