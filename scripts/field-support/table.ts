import { DESTINATION_RULE } from "./destination-rule.ts";
import { needsNothing, nothingYet, type SupportTable, works } from "./entry.ts";
import { GATEWAY } from "./gateway.ts";
import { MESH_CONFIG } from "./mesh-config.ts";
import { PENDING_FIELDS } from "./pending.ts";
import { SERVICE } from "./service.ts";
import { SIDECAR } from "./sidecar.ts";
import { VIRTUAL_SERVICE } from "./virtual-service.ts";

const SUPPORT: Readonly<Record<string, SupportTable>> = {
  VirtualService: VIRTUAL_SERVICE,
  DestinationRule: DESTINATION_RULE,
  Gateway: GATEWAY,
  ServiceEntry: { spec: works("test/golden/policy-resolutions") },
  WorkloadEntry: { spec: works() },
  WorkloadGroup: {},
  Sidecar: SIDECAR,
  PeerAuthentication: { spec: works("test/golden/mtls-port-level") },
  ProxyConfig: {
    "spec.selector": needsNothing("what it would select for has no effect, and is said"),
  },
  Service: SERVICE,
  MeshConfig: MESH_CONFIG,
};

/** What is said about the fields of each kind, in the order of the page. */
export const FIELD_SUPPORT: Readonly<Record<string, SupportTable>> = Object.fromEntries(
  Object.entries(SUPPORT).map(([kind, table]) => [
    kind,
    {
      ...table,
      ...Object.fromEntries((PENDING_FIELDS[kind] ?? []).map((path) => [path, nothingYet()])),
    },
  ]),
);
