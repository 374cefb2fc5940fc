/**
 * Addresses for services that have none of their own, so that clients which only know addresses can
 * be told apart by them (Istio's address auto-allocation): out of ranges that are routed nowhere,
 * 240.240.0.0/16 and 2001:2::/48.
 */
import { createHash } from "node:crypto";

/** Offsets 1 … 65,534 of the /16; the first and the last address are left out. */
const OFFSETS = 65_534;

/**
 * An address of each family for every name, in order. The same names always get the same ones;
 * a further name only moves those that it collides with. Names beyond what the range holds get none.
 */
export function allocateAddresses(
  names: readonly string[],
): ReadonlyMap<string, readonly [ipv4: string, ipv6: string]> {
  const taken = new Set<number>();
  const addresses = new Map<string, readonly [string, string]>();
  for (const name of names.toSorted()) {
    if (taken.size === OFFSETS) break;
    let offset = firstOffset(name);
    while (taken.has(offset)) offset = (offset % OFFSETS) + 1;
    taken.add(offset);
    const [high, low] = [offset >> 8, offset & 0xff];
    addresses.set(name, [`240.240.${high}.${low}`, `2001:2::${offset.toString(16)}`]);
  }
  return addresses;
}

function firstOffset(name: string): number {
  return (createHash("sha256").update(name).digest().readUInt32BE(0) % OFFSETS) + 1;
}
