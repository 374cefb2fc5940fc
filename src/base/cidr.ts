import { isIPv6 } from "node:net";
import { formatIpv4, parseIpv4 } from "./ip.ts";

/** A block of addresses: those that share their first bits. */
export interface CidrRange {
  /** The same for equal blocks, and for no others. */
  readonly text: string;
  readonly isV6: boolean;
  /** The first address. */
  readonly base: bigint;
  readonly prefixLength: number;
}

const V4_BITS = 32;
const V6_BITS = 128;

/**
 * A block of addresses; `undefined` when the address is none. More bits than the address has count
 * as all of them.
 */
export function parseCidr(address: string, prefixLength: number): CidrRange | undefined {
  const parsed = parseAddress(address);
  if (parsed === undefined) return undefined;
  const { isV6, value } = parsed;
  const bits = isV6 ? V6_BITS : V4_BITS;
  const length = Math.min(prefixLength, bits);
  const base = maskOf(value, bits - length);
  const text = `${isV6 ? "v6" : "v4"}:${base.toString(16)}/${length}`;
  return { text, isV6, base, prefixLength: length };
}

/** `127.0.0.0/8`, `2001:db8::/32`: an IPv6 address as RFC 5952 has it. */
export function formatBlock({ isV6, base, prefixLength }: CidrRange): string {
  return `${isV6 ? formatIpv6(base) : formatIpv4(Number(base))}/${prefixLength}`;
}

function formatIpv6(address: bigint): string {
  const groups = Array.from({ length: 8 }, (_, at) =>
    ((address >> BigInt(16 * (7 - at))) & 0xffffn).toString(16),
  ).join(":");
  // The longest run of zeros is left out, the first of those that are as long.
  const [longest = ""] = (groups.match(/\b0(?::0)+\b/g) ?? []).sort(
    (one, two) => two.length - one.length,
  );
  if (longest === "") return groups;
  const at = groups.search(new RegExp(`(?<![^:])${longest}(?![^:])`));
  const end = at + longest.length;
  return `${groups.substring(0, at).replace(/:$/, "")}::${groups.substring(end).replace(/^:/, "")}`;
}

/** Whether an address, as text, is in one of the blocks; text that is no address is in none. */
export function compileCidrTest(ranges: readonly CidrRange[]): (address: string) => boolean {
  const find = compileCidrSearch(ranges.map((range) => [range, true]));
  return (address) => find(address) !== undefined;
}

/** The value of the smallest block that an address, as text, is in. */
export function compileCidrSearch<T>(
  entries: readonly (readonly [range: CidrRange, value: T])[],
): (address: string) => T | undefined {
  const [v4, v6] = [false, true].map((isV6) =>
    byLength(entries.filter(([range]) => range.isV6 === isV6)),
  );
  // The next request of a connection asks for the same address.
  let lastAddress: string | undefined;
  let lastFound: T | undefined;
  return (address) => {
    if (address === lastAddress) return lastFound;
    const parsed = parseAddress(address);
    const found = parsed && findIn((parsed.isV6 ? v6 : v4) ?? [], parsed);
    lastAddress = address;
    lastFound = found;
    return found;
  };
}

/** Blocks of one length, by their first address. */
interface Level<T> {
  readonly freeBits: number;
  readonly blocks: ReadonlyMap<bigint, T>;
}

/** The smallest blocks first. */
function byLength<T>(entries: readonly (readonly [CidrRange, T])[]): readonly Level<T>[] {
  const levels = new Map<number, Map<bigint, T>>();
  for (const [{ isV6, base, prefixLength }, value] of entries) {
    const freeBits = (isV6 ? V6_BITS : V4_BITS) - prefixLength;
    const blocks = levels.get(freeBits) ?? new Map<bigint, T>();
    levels.set(freeBits, blocks.set(base, value));
  }
  return [...levels]
    .map(([freeBits, blocks]) => ({ freeBits, blocks }))
    .sort((left, right) => left.freeBits - right.freeBits);
}

function findIn<T>(levels: readonly Level<T>[], { value }: Address): T | undefined {
  for (const { freeBits, blocks } of levels) {
    const found = blocks.get(maskOf(value, freeBits));
    if (found !== undefined) return found;
  }
  return undefined;
}

function maskOf(value: bigint, freeBits: number): bigint {
  return (value >> BigInt(freeBits)) << BigInt(freeBits);
}

interface Address {
  readonly isV6: boolean;
  readonly value: bigint;
}

function parseAddress(text: string): Address | undefined {
  const v4 = parseIpv4(text);
  if (v4 !== undefined) return { isV6: false, value: BigInt(v4) };
  if (!isIPv6(text)) return undefined;
  return { isV6: true, value: parseIpv6(text.replace(/%.*$/, "")) };
}

/** `text` is a valid address without a zone. */
function parseIpv6(text: string): bigint {
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const v4 = tail === null ? undefined : parseIpv4(tail[2] ?? "");
  const hex =
    v4 === undefined
      ? text
      : `${tail?.[1] ?? ""}${(v4 >>> 16).toString(16)}:${(v4 & 0xffff).toString(16)}`;
  const [head = "", rest] = hex.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = rest === undefined || rest === "" ? [] : rest.split(":");
  const gap = Array.from({ length: 8 - left.length - right.length }, () => "0");
  return [...left, ...gap, ...right].reduce(
    (sum, group) => (sum << 16n) | BigInt(Number.parseInt(group, 16)),
    0n,
  );
}
