import { isIPv4, isIPv6 } from "../../base/ip.ts";
import type { ProxyNode } from "../proxy.ts";
import type { Service } from "../service.ts";

/** Every address of one family. */
export const ANY_V4 = "0.0.0.0";
export const ANY_V6 = "::";

/** Stands for the address of a proxy, where something is made for many. */
export const OWN_ADDRESS = "";

/** The addresses that stand for all, of the families that a proxy has; IPv4 first. */
export function wildcardAddresses(proxy: ProxyNode): readonly [string, ...string[]] {
  const { hasV4, hasV6 } = families(proxy);
  if (!hasV6) return [ANY_V4];
  return hasV4 ? [ANY_V4, ANY_V6] : [ANY_V6];
}

/** Where a listener is that says nothing of it and opens a socket. */
export function localAddresses(proxy: ProxyNode): readonly [string, ...string[]] {
  if (isPortable(proxy)) return [proxy.ip];
  const { hasV4, hasV6 } = families(proxy);
  if (!hasV6) return ["127.0.0.1"];
  return hasV4 ? ["127.0.0.1", "::1"] : ["::1"];
}

/**
 * Whether the pod has an address of its own among the machine's loopback addresses, so that what
 * binds `127.0.0.1` would meet the other pods'. Such a sidecar is told where its app listens.
 */
export function isPortable({ interceptionMode, appAddress, ip }: ProxyNode): boolean {
  if (interceptionMode !== "NONE") return false;
  return appAddress !== undefined || (ip.startsWith("127.") && ip !== "127.0.0.1");
}

function families({ ips }: ProxyNode): { readonly hasV4: boolean; readonly hasV6: boolean } {
  return { hasV4: ips.some(isIPv4), hasV6: ips.some(isIPv6) };
}

/**
 * The virtual addresses by which a proxy's app reaches a service, in its own families where there
 * are such; none for a service that has none. Those that the mesh gave count only where the
 * proxy answers the app's DNS questions: nobody else has heard of them.
 */
export function serviceAddresses(service: Service, proxy: ProxyNode): readonly string[] {
  const { addresses, autoAddresses } = service;
  const all = addresses.length === 0 && proxy.answersDns ? autoAddresses : addresses;
  const { hasV4, hasV6 } = families(proxy);
  const reachable = all.filter((address) => (isV6(address) ? hasV6 : hasV4));
  return reachable.length > 0 ? reachable : all;
}

/** Whether an address of a service is a block of them. */
export function isCidr(address: string): boolean {
  return address.includes("/");
}

function isV6(address: string): boolean {
  return address.includes(":");
}
