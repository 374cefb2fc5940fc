/** The IP version that is tried first; by default that of the first address. */
export type FirstFamily = "DEFAULT" | "V4" | "V6";

/** In which order the addresses of one host are tried. */
export interface AddressOrder {
  readonly firstFamily: FirstFamily;
  /** How many of the first version are tried before one of the other. */
  readonly firstCount: number;
}

/**
 * The order in which addresses of both IP versions are tried (RFC 8305, 4): some of the first version,
 * one of the other, and so on, each version in its own order.
 */
export function orderAddresses<T extends { readonly address: string }>(
  addresses: readonly T[],
  { firstFamily, firstCount }: AddressOrder,
): readonly T[] {
  const startsWithV6 =
    firstFamily === "DEFAULT" ? isV6(addresses[0]?.address ?? "") : firstFamily === "V6";
  const first = addresses.filter(({ address }) => isV6(address) === startsWithV6);
  const other = addresses.filter(({ address }) => isV6(address) !== startsWithV6);
  const ordered: T[] = [];
  while (first.length > 0 || other.length > 0) {
    ordered.push(...first.splice(0, firstCount), ...other.splice(0, 1));
  }
  return ordered;
}

function isV6(address: string): boolean {
  return address.includes(":");
}
