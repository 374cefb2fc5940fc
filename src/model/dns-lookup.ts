import { isIPv4, isIPv6 } from "../base/ip.ts";
import type { Lookup, LookupFamily } from "./cluster.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import type { ProxyNode } from "./proxy.ts";

/** The addresses that a proxy can reach: those of the families that it has itself. */
export function lookupFamilyOf({ ips }: Pick<ProxyNode, "ips">): LookupFamily {
  if (ips.every(isIPv4)) return "v4";
  return ips.every(isIPv6) ? "v6" : "all";
}

/** How a proxy looks up names. All that share a cache of names must say the same of it. */
export function lookupOf(proxy: Pick<ProxyNode, "ips">, { dnsRefreshMs }: MeshSettings): Lookup {
  return { family: lookupFamilyOf(proxy), refreshMs: dnsRefreshMs };
}
