import type { Prng } from "../base/prng.ts";

// Kubernetes' alphabet: no vowels and no look-alikes, so that no name spells a word.
const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

const SUFFIX_LENGTH = 5;

/** FNV-1a over the value's JSON with sorted names, in the alphabet of Kubernetes' names. */
export function shortHash(value: unknown): string {
  return String(hashNumber(value)).replaceAll(
    /\d/g,
    (digit) => ALPHABET[digit.charCodeAt(0) % ALPHABET.length] ?? "",
  );
}

/** The same hash as an unsigned 32-bit number. */
export function hashNumber(value: unknown): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(canonicalJson(value), "utf8")) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash;
}

/** Five letters of chance, as behind the name of a pod. */
export function nameSuffix(prng: Prng): string {
  return Array.from(
    { length: SUFFIX_LENGTH },
    () => ALPHABET[Math.floor(prng.next() * ALPHABET.length)] ?? "",
  ).join("");
}

/** JSON that does not depend on the order of an object's names. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([left], [right]) => (left < right ? -1 : 1)))
      : part,
  );
}
