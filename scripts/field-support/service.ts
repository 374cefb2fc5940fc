import type { SupportTable } from "./entry.ts";
import { needsNothing, works } from "./entry.ts";

const BY_ADDRESS = "addresses are those of clusterIPs and of the endpoints";

/** Service. */
export const SERVICE: SupportTable = {
  spec: works("test/golden/plain-service"),
  "spec.ports[].nodePort": needsNothing("proxies do not use the ports of nodes"),
  "spec.ipFamilies": needsNothing(BY_ADDRESS),
  "spec.ipFamilyPolicy": needsNothing(BY_ADDRESS),
};
