import type { SupportTable } from "./entry.ts";
import { needsNothingOnWeft, says, shownBy, works } from "./entry.ts";

const MODEL = "src/model/mesh-config.test.ts";
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
  extensionProviders: says("warning: has no effect: what would use it is not built yet", MODEL),
  "extensionProviders[].name": shownBy(`${GOLDEN}/mesh-config-gateway`),
  "extensionProviders[].envoyFileAccessLog": shownBy(`${GOLDEN}/mesh-config-gateway`, MODEL),
  "extensionProviders[].envoyFileAccessLog.omitEmptyValues": says(
    'warning: has no effect: empty values are written as "-"',
    MODEL,
  ),
  "defaultProviders.accessLogging": shownBy(`${GOLDEN}/mesh-config-gateway`, MODEL),
  "defaultProviders.tracing": says("warning: has no effect: tracing is not built yet", MODEL),
  "defaultProviders.metrics": says("warning: has no effect, but for prometheus", MODEL),
  discoverySelectors: shownBy(`${GOLDEN}/mesh-config-namespaces`),
};
