import { type MutualTlsMode, modeOfPort, type WorkloadMutualTls } from "../peer-authentication.ts";
import type { ProxyNode } from "../proxy.ts";

/**
 * What a port of a proxy takes. Where no policy says anything that is both plain text and mutual
 * TLS, but only plain text for a proxy without a certificate. STRICT is never weakened.
 */
export function portMode(
  { hasCertificates }: Pick<ProxyNode, "hasCertificates">,
  mutualTls: WorkloadMutualTls,
  port: number,
): MutualTlsMode {
  const mode = modeOfPort(mutualTls, port).mode ?? "PERMISSIVE";
  return mode === "PERMISSIVE" && !hasCertificates ? "DISABLE" : mode;
}
