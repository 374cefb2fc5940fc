import type { Infer } from "./schema.ts";
import { array, boolean, object, string } from "./schema.ts";

/** `ClientTLSSettings`: how a proxy opens TLS to a service. */
export const clientTlsSchema = object({
  mode: string({ enum: ["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"] }),
  clientCertificate: string({ description: "A file in PEM form." }),
  privateKey: string({ description: "A file in PEM form." }),
  caCertificates: string({ description: "A file in PEM form, to verify the server by." }),
  caCrl: string({ description: "A file of certificates that are not trusted any more." }),
  credentialName: string({ description: "A secret that holds what the files would." }),
  subjectAltNames: array(string(), { description: "One of them must be in the certificate." }),
  sni: string({ description: "The name that is asked for." }),
  insecureSkipVerify: boolean({ description: "Takes any certificate." }),
});

/** TLS from a client's side; without a mode it is DISABLE. */
export type ClientTlsSettings = Infer<typeof clientTlsSchema>;
