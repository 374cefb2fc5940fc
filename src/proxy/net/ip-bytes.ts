/** The four bytes of an address, in Latin-1. */
export function ipv4Bytes(address: string): string {
  return String.fromCharCode(...address.split(".").map(Number));
}

/** The sixteen bytes of an address, in Latin-1, without its zone. */
export function ipv6Bytes(address: string): string {
  const [bare = ""] = address.split("%");
  const [before = "", after = ""] = bare.split("::");
  const first = before.split(":").filter((group) => group !== "");
  const last = after.split(":").filter((group) => group !== "");
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => "0");
  return [...first, ...zeros, ...last].map((group) => twoBytes(parseInt(group, 16))).join("");
}

/** A number below 65,536, the higher byte first, in Latin-1. */
export function twoBytes(value: number): string {
  return String.fromCharCode(value >> 8, value & 255);
}
