import { DESTINATION_RULE } from "./destination-rule.ts";
import { needsNothing, type SupportTable, works } from "./entry.ts";
import { GATEWAY } from "./gateway.ts";
import { MESH_CONFIG } from "./mesh-config.ts";
import { SERVICE } from "./service.ts";
import { SIDECAR } from "./sidecar.ts";
import { TELEMETRY } from "./telemetry.ts";
import { VIRTUAL_SERVICE } from "./virtual-service.ts";

/** What is said about the fields of each kind, in the order of the page. */
export const FIELD_SUPPORT: Readonly<Record<string, SupportTable>> = {
  VirtualService: VIRTUAL_SERVICE,
  DestinationRule: DESTINATION_RULE,
  Gateway: GATEWAY,
  ServiceEntry: { spec: works("test/golden/policy-resolutions") },
  WorkloadEntry: { spec: works() },
  WorkloadGroup: {},
  Sidecar: SIDECAR,
  PeerAuthentication: { spec: works("test/golden/mtls-port-level") },
  Telemetry: TELEMETRY,
  ProxyConfig: {
    "spec.selector": needsNothing("what it would select for has no effect, and is said"),
  },
  Service: SERVICE,
  MeshConfig: MESH_CONFIG,
};
