import type { ResourceKind } from "../xds/snapshot.ts";

/** The short names of the kinds, as istiod's metrics and `proxy-status` have them. */
export const XDS_SHORT_NAME: Readonly<Record<ResourceKind, string>> = {
  cluster: "cds",
  endpoint: "eds",
  listener: "lds",
  route: "rds",
  virtualHost: "vhds",
};
