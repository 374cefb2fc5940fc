import type { SupportTable } from "./entry.ts";
import { needsNothing, says, works } from "./entry.ts";

const RULES = "src/config/sidecar.test.ts";
const TLS = "spec.ingress[].tls";
const POOL = "spec.ingress[].connectionPool";
const OF_THE_PORT = "the app is spoken to in the protocol of the port, as in Istio";

/** Sidecar. */
export const SIDECAR: SupportTable = {
  spec: works(),
  "spec.ingress": works("test/golden/ingress-listener-captured"),
  "spec.ingress[].port.name": needsNothing("Istio's names do not use it either"),
  "spec.ingress[].port.targetPort": says(
    "refused: may not be set: an ingress listener's defaultEndpoint says where traffic goes",
    RULES,
  ),
  [`${TLS}.httpsRedirect`]: says("refused: not for a Sidecar, as in Istio", RULES),
  [`${TLS}.subjectAltNames`]: says("refused: not for a Sidecar, as in Istio", RULES),
  [`${TLS}.credentialName`]: says("refused: not for a Sidecar, as in Istio", RULES),
  [`${TLS}.credentialNames`]: says("refused: not for a Sidecar, as in Istio", RULES),
  [`${TLS}.tlsCertificates`]: says("refused: not for a Sidecar, as in Istio", RULES),
  [`${TLS}.caCertCredentialName`]: says("refused: not for a Sidecar, as in Istio", RULES),
  [`${POOL}.http.h2UpgradePolicy`]: needsNothing(OF_THE_PORT),
  [`${POOL}.http.useClientProtocol`]: needsNothing(OF_THE_PORT),
};
