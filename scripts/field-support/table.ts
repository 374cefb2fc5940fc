import { DESTINATION_RULE } from "./destination-rule.ts";
import { nothingYet, type SupportTable, works } from "./entry.ts";
import { GATEWAY } from "./gateway.ts";
import { PENDING_FIELDS } from "./pending.ts";
import { VIRTUAL_SERVICE } from "./virtual-service.ts";

const SUPPORT: Readonly<Record<string, SupportTable>> = {
  VirtualService: VIRTUAL_SERVICE,
  DestinationRule: DESTINATION_RULE,
  Gateway: GATEWAY,
  ServiceEntry: { spec: works() },
  WorkloadEntry: { spec: works() },
  Sidecar: { spec: works() },
  PeerAuthentication: { spec: works() },
  Service: { spec: works() },
  MeshConfig: { "": works() },
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
