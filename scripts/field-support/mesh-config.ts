import type { SupportTable } from "./entry.ts";
import { needsNothingOnWeft, says, shownBy, works } from "./entry.ts";

const MODEL = "src/model/mesh-config.test.ts";
const ISTIOD = "test/telemetry/istiod.test.ts";
const MODEL_OF_TELEMETRY = "src/model/telemetry.test.ts";
const GOLDEN = "test/golden";
const NO_MUTUAL_TLS = "its proxies are given no certificates yet, so that nothing is mutual TLS";

/** MeshConfig, but for the fields that `model/mesh-config-support.ts` says something about. */
export const MESH_CONFIG: SupportTable = {
  "": works(MODEL),
  enableAutoMtls: needsNothingOnWeft(NO_MUTUAL_TLS, `${GOLDEN}/policy-auto-mtls`),
  trustDomain: needsNothingOnWeft(NO_MUTUAL_TLS, MODEL),
  trustDomainAliases: needsNothingOnWeft(NO_MUTUAL_TLS, MODEL),
  meshMTLS: needsNothingOnWeft(NO_MUTUAL_TLS, `${GOLDEN}/mesh-config-clusters`),
  "meshMTLS.ecdhCurves": says("refused: may not be set: mutual TLS of the mesh has its own", MODEL),
  h2UpgradePolicy: works(MODEL),
  enableTracing: shownBy(ISTIOD),
  enableEnvoyAccessLogService: shownBy(ISTIOD),
  "defaultConfig.tracing": shownBy(ISTIOD),
  "defaultConfig.envoyAccessLogService": shownBy(ISTIOD),
  "defaultConfig.meshId": shownBy(MODEL_OF_TELEMETRY),
  extensionProviders: says("warning: has no effect: what would use it is not built yet", MODEL),
  "extensionProviders[].name": shownBy(ISTIOD),
  "extensionProviders[].zipkin": shownBy(ISTIOD),
  "extensionProviders[].opentelemetry": shownBy(ISTIOD),
  "extensionProviders[].opentelemetry.resourceDetectors.dynatrace": says(
    "warning: has no effect: only the environment is read",
    MODEL,
  ),
  "extensionProviders[].opentelemetry.dynatraceSampler": says(
    "warning: has no effect: spans are chosen by chance",
    MODEL,
  ),
  "extensionProviders[].envoyFileAccessLog": shownBy(ISTIOD),
  "extensionProviders[].envoyHttpAls": shownBy(ISTIOD),
  "extensionProviders[].envoyTcpAls": shownBy(ISTIOD),
  "extensionProviders[].envoyOtelAls": shownBy(ISTIOD),
  "defaultProviders.accessLogging": shownBy(ISTIOD),
  "defaultProviders.tracing": shownBy(ISTIOD),
  "defaultProviders.metrics": says("warning: has no effect, but for prometheus", MODEL),
  discoverySelectors: shownBy(`${GOLDEN}/mesh-config-namespaces`),
};
