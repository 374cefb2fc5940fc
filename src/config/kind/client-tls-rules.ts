import type { Issue } from "../../base/issue.ts";
import type { ClientTlsSettings } from "../client-tls.ts";

const CONFIG_MAP = "configmap://";
/** Envoy's limit, and that of a ClientHello. */
const SNI_BYTES_MAX = 255;

/** `tls` of a DestinationRule in `namespace`, and the same of other kinds. */
export function validateClientTls(
  tls: ClientTlsSettings | undefined,
  path: string,
  namespace: string,
): readonly Issue[] {
  if (tls === undefined) return [];
  const { mode, credentialName = "", sni = "" } = tls;
  const issues: Issue[] = [...validateConfigMapName(credentialName, path, namespace)];
  const sniBytes = Buffer.byteLength(sni);
  if (sniBytes > SNI_BYTES_MAX) {
    const message = `must have at most ${SNI_BYTES_MAX} bytes: got ${sniBytes}`;
    issues.push({ path: `${path}.sni`, message });
  }
  if (mode !== "SIMPLE" && mode !== "MUTUAL") return issues;
  issues.push(...validateSkip(tls, mode, path));
  if (credentialName !== "") {
    for (const field of ["clientCertificate", "privateKey", "caCertificates", "caCrl"] as const) {
      if ((tls[field] ?? "") === "") continue;
      issues.push({ path: `${path}.${field}`, message: "must not stand beside credentialName" });
    }
    return issues;
  }
  if (mode === "SIMPLE") return issues;
  for (const field of ["clientCertificate", "privateKey"] as const) {
    if ((tls[field] ?? "") !== "") continue;
    issues.push({ path: `${path}.${field}`, message: "is required for mode MUTUAL" });
  }
  return issues;
}

/** Who takes any certificate cannot say which ones, too. */
function validateSkip(
  tls: ClientTlsSettings,
  mode: "SIMPLE" | "MUTUAL",
  path: string,
): readonly Issue[] {
  if (tls.insecureSkipVerify !== true) return [];
  const fields: (keyof ClientTlsSettings)[] = ["caCertificates", "subjectAltNames"];
  // With MUTUAL, the secret holds the client's own certificate as well.
  if (mode === "SIMPLE") fields.push("credentialName");
  return fields
    .filter((field) => tls[field] !== undefined && tls[field] !== "")
    .map((field) => ({
      path: `${path}.${field}`,
      message: "must not stand beside insecureSkipVerify: true",
    }));
}

/** `configmap://name` and `configmap://namespace/name`, in the namespace of the object itself. */
function validateConfigMapName(name: string, path: string, namespace: string): readonly Issue[] {
  if (!name.startsWith(CONFIG_MAP)) return [];
  const parts = name.slice(CONFIG_MAP.length).split("/");
  const isOwn = parts.length === 1 || parts[0] === namespace;
  if (parts.length <= 2 && parts.every((part) => part !== "") && isOwn) return [];
  const message = `must be ${CONFIG_MAP}<name> or ${CONFIG_MAP}${namespace}/<name>: got "${name}"`;
  return [{ path: `${path}.credentialName`, message }];
}
