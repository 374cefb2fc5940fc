import type { SupportTable } from "./entry.ts";
import { needsNothing, says, works, worksOnEnvoy } from "./entry.ts";

const RULES = "src/config/gateway.test.ts";
const TLS = "spec.servers[].tls";
const NO_SECRETS = "warning: secrets are not delivered yet by this version of weft";

/** Gateway. */
export const GATEWAY: SupportTable = {
  spec: works("test/golden/gateway-merged"),
  "spec.servers[].name": needsNothing("Istio's statistics do not use it either"),
  "spec.servers[].port.targetPort": says(
    "refused: the Service of the gateway says where a port leads",
    `${RULES}: targetPort`,
  ),
  "spec.servers[].defaultEndpoint": {
    ...says("warning: has no effect, as in Istio: a VirtualService says where traffic goes"),
    tests: ["test/fields/field-effects.test.ts"],
  },
  [`${TLS}.credentialName`]: worksOnEnvoy(NO_SECRETS),
  [`${TLS}.credentialNames`]: worksOnEnvoy(NO_SECRETS),
  [`${TLS}.caCertCredentialName`]: worksOnEnvoy(NO_SECRETS),
};
