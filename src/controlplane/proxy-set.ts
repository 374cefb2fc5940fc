/**
 * A set of connected proxies, one bit for each: thousands of objects are counted over hundreds of
 * proxies, and sets of bits join at once.
 */
export type ProxySet = bigint;

/** No proxy. */
export const NO_PROXIES: ProxySet = 0n;

/** The set of the proxy at one place of a list. */
export function proxyAt(index: number): ProxySet {
  return 1n << BigInt(index);
}

/** Whether the proxy at one place is in a set. */
export function hasProxy(set: ProxySet, index: number): boolean {
  return (set & proxyAt(index)) !== NO_PROXIES;
}

/** How many are in a set. */
export function countProxies(set: ProxySet): number {
  let count = 0;
  for (const digit of set.toString(16)) count += BITS[Number.parseInt(digit, 16)] ?? 0;
  return count;
}

/** Bits that are set in each hexadecimal digit. */
const BITS: readonly number[] = [0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4];
