import type { Infer } from "./schema.ts";
import { array, boolean, noEffect, object, string } from "./schema.ts";

const VERSIONS = ["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"] as const;

const tlsCertificate = object({
  serverCertificate: string({ description: "The path of a PEM file." }),
  privateKey: string({ description: "The path of a PEM file." }),
  caCertificates: noEffect(string(), "Istio does not read it: say it beside tlsCertificates"),
});

/** How a listener of Istio's Gateway and Sidecar is opened to TLS: `ServerTLSSettings`. */
export const serverTlsSchema = object({
  httpsRedirect: boolean({ description: "Answers plain HTTP with a redirect to https." }),
  mode: string({
    enum: [
      "PASSTHROUGH",
      "SIMPLE",
      "MUTUAL",
      "AUTO_PASSTHROUGH",
      "ISTIO_MUTUAL",
      "OPTIONAL_MUTUAL",
    ],
  }),
  serverCertificate: string({ description: "The path of a PEM file." }),
  privateKey: string({ description: "The path of a PEM file." }),
  caCertificates: string({ description: "The path of a PEM file to check clients with." }),
  caCrl: string({ description: "The path of a PEM file of revoked certificates." }),
  tlsCertificates: array(tlsCertificate, {
    minItems: 1,
    maxItems: 2,
    description: "One RSA and one ECDSA certificate, instead of a single one.",
  }),
  subjectAltNames: array(string(), { description: "Names that a client's certificate may have." }),
  credentialName: string({ description: "A Secret in the namespace of the gateway's pods." }),
  credentialNames: array(string(), {
    minItems: 1,
    maxItems: 2,
    description: "One Secret with an RSA and one with an ECDSA certificate.",
  }),
  caCertCredentialName: string({ description: "A Secret or ConfigMap with `ca.crt`." }),
  verifyCertificateSpki: array(string(), {
    description: "SHA-256 of allowed public keys, base64.",
  }),
  verifyCertificateHash: array(string(), {
    description: "SHA-256 of allowed certificates, hexadecimal.",
  }),
  minProtocolVersion: string({ enum: VERSIONS }),
  maxProtocolVersion: string({ enum: VERSIONS }),
  cipherSuites: array(string(), { description: "In OpenSSL's names, for TLS 1.2 and older." }),
  ecdhCurves: array(string(), { description: "Key exchange groups, the preferred first." }),
  insecureSkipVerify: noEffect(
    boolean({ nullable: true }),
    "certificates of clients are always verified",
    [false],
  ),
});

/** TLS as a server speaks it. */
export type ServerTlsSettings = Infer<typeof serverTlsSchema>;
