import { isIPv4, isIPv6, shortAddress } from "../../base/ip.ts";
import type { ConnectionInfo, PeerAddress } from "../../match/connection-info.ts";

/** Whom a connection manager takes for the client of a request. */
export interface ClientAddressOptions {
  /** The connection's own end counts, not what `x-forwarded-for` says. */
  readonly usesRemoteAddress: boolean;
  /** Proxies in front of this one whose word in `x-forwarded-for` is believed. */
  readonly trustedHops: number;
  readonly skipsXffAppend: boolean;
  readonly appendsForwardedPort: boolean;
  readonly writesIpv4AsIpv6: boolean;
  /** Whose addresses are internal; `undefined`: nobody's. */
  readonly isInternal: ((address: string) => boolean) | undefined;
}

/** What `x-forwarded-for` says: one address, or the one before the trusted hops. */
interface ForwardedAddress {
  readonly address: string;
  readonly isSingle: boolean;
}

/**
 * The address that `skipped` others stand behind, as Envoy reads `x-forwarded-for`; `undefined`
 * when that is no address.
 */
export function readForwardedFor(value: string, skipped: number): ForwardedAddress | undefined {
  let end = value.length;
  for (let left = skipped; left > 0; left--) {
    end = value.lastIndexOf(",", end - 1);
    if (end <= 0) return undefined;
  }
  const comma = value.lastIndexOf(",", end - 1);
  const address = value.substring(comma + 1, end).trim();
  const isSingle = comma === -1 && skipped === 0;
  if (isIPv4(address)) return { address, isSingle };
  if (!isIPv6(address)) return undefined;
  // One address may be written in many ways; logs and hashes have one for it.
  return { address: shortAddress(address), isSingle };
}

/**
 * The client, and whether it is internal: `forwardedFor` is the header as it came. An address out
 * of the header has the port 0.
 */
export function findClient(
  options: ClientAddressOptions,
  forwardedFor: string | undefined,
  connection: ConnectionInfo,
): { readonly remote: PeerAddress; readonly isInternal: boolean } {
  const { usesRemoteAddress, trustedHops, isInternal } = options;
  const skipped = usesRemoteAddress ? trustedHops - 1 : trustedHops;
  const found =
    forwardedFor === undefined || skipped < 0 ? undefined : readForwardedFor(forwardedFor, skipped);
  const remote = found === undefined ? connection.remote : { address: found.address, port: 0 };
  if (isInternal === undefined) return { remote, isInternal: false };
  const isSingle = usesRemoteAddress ? forwardedFor === undefined : found?.isSingle === true;
  return { remote, isInternal: isSingle && isInternal(remote.address) };
}
