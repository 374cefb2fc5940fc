import { hash } from "node:crypto";

/** Hexadecimal digits of a hash that count: 128 bits. */
const DIGITS = 32;

/**
 * A hash as a number, to be joined with others by exclusive or: so the digest of a set does not
 * depend on an order, and that of a set which grew by one is found without the others.
 */
export function digestOf(text: string): bigint {
  return BigInt(`0x${hash("sha256", text, "hex").slice(0, DIGITS)}`);
}
