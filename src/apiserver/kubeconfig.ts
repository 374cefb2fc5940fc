import { formatHostPort } from "../base/ip.ts";

/** What a client needs to reach an API server. */
export interface KubeconfigOptions {
  readonly host: string;
  readonly port: number;
  /** PEM. */
  readonly caCertificate: string;
  readonly token: string;
  /** Of cluster, user and context; "weft" by default. */
  readonly name?: string;
  readonly namespace?: string;
}

/** A kubeconfig with one context. Carries the token: for files that only their owner reads. */
export function buildKubeconfig({
  host,
  port,
  caCertificate,
  token,
  name = "weft",
  namespace = "default",
}: KubeconfigOptions): string {
  const authority = Buffer.from(caCertificate, "utf8").toString("base64");
  const quoted = JSON.stringify;
  return `apiVersion: v1
kind: Config
current-context: ${quoted(name)}
clusters:
- name: ${quoted(name)}
  cluster:
    server: https://${formatHostPort(host, port)}
    certificate-authority-data: ${authority}
users:
- name: ${quoted(name)}
  user:
    token: ${quoted(token)}
contexts:
- name: ${quoted(name)}
  context:
    cluster: ${quoted(name)}
    user: ${quoted(name)}
    namespace: ${quoted(namespace)}
`;
}
